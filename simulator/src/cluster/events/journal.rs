//! What an operation writes, by transaction.

use std::collections::BTreeMap;

use crate::cluster::id::{AllocationId, DeploymentId, EvaluationId, NodeId};
use crate::cluster::job::JobKey;
use crate::list::Table;

use super::snapshot::Payload;

/// The Raft message of a write. It is the type of the events.
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

/// Something of which events tell.
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

/// That an object was written.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) index: u64,
    /// 1 for an evaluation that comes with its job: Nomad applies one message in two steps, each with events of its own.
    pub(super) part: u8,
    pub(super) message: Message,
    pub(super) object: Object,
    /// The object as it was, if it is gone.
    pub(super) removed: Option<Payload>,
    order: usize,
}

/// The message whose writes have one index, and that index once there is one.
type Open = Option<(Message, Option<u64>)>;

/// What the operation that goes on has written so far.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Journal {
    /// The newest note of each object: an operation takes no time, so nobody sees what was before.
    notes: BTreeMap<Object, Note>,
    open: Open,
    /// Index, part and message of the newest write.
    newest: Option<(u64, u8, Message)>,
}

impl Journal {
    pub(super) fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// The message that a write of an object belongs to, and its index if it has one already; `None` if the write is a
    /// message of its own.
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

    /// An evaluation is written in the second step of the message that wrote its job.
    pub(in crate::cluster) fn write_second(&mut self, index: u64, message: Message, object: Object) {
        self.newest = Some((index, 1, message));
        self.note(index, 1, message, object);
    }

    pub(super) fn touch(&mut self, index: u64, object: Object) {
        let Some((newest, part, message)) = self.newest else { return };
        let part = if newest == index { part } else { 0 };
        self.note(index, part, message, object);
    }

    /// An object is removed at this index.
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

    /// All notes by transaction.
    pub(super) fn take(&mut self) -> Vec<Note> {
        let mut notes: Vec<Note> = std::mem::take(&mut self.notes).into_values().collect();
        notes.sort_by_key(|note| (note.index, note.part, note.order));
        notes
    }
}
