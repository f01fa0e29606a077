//! What every source is given.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::store::Store;
use crate::nomad::{Client, Endpoint, Request};
use crate::snapshot::Sections;

/// How to collect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names of the sources that are on.
    pub sources: Vec<&'static str>,
    /// How often live sources are read.
    pub interval: Duration,
    /// How often history sources are read.
    pub history_interval: Duration,
    /// After how many intervals without success a source is withdrawn.
    pub max_age_intervals: u32,
    /// The namespace to read, `*` for all.
    pub namespace: String,
    /// How many of the oldest pending jobs are named.
    pub pending_jobs: usize,
    /// How long one client may take to answer for its host statistics.
    pub host_stats_timeout: Duration,
    /// How many clients are asked at once.
    pub host_stats_concurrency: usize,
}

/// What every source is given.
pub struct Context {
    /// Asks Nomad.
    pub client: Client,
    /// Where the answers go.
    pub store: Arc<Store>,
    /// How to collect.
    pub settings: Settings,
    /// Tells the time; tests stop it.
    pub now: fn() -> SystemTime,
}

impl Context {
    /// A request for a list over the configured namespaces.
    pub(super) fn list(&self, endpoint: Endpoint, path: &str) -> Request {
        Request::new(endpoint, path).query("namespace", &self.settings.namespace)
    }

    /// Whether lists can be filtered by the servers. Where that is not known they are asked to: every fold sorts
    /// its rows itself, so that the answer is right either way and only larger.
    pub(super) async fn lists_are_filtered(&self) -> bool {
        let sections = self.after(&["servers"]).await;
        sections.servers.is_none_or(|servers| servers.filter_lists)
    }

    /// The sections as they stand once these sources were tried for the first time.
    pub(super) async fn after(&self, sources: &[&str]) -> Sections {
        self.store.after(sources).await
    }
}
