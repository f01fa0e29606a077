//! Jobs, counted.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::age::AgeHistogram;
use crate::terms::{ByTerm, JobStatus, JobType, Outcome, TemplateKind};

/// Jobs that are not dead. Periodic and parameterized parents are templates: Nomad always calls them running,
/// but they are no work, so they are counted apart. Their children are jobs.
#[derive(Clone, Debug, Default)]
pub struct LiveJobs {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, NamespaceJobs>,
    /// The jobs that have been pending longest, oldest first.
    pub oldest_pending: Vec<PendingJob>,
}

/// The live jobs of one namespace.
#[derive(Clone, Debug, Default)]
pub struct NamespaceJobs {
    /// How many.
    pub jobs: ByTerm<JobType, ByTerm<JobStatus, u64>>,
    /// How many templates.
    pub templates: ByTerm<TemplateKind, ByTerm<JobStatus, u64>>,
    /// Submit time of the oldest pending job.
    pub oldest_pending: ByTerm<JobType, Option<SystemTime>>,
    /// How long the pending jobs have waited.
    pub pending_ages: AgeHistogram,
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
#[derive(Clone, Debug, Default)]
pub struct FinishedJobs {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, FinishedNamespace>,
}

/// The dead jobs of one namespace.
#[derive(Clone, Debug, Default)]
pub struct FinishedNamespace {
    /// How they ended.
    pub outcomes: ByTerm<JobType, ByTerm<Outcome, u64>>,
    /// How many stopped templates.
    pub templates: ByTerm<TemplateKind, u64>,
}
