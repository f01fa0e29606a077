//! Jobs, counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use super::demand::Queue;
use super::named::NamedJobs;
use super::observed::Histogram;
use super::periodic::PeriodicJobs;
use crate::terms::{ByTerm, JobKey, JobStatus, JobType, Outcome, TemplateKind};

/// Upper bounds of the buckets of pending ages, in seconds.
pub const AGE_BOUNDS_SECONDS: [f64; 10] =
    [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 14400.0];

/// Jobs that are not dead. Periodic and parameterized parents are templates: Nomad always calls them running,
/// but they are no work, so they are counted apart. Their children are jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveJobs {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, NamespaceJobs>,
    /// The jobs that have been pending longest, oldest first, as many as the cap allows.
    pub oldest_pending: Vec<PendingJob>,
    /// Pending jobs that ran before: they wait since their evaluation was created, and not since they were submitted.
    pub pending_again: Vec<PendingJob>,
    /// When the list was read, if a job is pending again; else the same list is the same value.
    pub read_at: Option<SystemTime>,
    /// How many of the oldest pending jobs are named.
    pub max_oldest: usize,
    /// What is queued, by the specification that tells what it requests.
    pub queue: Queue,
    /// Jobs that have series of their own.
    pub named: NamedJobs,
    /// Periodic parents, as many as may have series of their own.
    pub periodic: PeriodicJobs,
}

/// The live jobs of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceJobs {
    /// How many.
    pub jobs: ByTerm<JobType, ByTerm<JobStatus, u64>>,
    /// How many templates.
    pub templates: ByTerm<TemplateKind, ByTerm<JobStatus, u64>>,
    /// How long those that are pending for the first time have waited.
    pub pending: PendingJobs,
    /// The node pools of its jobs.
    pub pools: BTreeSet<String>,
}

/// How long the pending jobs of a namespace have waited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PendingJobs {
    /// Since when the oldest has waited.
    pub oldest: ByTerm<JobType, Option<SystemTime>>,
    /// How long each has waited.
    pub ages: Histogram<{ AGE_BOUNDS_SECONDS.len() }>,
}

impl PendingJobs {
    /// Adds a job that has waited since then. Clocks differ: a job from the future has not waited yet.
    pub fn add(&mut self, job_type: JobType, since: SystemTime, now: SystemTime) {
        let oldest = &mut self.oldest[job_type];
        *oldest = oldest.iter().copied().chain([since]).min();
        self.ages.observe(&AGE_BOUNDS_SECONDS, now.duration_since(since).unwrap_or_default());
    }

    /// Says anew how long the same jobs have waited.
    pub fn age(&mut self, since: &[SystemTime], now: SystemTime) {
        self.ages = Histogram::default();
        for since in since {
            self.ages.observe(&AGE_BOUNDS_SECONDS, now.duration_since(*since).unwrap_or_default());
        }
    }
}

/// One pending job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingJob {
    /// Since when it has waited: since it was submitted, if it runs for the first time.
    pub since: SystemTime,
    /// Its namespace.
    pub namespace: String,
    /// Its ID.
    pub id: String,
    /// Its scheduler.
    pub job_type: JobType,
}

/// Dead jobs that Nomad still retains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishedJobs {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, FinishedNamespace>,
    /// Each of them.
    pub jobs: Vec<DeadJob>,
    /// The namespaces that they name by place.
    pub namespaces: Vec<String>,
    /// How many lists were read to their end, this one included.
    pub list: u64,
    /// Jobs that were first seen dead in the list of this number, as long as it is not known how they ended.
    pub unsettled: HashMap<JobKey, u64>,
    /// Those of them that the clock started: the place of each, and its parent.
    pub periodic: Vec<(u32, Box<str>)>,
    /// Dead jobs that have series of their own, and what ended of children.
    pub named: NamedJobs,
}

/// A dead job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadJob {
    /// Which one.
    pub key: JobKey,
    /// When it was created: allocations before that are of another job of its ID.
    pub create_index: Option<u64>,
    /// The place of its namespace.
    pub namespace: u32,
    /// Its scheduler.
    pub job_type: JobType,
    /// Whether somebody stopped it.
    pub stopped: bool,
    /// How it ended by its own account.
    pub summarized: Outcome,
}

/// The dead jobs of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishedNamespace {
    /// How many.
    pub jobs: ByTerm<JobType, u64>,
    /// How many stopped templates.
    pub templates: ByTerm<TemplateKind, u64>,
}
