//! Scheduled events.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::id::{AllocationId, DeploymentId, EvaluationId, NodeId};
use super::job::JobKey;

/// A scheduled event. When it is due, the cluster checks whether it still applies.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A scheduler processes an evaluation.
    Evaluate(EvaluationId),
    /// Schedulers retry the blocked evaluations.
    Unblock,
    /// A client takes the next step with an allocation, unless a newer plan exists.
    Client(AllocationId, u32),
    /// An allocation has run long enough to be healthy.
    Healthy(AllocationId),
    /// The progress deadline of a deployment has passed.
    ProgressDeadline(DeploymentId),
    /// The deadline of a drain has passed, unless the drain was replaced by a newer one.
    DrainDeadline(NodeId, SystemTime),
    /// A periodic job launches a child.
    Launch(JobKey),
    /// Garbage collection runs.
    CollectGarbage,
}

/// Future events by time. Events with the same time are in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    events: BTreeMap<(SystemTime, u64), Event>,
    entered: u64,
}

impl Agenda {
    pub(super) fn enter(&mut self, at: SystemTime, event: Event) {
        self.entered += 1;
        self.events.insert((at, self.entered), event);
    }

    /// Returns the next event that is due by `end`.
    pub(super) fn next_by(&mut self, end: SystemTime) -> Option<(SystemTime, Event)> {
        let first = self.events.first_entry().filter(|entry| entry.key().0 <= end)?;
        let at = first.key().0;
        Some((at, first.remove()))
    }
}
