//! What every collector is given.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use regex::RegexSet;

use super::list::Known;
use super::observers::{Completions, LookedFor, Placements};
use super::report::{FetchError, Said};
use super::store::Store;
use crate::nomad::{Client, Endpoint, Request};
use crate::snapshot::{NamedJobs, Sections, Servers};
use crate::terms::JobType;

/// The name that stands for all namespaces.
const ALL: &str = "*";
/// How many namespaces are asked one by one where the servers cannot list them at once.
const MAX_NAMESPACES: usize = 200;

/// How to collect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names of the collectors that are on.
    pub collectors: Vec<&'static str>,
    /// Changes of state that are logged of one collector in 10 minutes.
    pub logged_changes: u32,
    /// How often live collectors are read.
    pub interval: Duration,
    /// How often history collectors are read.
    pub history_interval: Duration,
    /// What share of the time one history collector may be read.
    pub history_duty_cycle: f64,
    /// How often clients are asked.
    pub client_interval: Duration,
    /// Over how much of that the requests are spread.
    pub client_spread: Duration,
    /// After how many intervals without success a collector is withdrawn.
    pub max_age_intervals: u32,
    /// The namespaces to read; `*` for all.
    pub namespaces: Vec<String>,
    /// How many of the oldest pending jobs are named.
    pub pending_jobs: usize,
    /// Types of the jobs that have series of their own.
    pub job_types: Vec<JobType>,
    /// How many jobs have series of their own at most.
    pub max_jobs: usize,
    /// How many job specifications are read in one refresh at most.
    pub max_specifications: usize,
    /// How long one client may take to answer for its host or its allocations.
    pub client_timeout: Duration,
    /// How many clients are asked at once.
    pub client_concurrency: usize,
    /// Whose usage is read, where that collector is on.
    pub usage: UsageSettings,
}

impl Settings {
    /// Whether this namespace is to be read.
    pub(super) fn wants_namespace(&self, name: &str) -> bool {
        self.namespaces.iter().any(|wanted| wanted == ALL || wanted == name)
    }
}

/// Which allocations' usage is read.
#[derive(Clone, Debug)]
pub struct UsageSettings {
    /// Job IDs; empty for all.
    pub jobs: RegexSet,
    /// Allocations at most.
    pub max_allocations: usize,
}

/// What every collector is given.
pub struct Context {
    /// Asks Nomad.
    pub client: Client,
    /// Where the answers go.
    pub store: Arc<Store>,
    /// How to collect.
    pub settings: Settings,
    /// Jobs that were seen to be placed.
    pub placements: Placements,
    /// Jobs that were seen to finish.
    pub completions: Completions,
    /// Tells the time; tests stop it.
    pub now: fn() -> SystemTime,
    /// What was logged of each collector lately.
    pub(super) said: Said,
    /// The last list of nodes.
    pub(super) known_nodes: Known<()>,
    /// The last list of live allocations, which jobs had series of their own then, and whose first allocation was
    /// looked for in it.
    pub(super) known_allocations: Known<(Option<NamedJobs>, LookedFor)>,
}

impl Context {
    /// What every collector is given, with nothing collected yet.
    pub fn new(client: Client, settings: Settings, now: fn() -> SystemTime) -> Self {
        let store = Arc::new(Store::new(&settings));
        Self {
            client,
            store,
            settings,
            placements: Placements::default(),
            completions: Completions::default(),
            now,
            said: Said::default(),
            known_nodes: Known::default(),
            known_allocations: Known::default(),
        }
    }

    /// Requests for a list over the configured namespaces.
    pub(super) fn over_namespaces(&self, endpoint: Endpoint, path: &str) -> Vec<Request> {
        let request = |name: &String| Request::new(endpoint, path).query("namespace", name);
        self.settings.namespaces.iter().map(request).collect()
    }

    /// The same for lists that know no `*` before Nomad 1.2.4: there, one request for each known namespace.
    pub(super) async fn over_known_namespaces(
        &self,
        endpoint: Endpoint,
        path: &str,
    ) -> Result<Vec<Request>, FetchError> {
        if self.settings.namespaces.iter().all(|name| name != ALL) || self.servers().await.list_everywhere {
            return Ok(self.over_namespaces(endpoint, path));
        }
        let sections = self.after(&["namespaces", "jobs"]).await;
        let namespaces = sections.known_namespaces();
        if namespaces.is_empty() {
            return Err(FetchError::Needs("namespaces"));
        }
        let request = |name: &str| Request::new(endpoint, path).query("namespace", name);
        Ok(namespaces.into_iter().take(MAX_NAMESPACES).map(request).collect())
    }

    /// What the servers can do. Where that is not known they are taken for current: every fold sorts its rows
    /// itself, so that a filter that was ignored makes an answer larger and not wrong.
    pub(super) async fn servers(&self) -> Arc<Servers> {
        self.after(&["servers"]).await.servers.unwrap_or_default()
    }

    /// Over how long requests to clients are spread: not at all the first time, when there is nothing to show yet.
    pub(super) fn client_spread(&self, is_known: bool) -> Duration {
        if is_known { self.settings.client_spread } else { Duration::ZERO }
    }

    /// The sections as they stand once these collectors were tried for the first time.
    pub(super) async fn after(&self, collectors: &[&str]) -> Sections {
        self.store.after(collectors).await
    }

    /// Whether a collector is on.
    pub(super) fn is_on(&self, collector: &str) -> bool {
        self.settings.collectors.contains(&collector)
    }
}
