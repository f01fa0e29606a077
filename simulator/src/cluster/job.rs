//! Jobs as the servers keep them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::id::{AllocationId, DeploymentId, EvaluationId};
use super::spec::JobSpec;

/// Which job: IDs are unique within a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// Its namespace.
    pub namespace: String,
    /// Its ID.
    pub id: String,
}

impl JobKey {
    /// The key of a job.
    pub fn new(namespace: &str, id: &str) -> JobKey {
        JobKey { namespace: namespace.to_owned(), id: id.to_owned() }
    }
}

/// What Nomad calls the status of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobStatus {
    /// Something of it waits and nothing of it is placed.
    Pending,
    /// Something of it is placed; also every template that is not stopped.
    Running,
    /// Nothing of it is left to do.
    Dead,
}

impl JobStatus {
    /// Nomad's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Pending => "pending",
            JobStatus::Running => "running",
            JobStatus::Dead => "dead",
        }
    }
}

/// The counts of a task group in a job's summary.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupSummary {
    pub(crate) queued: u32,
    pub(crate) starting: u32,
    pub(crate) running: u32,
    pub(crate) complete: u32,
    pub(crate) failed: u32,
    pub(crate) lost: u32,
    pub(crate) unknown: u32,
}

/// The counts of children in a template's summary. `dead` only grows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChildrenSummary {
    pub(crate) pending: u32,
    pub(crate) running: u32,
    pub(crate) dead: u32,
}

impl ChildrenSummary {
    pub(crate) fn of(&mut self, status: JobStatus) -> &mut u32 {
        match status {
            JobStatus::Pending => &mut self.pending,
            JobStatus::Running => &mut self.running,
            JobStatus::Dead => &mut self.dead,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) key: JobKey,
    pub(crate) spec: Arc<JobSpec>,
    /// The same number for jobs whose instances want the same of a node.
    pub(crate) demand: u64,
    pub(crate) parent: Option<String>,
    pub(crate) dispatched: bool,
    pub(crate) version: u64,
    pub(crate) stop: bool,
    pub(crate) stable: bool,
    pub(crate) status: JobStatus,
    pub(crate) submitted: SystemTime,
    /// When anything of it was last written.
    pub(crate) modified: SystemTime,
    pub(crate) create_index: u64,
    pub(crate) modify_index: u64,
    pub(crate) job_modify_index: u64,
    pub(crate) summary: BTreeMap<String, GroupSummary>,
    pub(crate) children: ChildrenSummary,
    pub(crate) summary_index: u64,
    /// All its allocations that are still remembered, oldest first.
    pub(crate) allocations: Vec<AllocationId>,
    pub(crate) evaluations: BTreeSet<EvaluationId>,
    /// The deployment of its present version.
    pub(crate) deployment: Option<DeploymentId>,
    /// Whether it ever had an evaluation.
    pub(crate) evaluated: bool,
    /// How many of its next allocations are to fail.
    pub(crate) failures_ordered: u32,
    /// Its place in the history.
    pub(crate) record: usize,
}

impl Job {
    /// Whether it does no work itself but launches children.
    pub(crate) fn is_template(&self) -> bool {
        self.spec.is_template()
    }
}
