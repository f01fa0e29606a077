//! What is due, and when.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::id::{AllocationId, DeploymentId, EvaluationId, NodeId};
use super::job::JobKey;

/// Something that happens by itself. Each checks, when its time has come, whether it still makes sense.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A scheduler takes an evaluation.
    Evaluate(EvaluationId),
    /// Schedulers try the blocked evaluations again.
    Unblock,
    /// A client takes the next step with an allocation, if it has not changed its plan since.
    Client(AllocationId, u32),
    /// An allocation has run long enough to count as healthy.
    Healthy(AllocationId),
    /// A deployment should have made progress by now.
    ProgressDeadline(DeploymentId),
    /// A drain must be over, if it is still the one that started then.
    DrainDeadline(NodeId, SystemTime),
    /// A periodic job launches a child.
    Launch(JobKey),
    /// Old objects are forgotten.
    CollectGarbage,
}

/// The events to come, in order; those of the same moment in the order they were entered.
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

    /// The next event due by `end`.
    pub(super) fn next_by(&mut self, end: SystemTime) -> Option<(SystemTime, Event)> {
        let first = self.events.first_entry().filter(|entry| entry.key().0 <= end)?;
        let at = first.key().0;
        Some((at, first.remove()))
    }
}
