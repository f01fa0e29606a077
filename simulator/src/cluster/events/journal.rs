//! The writes of an operation, by transaction.

use std::collections::BTreeMap;

use crate::cluster::id::{AllocationId, DeploymentId, EvaluationId, NodeId};
use crate::cluster::job::JobKey;
use crate::list::Table;

use super::snapshot::Payload;

/// Type of the Raft message of a write. It determines the type of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    NodeRegistration,
    NodeDeregistration,
    NodeEvent,
    NodeEligibility,
    NodeDrain,
    NodePoolUpserted,
    JobRegistered,
    JobDeregistered,
    JobBatchDeregistered,
    EvaluationUpdated,
    AllocationUpdated,
    AllocationUpdateDesiredStatus,
    PlanResult,
    DeploymentStatusUpdate,
}

/// Identifies an object that events report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cluster) enum Object {
    Job(JobKey),
    Node(NodeId),
    NodePool(String),
    Allocation(AllocationId),
    Evaluation(EvaluationId),
    Deployment(DeploymentId),
}

impl Object {
    pub(in crate::cluster) fn table(&self) -> Table {
        match self {
            Object::Job(_) => Table::Jobs,
            Object::Node(_) => Table::Nodes,
            Object::NodePool(_) => Table::NodePools,
            Object::Allocation(_) => Table::Allocations,
            Object::Evaluation(_) => Table::Evaluations,
            Object::Deployment(_) => Table::Deployments,
        }
    }
}

/// Record of the last write of an object.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) index: u64,
    /// 1 for an evaluation that is written with its job, 0 otherwise. Nomad applies such a message in two
    /// steps, each with its own events.
    pub(super) part: u8,
    pub(super) message: Message,
    pub(super) object: Object,
    /// The object before it was removed; `None` if it was not removed.
    pub(super) removed: Option<Payload>,
    order: usize,
}

/// The message whose writes share an index, and that index once it is assigned.
type Open = Option<(Message, Option<u64>)>;

/// Writes of the current operation so far.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Journal {
    /// The latest note of each object. An operation takes no simulated time, so intermediate states are never
    /// visible to readers.
    notes: BTreeMap<Object, Note>,
    open: Open,
    /// Index, part and message of the latest write.
    newest: Option<(u64, u8, Message)>,
}

impl Journal {
    pub(super) fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// Returns the open message that a write of an object belongs to, and the index of the message if it
    /// already has one; `None` if the write is a message of its own.
    pub(super) fn shared(&self, message: Message, object: &Object) -> Option<(Option<u64>, Message)> {
        let (open, index) = self.open?;
        let belongs = matches!(object, Object::Allocation(_) | Object::Deployment(_)) || message == open;
        belongs.then_some((index, open))
    }

    pub(super) fn begin(&mut self, message: Message) -> Open {
        self.open.replace((message, None))
    }

    pub(super) fn end(&mut self, outer: Open) {
        self.open = outer;
    }

    pub(super) fn write(&mut self, index: u64, message: Message, object: Object) {
        if let Some((open, shared)) = &mut self.open
            && *open == message
        {
            *shared = Some(index);
        }
        self.newest = Some((index, 0, message));
        self.note(index, 0, message, object);
    }

    /// Records an evaluation in the second step of the message that wrote its job.
    pub(in crate::cluster) fn write_second(&mut self, index: u64, message: Message, object: Object) {
        self.newest = Some((index, 1, message));
        self.note(index, 1, message, object);
    }

    pub(super) fn touch(&mut self, index: u64, object: Object) {
        let Some((newest, part, message)) = self.newest else { return };
        let part = if newest == index { part } else { 0 };
        self.note(index, part, message, object);
    }

    /// Marks a written object as removed, and keeps its state from before the removal.
    pub(in crate::cluster) fn remove(&mut self, object: &Object, was: Payload) {
        if let Some(note) = self.notes.get_mut(object) {
            note.removed = Some(was);
        }
    }

    fn note(&mut self, index: u64, part: u8, message: Message, object: Object) {
        if self.notes.get(&object).is_some_and(|note| note.index >= index) {
            return;
        }
        let order = self.notes.len();
        let note = Note { index, part, message, object: object.clone(), removed: None, order };
        self.notes.insert(object, note);
    }

    /// Returns and clears all notes, ordered by transaction.
    pub(super) fn take(&mut self) -> Vec<Note> {
        let mut notes: Vec<Note> = std::mem::take(&mut self.notes).into_values().collect();
        notes.sort_by_key(|note| (note.index, note.part, note.order));
        notes
    }
}
