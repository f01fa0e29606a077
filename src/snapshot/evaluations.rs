//! Evaluations that wait: for room in the cluster (blocked) or for a scheduler (pending).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;

use crate::terms::{BlockReason, ByTerm, JobKey, JobType, hash_of};

/// Blocked and pending evaluations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluations {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, NamespaceEvaluations>,
    /// What is known of each job that has one, as many as the cap allows.
    pub by_job: HashMap<JobKey, JobEvaluations>,
    /// Jobs that the list before showed waiting: two lists that are read one after the other do not fit together, and
    /// what one of them lacks once may be under way.
    pub waited_before: HashSet<JobKey>,
    /// The Raft index that the lists have at least, if it is known.
    pub index: Option<u64>,
    /// The hashes of the task groups, with their job, for which constraints ruled out every node.
    pub constrained: HashSet<u64>,
    /// Whether the cap cut some jobs, so that absence means nothing.
    pub is_incomplete: bool,
}

/// The waiting evaluations of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceEvaluations {
    /// How many are blocked.
    pub blocked: ByTerm<JobType, u64>,
    /// When the oldest of them was created.
    pub oldest_blocked: ByTerm<JobType, Option<SystemTime>>,
    /// In how many of them each reason occurs.
    pub by_reason: ByTerm<BlockReason, u64>,
    /// How many wait for a scheduler.
    pub pending: ByTerm<JobType, u64>,
    /// When the oldest of those was created.
    pub oldest_pending: ByTerm<JobType, Option<SystemTime>>,
    /// How many are not to be processed yet.
    pub delayed: ByTerm<JobType, u64>,
}

/// What the evaluations of one job that are not terminal tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobEvaluations {
    /// When the oldest of them was created.
    pub oldest: Option<SystemTime>,
    /// Why the job waits.
    pub reason: BlockReason,
}

impl JobEvaluations {
    /// Whether the job waits for room or for a scheduler, and is not delayed.
    pub fn waits(&self) -> bool {
        self.reason != BlockReason::Delayed
    }

    /// Adds what another evaluation of the job tells. A blocked one says most, a delayed one least.
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
    /// What is known of a job.
    pub fn of(&self, job: JobKey) -> Option<&JobEvaluations> {
        self.by_job.get(&job)
    }

    /// Why a job waits; `other` when none of its evaluations tells.
    pub fn reason(&self, namespace: &str, job_id: &str) -> BlockReason {
        self.of(JobKey::new(namespace, job_id)).map_or(BlockReason::Other, |known| known.reason)
    }

    /// Whether what the job's summary calls queued is queued: an evaluation of the job waits, or did a moment ago. A
    /// summary that is younger than the list of evaluations cannot be refuted by it.
    pub fn confirms(&self, job: JobKey, summary_index: Option<u64>) -> bool {
        let is_younger = self.index.zip(summary_index).is_some_and(|(list, summary)| summary > list);
        self.of(job).is_some_and(JobEvaluations::waits)
            || self.waited_before.contains(&job)
            || is_younger
            || self.is_incomplete
    }

    /// Whether some are not to be processed yet.
    pub fn has_delayed(&self) -> bool {
        self.by_namespace.values().flat_map(|counts| counts.delayed.iter()).any(|(_, count)| *count > 0)
    }

    /// Whether constraints ruled out every node for a task group.
    pub fn is_constrained(&self, job: JobKey, group: &str) -> bool {
        self.constrained.contains(&hash_of((job, group)))
    }

    /// How many evaluations wait for a scheduler.
    pub fn pending(&self) -> u64 {
        self.by_namespace.values().flat_map(|counts| counts.pending.iter()).map(|(_, count)| count).sum()
    }
}
