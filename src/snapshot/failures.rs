//! Failed allocations, task restarts and OOM kills.

use std::collections::BTreeMap;

use crate::terms::{ByTerm, FailureCause, JobType};

/// Failed allocations by namespace, job type and cause.
pub type ByCause = BTreeMap<String, ByTerm<JobType, ByTerm<FailureCause, u64>>>;

/// Failed allocations that Nomad still retains, except those killed by a drain or a preemption.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FailedAllocations {
    /// Counts.
    pub by_namespace: ByCause,
}

/// Counts of task events since the exporter started; they only increase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskCounts {
    /// Failed allocations.
    pub failures: ByCause,
    /// Allocations that failed before they started, by node ID.
    pub start_failures: BTreeMap<String, u64>,
    /// Restarts and kills of all tasks, by namespace.
    pub by_namespace: BTreeMap<String, ByTerm<JobType, TaskCount>>,
    /// The same for each task of jobs with series of their own, by namespace and job.
    pub by_job: BTreeMap<String, BTreeMap<String, JobTaskCounts>>,
    /// Number of these tasks.
    pub tasks: usize,
    /// Number of tasks dropped by limits so far.
    pub dropped: u64,
}

/// By task group and task.
pub type JobTaskCounts = BTreeMap<String, BTreeMap<String, TaskCount>>;

/// Event counts of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCount {
    /// Number of restarts.
    pub restarts: u64,
    /// Number of OOM kills.
    pub oom_kills: u64,
}

impl TaskCount {
    /// Returns whether all counts are zero.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl std::ops::AddAssign for TaskCount {
    fn add_assign(&mut self, other: Self) {
        self.restarts += other.restarts;
        self.oom_kills += other.oom_kills;
    }
}
