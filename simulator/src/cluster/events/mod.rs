//! The event stream: the writes of each transaction, and the readers of the stream.
//!
//! A write notes its object in the [`Journal`]. After the operation, [`Cluster::commit`] turns the notes into
//! [`Transaction`]s, which contain copies of the objects at that time. The [`Broker`] keeps the latest
//! transactions for readers.

mod broker;
mod journal;
mod snapshot;

pub(crate) use broker::{Broker, Next, ReaderId};
pub(crate) use journal::Message;
pub(super) use journal::{Journal, Object};
pub(crate) use snapshot::{Payload, Published, Transaction};

use crate::list::Table;
use crate::version::since;

use super::Cluster;

impl Cluster {
    /// Records a write of an object and returns its index. Writes of one [`Cluster::together`] share an
    /// index.
    pub(super) fn write(&mut self, message: Message, object: Object) -> u64 {
        let (index, message) = match self.journal.shared(message, &object) {
            Some((index, message)) => (index.unwrap_or_else(|| self.next_index()), message),
            None => (self.next_index(), message),
        };
        self.written(object.table(), index);
        self.journal.write(index, message, object);
        index
    }

    /// Records a write that causes no event, and returns its index.
    pub(super) fn write_unseen(&mut self, table: Table) -> u64 {
        let index = self.next_index();
        self.written(table, index);
        index
    }

    /// Returns the next index. Writes increase the index only here.
    pub(super) fn next_index(&mut self) -> u64 {
        self.index += 1;
        self.index
    }

    /// Makes the indexes of all later writes higher than this one.
    pub(crate) fn begin_at(&mut self, index: u64) {
        self.index = self.index.max(index);
    }

    /// Records that a table was written at this index.
    pub(super) fn written(&mut self, table: Table, index: u64) {
        let newest = self.indexes.entry(table).or_default();
        *newest = index.max(*newest);
    }

    /// Records that the latest write also changed this object.
    pub(super) fn touch(&mut self, object: Object) {
        self.journal.touch(self.index, object);
    }

    /// Runs `work` as one Raft message: the allocations and deployments that it writes share an index.
    pub(super) fn together<Done>(
        &mut self,
        message: Message,
        work: impl FnOnce(&mut Cluster) -> Done,
    ) -> Done {
        let outer = self.journal.begin(message);
        let done = work(self);
        self.journal.end(outer);
        done
    }

    /// Publishes the writes of the previous operation. Every operation calls this first.
    pub(crate) fn commit(&mut self) {
        if self.journal.is_empty() {
            return;
        }
        let notes = self.journal.take();
        if !self.broker.is_on() {
            return;
        }
        let mut lines: Vec<Transaction> = Vec::new();
        let mut line = None;
        for note in notes {
            let Some(payload) = self.payload(&note.object, note.removed) else { continue };
            if line != Some((note.index, note.part)) {
                line = Some((note.index, note.part));
                lines.push(Transaction { index: note.index, message: note.message, events: Vec::new() });
            }
            if let Some(last) = lines.last_mut() {
                last.events.push(payload);
            }
        }
        for transaction in lines {
            self.broker.publish(transaction);
        }
    }

    /// Returns the current state of an object, or its state before it was removed.
    fn payload(&self, object: &Object, removed: Option<Payload>) -> Option<Published> {
        let deleted = removed.is_some();
        let payload = removed.or_else(|| match object {
            Object::Job(key) => self.jobs.get(key).map(|job| Payload::Job(Box::new(job.alone()))),
            Object::Node(id) => self.nodes.get(id).map(|node| Payload::Node(Box::new(node.alone()))),
            Object::NodePool(name) => {
                let pool = self.pools.get(name).filter(|_| self.version() >= since::NODE_POOLS)?;
                Some(Payload::NodePool(name.clone(), pool.clone()))
            }
            Object::Allocation(id) => {
                self.allocations.get(id).map(|allocation| Payload::Allocation(Box::new(allocation.clone())))
            }
            Object::Evaluation(id) => {
                self.evaluations.get(id).map(|evaluation| Payload::Evaluation(Box::new(evaluation.clone())))
            }
            Object::Deployment(id) => {
                self.deployments.get(id).map(|deployment| Payload::Deployment(Box::new(deployment.clone())))
            }
        })?;
        Some(Published { payload, deleted })
    }

    /// Restarts the server that sends events: all streams end, and the event buffer is empty.
    pub fn restart_event_broker(&mut self) {
        self.commit();
        self.broker.restart();
    }
}
