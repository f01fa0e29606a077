//! Waiting evaluations: for capacity (blocked) or for a scheduler (pending).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;

use crate::terms::{BlockReason, ByTerm, JobKey, JobType, hash_of};

/// Blocked and pending evaluations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluations {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, NamespaceEvaluations>,
    /// Jobs with a waiting evaluation, up to the limit.
    pub by_job: HashMap<JobKey, JobEvaluations>,
    /// Waiting jobs of the previous list. Two lists that are read one after the other are not consistent, so
    /// a job that is missing in one of them may just have changed.
    pub waited_before: HashSet<JobKey>,
    /// Minimum Raft index of the lists, if known.
    pub index: Option<u64>,
    /// Hashes of the task groups, including their job, for which constraints exclude every node.
    pub constrained: HashSet<u64>,
    /// Whether jobs beyond the limit are missing.
    pub is_incomplete: bool,
}

/// Waiting evaluations of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceEvaluations {
    /// Number of blocked evaluations.
    pub blocked: ByTerm<JobType, u64>,
    /// Creation time of the oldest blocked evaluation.
    pub oldest_blocked: ByTerm<JobType, Option<SystemTime>>,
    /// Number of blocked evaluations by reason.
    pub by_reason: ByTerm<BlockReason, u64>,
    /// Number of evaluations that wait for a scheduler.
    pub pending: ByTerm<JobType, u64>,
    /// Creation time of the oldest of those.
    pub oldest_pending: ByTerm<JobType, Option<SystemTime>>,
    /// Number of delayed evaluations.
    pub delayed: ByTerm<JobType, u64>,
}

/// Waiting evaluations of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobEvaluations {
    /// Creation time of the oldest one.
    pub oldest: Option<SystemTime>,
    /// Reason why the job waits.
    pub reason: BlockReason,
}

impl JobEvaluations {
    /// Returns whether the job waits for capacity or a scheduler, and is not delayed.
    pub fn waits(&self) -> bool {
        self.reason != BlockReason::Delayed
    }

    /// Adds another evaluation of the job. A blocked one determines the reason, a delayed one only if there
    /// is no other.
    pub fn add(&mut self, other: Self) {
        let rank = |reason: BlockReason| match reason {
            BlockReason::Delayed => 0,
            BlockReason::Scheduling => 1,
            _ => 2,
        };
        if rank(other.reason) >= rank(self.reason) {
            self.reason = other.reason;
        }
        self.oldest = self.oldest.into_iter().chain(other.oldest).min();
    }
}

impl Evaluations {
    /// Returns the evaluations of a job.
    pub fn of(&self, job: JobKey) -> Option<&JobEvaluations> {
        self.by_job.get(&job)
    }

    /// Returns why a job waits; `other` if its evaluations do not show it.
    pub fn reason(&self, namespace: &str, job_id: &str) -> BlockReason {
        self.of(JobKey::new(namespace, job_id)).map_or(BlockReason::Other, |known| known.reason)
    }

    /// Returns whether the queued count of a job's summary is valid: an evaluation of the job is or was just
    /// waiting. A summary that is newer than the list of evaluations counts as valid.
    pub fn confirms(&self, job: JobKey, summary_index: Option<u64>) -> bool {
        let is_younger = self.index.zip(summary_index).is_some_and(|(list, summary)| summary > list);
        self.of(job).is_some_and(JobEvaluations::waits)
            || self.waited_before.contains(&job)
            || is_younger
            || self.is_incomplete
    }

    /// Whether constraints ruled out every node for a task group.
    pub fn is_constrained(&self, job: JobKey, group: &str) -> bool {
        self.constrained.contains(&hash_of((job, group)))
    }

    /// Returns the number of evaluations that wait for a scheduler.
    pub fn pending(&self) -> u64 {
        self.by_namespace.values().flat_map(|counts| counts.pending.iter()).map(|(_, count)| count).sum()
    }
}
