//! Jobs in the servers' state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::id::{AllocationId, DeploymentId, EvaluationId};
use super::spec::JobSpec;

/// Identifies a job: IDs are unique within a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// Its namespace.
    pub namespace: String,
    /// Its ID.
    pub id: String,
}

impl JobKey {
    /// Returns the key of a job.
    pub fn new(namespace: &str, id: &str) -> JobKey {
        JobKey { namespace: namespace.to_owned(), id: id.to_owned() }
    }
}

/// Status of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobStatus {
    /// An evaluation waits, and nothing is placed.
    Pending,
    /// An allocation is placed; also every parent that is not stopped.
    Running,
    /// Nothing is left to do.
    Dead,
}

impl JobStatus {
    /// Returns Nomad's name of the status.
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

/// The counts of children in a parent's summary. `dead` only increases.
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
    /// The same number for jobs with the same requests and constraints.
    pub(crate) demand: u64,
    pub(crate) parent: Option<String>,
    pub(crate) dispatched: bool,
    pub(crate) version: u64,
    pub(crate) stop: bool,
    pub(crate) stable: bool,
    pub(crate) status: JobStatus,
    pub(crate) submitted: SystemTime,
    /// When any part of it was last written.
    pub(crate) modified: SystemTime,
    pub(crate) create_index: u64,
    pub(crate) modify_index: u64,
    pub(crate) job_modify_index: u64,
    pub(crate) summary: BTreeMap<String, GroupSummary>,
    pub(crate) children: ChildrenSummary,
    pub(crate) summary_index: u64,
    /// Its retained allocations, oldest first.
    pub(crate) allocations: Vec<AllocationId>,
    pub(crate) evaluations: BTreeSet<EvaluationId>,
    /// The deployment of its current version.
    pub(crate) deployment: Option<DeploymentId>,
    /// Whether it ever had an evaluation.
    pub(crate) evaluated: bool,
    /// Number of next allocations that must fail.
    pub(crate) failures_ordered: u32,
    /// Its index in the history.
    pub(crate) record: usize,
}

impl Job {
    /// Returns a copy without its summary, allocations and evaluations.
    pub(super) fn alone(&self) -> Job {
        Job {
            key: self.key.clone(),
            spec: Arc::clone(&self.spec),
            parent: self.parent.clone(),
            summary: BTreeMap::new(),
            allocations: Vec::new(),
            evaluations: BTreeSet::new(),
            ..*self
        }
    }

    /// Returns whether it is a parent, which only launches children.
    pub(crate) fn is_template(&self) -> bool {
        self.spec.is_template()
    }
}
