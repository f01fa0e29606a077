//! Settings, client and clock of all collectors.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use regex::RegexSet;

use super::chosen::LabelSettings;
use super::collector::{Newest, Reads};
use super::report::FetchError;
use crate::nomad::{Client, Endpoint, Request};
use crate::snapshot::{CollectorId, LiveJobs, Namespaces, Scope, Servers};
use crate::terms::{JobType, TermSet};

/// Maximum number of namespaces that are requested one by one if the servers do not support `namespace=*`.
const MAX_NAMESPACES: usize = 200;

/// Settings of the collectors.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Enabled collectors.
    pub collectors: TermSet<CollectorId>,
    /// Maximum number of state changes logged per collector in 10 minutes.
    pub logged_changes: u32,
    /// Interval of live collectors.
    pub interval: Duration,
    /// Interval of history collectors.
    pub history_interval: Duration,
    /// Maximum share of the time that one collector may take. A collector that takes longer runs less often.
    pub duty_cycle: f64,
    /// Interval of requests to Nomad clients.
    pub client_interval: Duration,
    /// Part of `client_interval` over which these requests are spread.
    pub client_spread: Duration,
    /// Number of intervals without a successful refresh after which a collector's sections expire.
    pub max_age_intervals: u32,
    /// Namespaces to read.
    pub namespaces: Scope,
    /// Maximum number of pending jobs listed by name, oldest first.
    pub pending_jobs: usize,
    /// Maximum number of running builds listed by name, longest running first.
    pub running_jobs: usize,
    /// Job types with per-job series.
    pub job_types: Vec<JobType>,
    /// Maximum number of jobs with per-job series.
    pub max_jobs: usize,
    /// Maximum number of job specifications read per refresh.
    pub max_specifications: usize,
    /// Timeout for a client's host or allocation statistics.
    pub client_timeout: Duration,
    /// Maximum number of clients requested concurrently.
    pub client_concurrency: usize,
    /// Allocations whose usage is read, if that collector is enabled.
    pub usage: UsageSettings,
    /// Metadata and attributes exported as labels.
    pub labels: LabelSettings,
}

#[cfg(test)]
impl Settings {
    /// Returns settings for tests, with these collectors enabled.
    pub(super) fn of(collectors: TermSet<CollectorId>) -> Self {
        Self {
            collectors,
            logged_changes: 20,
            interval: Duration::from_secs(15),
            history_interval: Duration::from_secs(60),
            duty_cycle: 0.05,
            client_interval: Duration::from_secs(60),
            client_spread: Duration::ZERO,
            max_age_intervals: 4,
            namespaces: Scope::default(),
            pending_jobs: 20,
            running_jobs: 20,
            job_types: Vec::new(),
            max_jobs: 0,
            max_specifications: 0,
            client_timeout: Duration::from_secs(3),
            client_concurrency: 1,
            usage: UsageSettings { jobs: RegexSet::empty(), max_allocations: 0 },
            labels: LabelSettings::default(),
        }
    }
}

/// Selection of the allocations whose usage is read.
#[derive(Clone, Debug)]
pub struct UsageSettings {
    /// Patterns of job IDs. Empty means all jobs.
    pub jobs: RegexSet,
    /// Maximum number of allocations.
    pub max_allocations: usize,
}

/// Client, settings and clock of all collectors.
pub struct Context {
    /// Nomad API client.
    pub client: Client,
    /// Settings of the collectors.
    pub settings: Settings,
    /// Returns the current time. Tests use a fixed time.
    pub now: fn() -> SystemTime,
}

impl Context {
    /// Returns the requests for a list in the configured namespaces.
    pub(super) fn over_namespaces(&self, endpoint: Endpoint, path: &str) -> Vec<Request> {
        let request = |name: &String| Request::new(endpoint, path).query("namespace", name);
        self.settings.namespaces.names().iter().map(request).collect()
    }

    /// Returns the requests for the job list, including metadata if any of it is exported as a label.
    pub(super) fn over_jobs(&self) -> Vec<Request> {
        let requests = self.over_namespaces(Endpoint::Jobs, "/v1/jobs");
        if self.settings.labels.job_meta.is_empty() {
            return requests;
        }
        requests.into_iter().map(|request| request.query("meta", "true")).collect()
    }

    /// Like [`over_namespaces`](Self::over_namespaces), for endpoints that do not support `namespace=*`
    /// before Nomad 1.2.4. There, returns one request per known namespace.
    pub(super) async fn over_known_namespaces<C>(
        &self,
        upstream: &Newest<'_, C>,
        endpoint: Endpoint,
        path: &str,
    ) -> Result<Vec<Request>, FetchError>
    where
        C: Reads<Servers> + Reads<Namespaces> + Reads<LiveJobs>,
    {
        if !self.settings.namespaces.is_all()
            || upstream.get::<Servers>().await.unwrap_or_default().list_everywhere
        {
            return Ok(self.over_namespaces(endpoint, path));
        }
        let (listed, jobs) = (upstream.get::<Namespaces>().await, upstream.get::<LiveJobs>().await);
        let listed = listed.iter().flat_map(|namespaces| &namespaces.names);
        let named = jobs.iter().flat_map(|jobs| jobs.by_namespace.keys());
        let names: BTreeSet<&String> = listed.chain(named).collect();
        if names.is_empty() {
            return Err(FetchError::Needs(CollectorId::Namespaces));
        }
        let request = |name: &String| Request::new(endpoint, path).query("namespace", name);
        Ok(names.into_iter().take(MAX_NAMESPACES).map(request).collect())
    }

    /// Returns the time over which requests to clients are spread. Zero for the first refresh, so that
    /// metrics appear as soon as possible.
    pub(super) fn client_spread(&self, is_first: bool) -> Duration {
        if is_first { Duration::ZERO } else { self.settings.client_spread }
    }

    /// Returns whether a collector is enabled.
    pub(super) fn is_on(&self, id: CollectorId) -> bool {
        self.settings.collectors.contains(id)
    }
}
