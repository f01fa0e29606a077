//! History that garbage collection does not affect.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::cluster::allocation::Allocation;
use crate::cluster::job::JobKey;
use crate::cluster::spec::{Cause, JobType};

use super::Outcome;

/// When and how a job became dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// When it became dead.
    pub time: SystemTime,
    /// Its outcome.
    pub outcome: Outcome,
    /// The outcome according to the job's summary, which counts forever: only stopped, failed, lost or
    /// complete.
    pub by_summary: Outcome,
}

/// History of one submission of a job.
#[derive(Clone, Debug)]
pub struct JobRecord {
    /// The job.
    pub key: JobKey,
    /// Its type.
    pub job_type: JobType,
    /// Its parent.
    pub parent: Option<String>,
    /// When it was submitted.
    pub submitted: SystemTime,
    /// When its first allocation was placed.
    pub first_placed: Option<SystemTime>,
    /// When and how it became dead, if it is. A purge is not an end.
    pub completion: Option<Completion>,
    /// Whether it has left the lists.
    pub purged: bool,
    /// Number of its failed allocations.
    pub failed_allocations: u32,
    /// Number of its lost allocations.
    pub lost_allocations: u32,
    pub(super) template: bool,
}

/// A task of a job, in any of its allocations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskKey {
    /// The job.
    pub job: JobKey,
    /// Its type.
    pub job_type: JobType,
    /// Its group.
    pub group: String,
    /// The task's name.
    pub task: String,
}

/// Time from the creation of an allocation to its first running task.
#[derive(Clone, Debug)]
pub struct Start {
    /// The namespace of its job.
    pub namespace: String,
    /// The type of its job.
    pub job_type: JobType,
    /// When it was placed.
    pub created: SystemTime,
    /// When its first task started.
    pub started: SystemTime,
}

/// Complete history.
#[derive(Debug, Default)]
pub(in crate::cluster) struct History {
    pub(super) jobs: Vec<JobRecord>,
    pub(super) starts: Vec<Start>,
    pub(super) failures: BTreeMap<(String, JobType, &'static str), usize>,
    pub(super) restarts: BTreeMap<TaskKey, usize>,
    pub(super) oom_kills: BTreeMap<TaskKey, usize>,
}

impl History {
    /// Adds a record, and returns its index.
    pub(in crate::cluster) fn submitted(
        &mut self,
        key: &JobKey,
        job_type: JobType,
        parent: Option<&str>,
        template: bool,
        time: SystemTime,
    ) -> usize {
        self.jobs.push(JobRecord {
            key: key.clone(),
            job_type,
            parent: parent.map(str::to_owned),
            submitted: time,
            first_placed: None,
            completion: None,
            purged: false,
            failed_allocations: 0,
            lost_allocations: 0,
            template,
        });
        self.jobs.len() - 1
    }

    pub(in crate::cluster) fn placed(&mut self, record: usize, time: SystemTime) {
        if let Some(record) = self.jobs.get_mut(record) {
            record.first_placed.get_or_insert(time);
        }
    }

    pub(in crate::cluster) fn count(&mut self, record: usize, failed: u32, lost: u32) {
        if let Some(record) = self.jobs.get_mut(record) {
            record.failed_allocations = failed;
            record.lost_allocations = lost;
        }
    }

    /// Records that a job became dead, or is no longer dead.
    pub(in crate::cluster) fn completed(&mut self, record: usize, completion: Option<Completion>) {
        if let Some(record) = self.jobs.get_mut(record) {
            record.completion = completion;
        }
    }

    pub(in crate::cluster) fn purged(&mut self, record: usize) {
        if let Some(record) = self.jobs.get_mut(record) {
            record.purged = true;
        }
    }

    /// Records that the first task of an allocation has started.
    pub(in crate::cluster) fn started(&mut self, allocation: &Allocation, time: SystemTime) {
        self.starts.push(Start {
            namespace: allocation.job.namespace.clone(),
            job_type: allocation.spec.job_type,
            created: allocation.created,
            started: time,
        });
    }

    /// Counts a failed task that its client restarts.
    pub(in crate::cluster) fn restarted(&mut self, allocation: &Allocation, task: &str, cause: Cause) {
        *self.restarts.entry(task_key(allocation, task)).or_default() += 1;
        self.task_failed(allocation, task, cause);
    }

    /// Counts a failed task, whether or not it is restarted.
    pub(in crate::cluster) fn task_failed(&mut self, allocation: &Allocation, task: &str, cause: Cause) {
        if cause == Cause::OutOfMemory {
            *self.oom_kills.entry(task_key(allocation, task)).or_default() += 1;
        }
    }

    /// Counts a failed allocation. Allocations that were stopped for another reason do not count, even if
    /// their client reports them as failed.
    pub(in crate::cluster) fn allocation_failed(&mut self, allocation: &Allocation) {
        if let Some(key) = failure(allocation) {
            *self.failures.entry(key).or_default() += 1;
        }
    }
}

/// Returns namespace, type and cause, if it is a failure.
pub(super) fn failure(allocation: &Allocation) -> Option<(String, JobType, &'static str)> {
    let stopped = allocation.is_drained() || allocation.preempted_by.is_some();
    let cause = allocation.cause.filter(|_| !stopped)?;
    Some((allocation.job.namespace.clone(), allocation.spec.job_type, cause.as_str()))
}

fn task_key(allocation: &Allocation, task: &str) -> TaskKey {
    TaskKey {
        job: allocation.job.clone(),
        job_type: allocation.spec.job_type,
        group: allocation.group.clone(),
        task: task.to_owned(),
    }
}
