//! Counts of jobs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use super::demand::Queue;
use super::named::NamedJobs;
use super::observed::Histogram;
use super::periodic::PeriodicJobs;
use crate::terms::{ByTerm, JobKey, JobStatus, JobType, Outcome, TemplateKind};

/// Bucket bounds of pending ages, in seconds.
pub const AGE_BOUNDS_SECONDS: [f64; 10] =
    [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 14400.0];

/// Jobs that are not dead. Periodic and parameterized parents are counted separately, because Nomad always
/// reports them as running although they run nothing. Their children are jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveJobs {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, NamespaceJobs>,
    /// The jobs that have been pending longest, oldest first, up to the limit.
    pub oldest_pending: Vec<PendingJob>,
    /// Pending jobs that ran before: they wait since the creation of their evaluation, not since their
    /// submission.
    pub pending_again: Vec<PendingJob>,
    /// When the list was read, if there are jobs in `pending_again`. Otherwise `None`, so that the same list
    /// is an equal value.
    pub read_at: Option<SystemTime>,
    /// Maximum number of the oldest pending jobs.
    pub max_oldest: usize,
    /// Queued allocations, by the specification with their requests.
    pub queue: Queue,
    /// Jobs with series of their own.
    pub named: NamedJobs,
    /// Periodic parents, up to the limit of jobs with series of their own.
    pub periodic: PeriodicJobs,
}

/// Live jobs of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceJobs {
    /// Number of jobs.
    pub jobs: ByTerm<JobType, ByTerm<JobStatus, u64>>,
    /// Number of periodic and parameterized parents.
    pub templates: ByTerm<TemplateKind, ByTerm<JobStatus, u64>>,
    /// Ages of the jobs that are pending for the first time.
    pub pending: PendingJobs,
    /// Node pools of its jobs.
    pub pools: BTreeSet<String>,
}

/// Ages of the pending jobs of a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PendingJobs {
    /// Since when the oldest job has been waiting.
    pub oldest: ByTerm<JobType, Option<SystemTime>>,
    /// Age of each job.
    pub ages: Histogram<{ AGE_BOUNDS_SECONDS.len() }>,
}

impl PendingJobs {
    /// Adds a job that has been waiting since then. With clock skew, the time may be in the future; the age
    /// is then 0.
    pub fn add(&mut self, job_type: JobType, since: SystemTime, now: SystemTime) {
        let oldest = &mut self.oldest[job_type];
        *oldest = oldest.iter().copied().chain([since]).min();
        self.observe(since, now);
    }

    /// Updates the ages of the same jobs.
    pub fn age(&mut self, since: &[SystemTime], now: SystemTime) {
        self.ages = Histogram::default();
        for since in since {
            self.observe(*since, now);
        }
    }

    fn observe(&mut self, since: SystemTime, now: SystemTime) {
        self.ages.observe(&AGE_BOUNDS_SECONDS, now.duration_since(since).unwrap_or_default());
    }
}

/// A pending job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingJob {
    /// Since when it has been waiting; its submission, if it has not run before.
    pub since: SystemTime,
    /// Its namespace.
    pub namespace: String,
    /// Its ID.
    pub id: String,
    /// Its type.
    pub job_type: JobType,
}

/// Dead jobs that Nomad still retains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishedJobs {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, FinishedNamespace>,
    /// Each of them, sorted by key.
    pub jobs: Vec<DeadJob>,
    /// Names of the namespaces to which jobs refer by index.
    pub namespaces: Vec<String>,
    /// Number of lists that have been read, including this one.
    pub list: u64,
    /// Jobs with an unknown outcome, with the number of the list in which they were first dead.
    pub unsettled: HashMap<JobKey, u64>,
    /// Jobs started by a periodic parent, and the parent.
    pub periodic: Vec<(DeadJob, Box<str>)>,
    /// Dead jobs with series of their own, and the ended allocations of children.
    pub named: NamedJobs,
}

impl FinishedJobs {
    /// Returns whether it contains a job with this key.
    pub fn contains(&self, key: JobKey) -> bool {
        self.jobs.binary_search_by_key(&key, |job| job.key).is_ok()
    }
}

/// A dead job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadJob {
    /// Its key.
    pub key: JobKey,
    /// When it was created. Earlier allocations belong to a previous job with the same ID.
    pub create_index: Option<u64>,
    /// Index of its namespace.
    pub namespace: u32,
    /// Its type.
    pub job_type: JobType,
    /// Whether somebody stopped it.
    pub stopped: bool,
    /// Outcome according to its summary.
    pub summarized: Outcome,
}

/// Dead jobs of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishedNamespace {
    /// Number of jobs.
    pub jobs: ByTerm<JobType, u64>,
    /// Number of stopped periodic and parameterized parents.
    pub templates: ByTerm<TemplateKind, u64>,
}
