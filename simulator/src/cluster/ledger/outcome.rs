//! Outcomes of jobs.

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::cluster::allocation::{Allocation, ClientStatus};
use crate::cluster::id::NodeId;
use crate::cluster::job::Job;

/// Outcome of a job: the first match among its allocations, from `Failed` to `Complete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// An allocation failed.
    Failed,
    /// An allocation was lost with its node.
    Lost,
    /// An allocation exceeded `max_run_duration`.
    TimedOut,
    /// An allocation was preempted.
    Preempted,
    /// A drain stopped an allocation.
    Drained,
    /// The job or an allocation was stopped.
    Stopped,
    /// All allocations succeeded.
    Complete,
    /// No allocation is retained.
    Unknown,
}

impl Outcome {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Failed => "failed",
            Outcome::Lost => "lost",
            Outcome::TimedOut => "timeout",
            Outcome::Preempted => "preempted",
            Outcome::Drained => "drained",
            Outcome::Stopped => "stopped",
            Outcome::Complete => "complete",
            Outcome::Unknown => "unknown",
        }
    }

    /// Returns the outcome of an allocation.
    pub(super) fn of(allocation: &Allocation) -> Outcome {
        if allocation.client == ClientStatus::Lost {
            Outcome::Lost
        } else if allocation.preempted_by.is_some() {
            Outcome::Preempted
        } else if allocation.is_drained() {
            Outcome::Drained
        } else if allocation.client == ClientStatus::Failed {
            Outcome::Failed
        } else if allocation.timed_out {
            Outcome::TimedOut
        } else if allocation.stop {
            Outcome::Stopped
        } else {
            Outcome::Complete
        }
    }

    /// Returns the outcome of a job according to its summary, which counts forever.
    pub(in crate::cluster) fn by_summary(job: &Job) -> Outcome {
        if job.stop {
            Outcome::Stopped
        } else if job.summary.values().any(|summary| summary.failed > 0) {
            Outcome::Failed
        } else if job.summary.values().any(|summary| summary.lost > 0) {
            Outcome::Lost
        } else {
            Outcome::Complete
        }
    }
}

impl Cluster {
    /// Returns the outcome of a job: by the newest allocation of each name, of the highest version.
    pub(in crate::cluster) fn outcome_of(&self, job: &Job) -> Outcome {
        if job.stop {
            return Outcome::Stopped;
        }
        let allocations = || job.allocations.iter().filter_map(|id| self.allocations.get(id));
        let version = allocations().map(|allocation| allocation.version).max();
        // On each node, an allocation of the same name counts separately.
        let per_node = job.spec.job_type.is_per_node();
        let instance = |it: &Allocation| -> (String, u32, Option<NodeId>) {
            (it.group.clone(), it.slot, per_node.then_some(it.node))
        };
        let newest: BTreeMap<_, _> =
            allocations().filter(|it| Some(it.version) == version).map(|it| (instance(it), it)).collect();
        newest.into_values().map(Outcome::of).min().unwrap_or(Outcome::Unknown)
    }
}
