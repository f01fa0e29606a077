//! The newest transactions, and how far each reader has come.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Transaction;

/// How much is kept for a reader that is not slow: a single operation can write all this, and who reads would have read
/// along.
const LONGEST_BURST: usize = 10_000;

/// A reader of the stream.
pub(crate) type ReaderId = u64;

/// What comes next for a reader.
#[derive(Debug)]
pub(crate) enum Next {
    /// This transaction.
    Transaction(Arc<Transaction>),
    /// Nothing yet.
    Wait,
    /// What comes next is no longer there, or the broker does not know the reader.
    Dropped,
}

#[derive(Debug)]
struct Reader {
    /// The number of its next transaction.
    next: u64,
    /// Whether it has read everything and waits.
    waits: bool,
    /// The end of what was published while it read or waited: that stays for it.
    entitled: u64,
}

/// The buffer of events.
#[derive(Debug)]
pub(crate) struct Broker {
    /// How many transactions are kept; `None` if there is no stream.
    size: Option<usize>,
    kept: VecDeque<Arc<Transaction>>,
    /// The number of the first of them; transactions are numbered from 0 as they come.
    first: u64,
    readers: BTreeMap<ReaderId, Reader>,
    readers_ever: ReaderId,
}

impl Broker {
    pub(in crate::cluster) fn new(size: Option<usize>) -> Broker {
        Broker { size, kept: VecDeque::new(), first: 0, readers: BTreeMap::new(), readers_ever: 0 }
    }

    /// Ends all streams and forgets everything before.
    pub(super) fn restart(&mut self) {
        self.first = self.end();
        self.kept.clear();
        self.readers.clear();
    }

    /// Whether there is a stream at all.
    pub(crate) fn is_on(&self) -> bool {
        self.size.is_some()
    }

    pub(super) fn publish(&mut self, transaction: Transaction) {
        let Some(size) = self.size else { return };
        self.kept.push_back(Arc::new(transaction));
        let end = self.end();
        self.readers.values_mut().filter(|reader| reader.waits).for_each(|reader| reader.entitled = end);
        // One more than its size, as Nomad does: the empty item with which the buffer begins counts for none.
        while self.kept.len() > size + 1 && !self.is_first_wanted(size) {
            self.kept.pop_front();
            self.first += 1;
        }
    }

    /// Whether the first transaction stays for a reader. One that does not read while more is published than the buffer
    /// holds is too slow.
    fn is_first_wanted(&self, size: usize) -> bool {
        let is_late = |reader: &Reader| self.end() - reader.entitled > size as u64;
        let wants =
            |reader: &Reader| (reader.next..reader.entitled).contains(&self.first) && !is_late(reader);
        self.kept.len() <= LONGEST_BURST && self.readers.values().any(wants)
    }

    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// Begins with the first transaction that has this index or a higher one; with the last one if there is none, and with
    /// the first if the index is 0.
    pub(crate) fn subscribe(&mut self, index: u64) -> ReaderId {
        let position = match index {
            0 => 0,
            index => self
                .kept
                .iter()
                .position(|transaction| transaction.index >= index)
                .unwrap_or(self.kept.len().saturating_sub(1)),
        };
        self.readers_ever += 1;
        let next = self.first + position as u64;
        self.readers.insert(self.readers_ever, Reader { next, waits: false, entitled: 0 });
        self.readers_ever
    }

    pub(crate) fn unsubscribe(&mut self, reader: ReaderId) {
        self.readers.remove(&reader);
    }

    pub(crate) fn next(&mut self, reader: ReaderId) -> Next {
        let end = self.end();
        let Some(reader) = self.readers.get_mut(&reader) else { return Next::Dropped };
        if reader.next == end {
            reader.waits = true;
            return Next::Wait;
        }
        reader.waits = false;
        let position =
            reader.next.checked_sub(self.first).and_then(|position| usize::try_from(position).ok());
        match position.and_then(|position| self.kept.get(position)) {
            Some(transaction) => {
                reader.next += 1;
                reader.entitled = end;
                Next::Transaction(Arc::clone(transaction))
            }
            None => Next::Dropped,
        }
    }
}
