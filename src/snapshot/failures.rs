//! How allocations fail, how often tasks are restarted, and how often they are killed because they exceed their memory.

use std::collections::BTreeMap;

use crate::terms::{ByTerm, FailureCause, JobType};

/// Failed allocations by namespace, job type and cause.
pub type ByCause = BTreeMap<String, ByTerm<JobType, ByTerm<FailureCause, u64>>>;

/// Failed allocations that Nomad still retains. What a drain or a preemption killed has not failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FailedAllocations {
    /// How many.
    pub by_namespace: ByCause,
}

/// What was seen to happen to tasks. It only grows while the exporter runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskCounts {
    /// Allocations that failed.
    pub failures: ByCause,
    /// Allocations that failed before they started, by node ID.
    pub start_failures: BTreeMap<String, u64>,
    /// Restarts and kills of all tasks, by namespace.
    pub by_namespace: BTreeMap<String, ByTerm<JobType, TaskCount>>,
    /// The same of each task of the jobs that have series of their own, by namespace and job.
    pub by_job: BTreeMap<String, BTreeMap<String, JobTaskCounts>>,
    /// How many tasks are in there.
    pub tasks: usize,
    /// How many tasks the caps cut, so far.
    pub dropped: u64,
}

/// By task group and task.
pub type JobTaskCounts = BTreeMap<String, BTreeMap<String, TaskCount>>;

/// What happened to tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCount {
    /// How often they were restarted.
    pub restarts: u64,
    /// How often they were killed because they exceeded their memory.
    pub oom_kills: u64,
}

impl TaskCount {
    /// Returns whether nothing happened.
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
