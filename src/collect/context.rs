//! What every collector is given.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use regex::RegexSet;

use super::chosen::LabelSettings;
use super::collector::{Newest, Reads};
use super::events::Events;
use super::report::FetchError;
use crate::nomad::{Client, Endpoint, Request};
use crate::snapshot::{CollectorId, LiveJobs, Namespaces, Scope, Servers};
use crate::terms::{JobType, TermSet};

/// How many namespaces are asked one by one where the servers cannot list them at once.
const MAX_NAMESPACES: usize = 200;

/// How to collect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The collectors that are on.
    pub collectors: TermSet<CollectorId>,
    /// Changes of state that are logged of one collector in 10 minutes.
    pub logged_changes: u32,
    /// How often live collectors are read.
    pub interval: Duration,
    /// How often history collectors are read.
    pub history_interval: Duration,
    /// What share of the time one collector may cost.
    pub duty_cycle: f64,
    /// Whether Nomad's event stream is read.
    pub events: bool,
    /// How often clients are asked.
    pub client_interval: Duration,
    /// Over how much of that the requests are spread.
    pub client_spread: Duration,
    /// After how many intervals without success the sections of a collector expire.
    pub max_age_intervals: u32,
    /// The namespaces to read.
    pub namespaces: Scope,
    /// How many of the oldest pending jobs are named.
    pub pending_jobs: usize,
    /// How many of the longest running builds are named.
    pub running_jobs: usize,
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
    /// Which metadata and attributes become labels.
    pub labels: LabelSettings,
}

#[cfg(test)]
impl Settings {
    /// Settings for tests, with these collectors.
    pub(super) fn of(collectors: TermSet<CollectorId>) -> Self {
        Self {
            collectors,
            logged_changes: 20,
            interval: Duration::from_secs(15),
            history_interval: Duration::from_secs(60),
            duty_cycle: 0.05,
            events: false,
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
    /// What the event stream names as changed.
    pub events: Events,
    /// How to collect.
    pub settings: Settings,
    /// Tells the time; tests stop it.
    pub now: fn() -> SystemTime,
}

impl Context {
    /// Requests for a list over the configured namespaces.
    pub(super) fn over_namespaces(&self, endpoint: Endpoint, path: &str) -> Vec<Request> {
        let request = |name: &String| Request::new(endpoint, path).query("namespace", name);
        self.settings.namespaces.names().iter().map(request).collect()
    }

    /// The same for jobs, with their metadata if any of it becomes a label.
    pub(super) fn over_jobs(&self) -> Vec<Request> {
        let requests = self.over_namespaces(Endpoint::Jobs, "/v1/jobs");
        if self.settings.labels.job_meta.is_empty() {
            return requests;
        }
        requests.into_iter().map(|request| request.query("meta", "true")).collect()
    }

    /// The same for lists that know no `*` before Nomad 1.2.4: there, one request for each known namespace.
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

    /// Over how long requests to clients are spread: not at all the first time, when there is nothing to show yet.
    pub(super) fn client_spread(&self, is_first: bool) -> Duration {
        if is_first { Duration::ZERO } else { self.settings.client_spread }
    }

    /// Whether a collector is on.
    pub(super) fn is_on(&self, id: CollectorId) -> bool {
        self.settings.collectors.contains(id)
    }
}
