//! Jobs, counted.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::demand::Queue;
use super::named::NamedJobs;
use super::observed::Histogram;
use crate::terms::{ByTerm, JobStatus, JobType, Outcome, TemplateKind};

/// Upper bounds of the buckets of pending ages, in seconds.
pub const AGE_BOUNDS_SECONDS: [f64; 10] =
    [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 14400.0];

/// Jobs that are not dead. Periodic and parameterized parents are templates: Nomad always calls them running,
/// but they are no work, so they are counted apart. Their children are jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveJobs {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, NamespaceJobs>,
    /// The jobs that have been pending longest, oldest first.
    pub oldest_pending: Vec<PendingJob>,
    /// What is queued, by the specification that tells what it asks for.
    pub queue: Queue,
    /// Jobs that have series of their own.
    pub named: NamedJobs,
}

/// The live jobs of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceJobs {
    /// How many.
    pub jobs: ByTerm<JobType, ByTerm<JobStatus, u64>>,
    /// How many templates.
    pub templates: ByTerm<TemplateKind, ByTerm<JobStatus, u64>>,
    /// Submit time of the oldest pending job.
    pub oldest_pending: ByTerm<JobType, Option<SystemTime>>,
    /// How long the pending jobs have waited.
    pub pending_ages: Histogram<{ AGE_BOUNDS_SECONDS.len() }>,
    /// Instances that should run and are not placed, by node pool. A pool is named even when nothing is queued.
    pub queued: BTreeMap<String, ByTerm<JobType, u64>>,
}

/// One pending job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingJob {
    /// When it was submitted.
    pub submitted: SystemTime,
    /// Its namespace.
    pub namespace: String,
    /// Its ID.
    pub id: String,
}

/// Dead jobs that Nomad still retains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishedJobs {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, FinishedNamespace>,
    /// Dead jobs that have series of their own, and what ended of children.
    pub named: NamedJobs,
}

/// The dead jobs of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishedNamespace {
    /// How they ended.
    pub outcomes: ByTerm<JobType, ByTerm<Outcome, u64>>,
    /// How many stopped templates.
    pub templates: ByTerm<TemplateKind, u64>,
}
