//! The buffer of the latest transactions, and the position of each reader.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Transaction;

/// Maximum number of transactions kept for a reader that is not slow. A single operation of the simulator can
/// publish this many at once; a real reader would receive them while they are published.
const LONGEST_BURST: usize = 10_000;

/// A reader of the stream.
pub(crate) type ReaderId = u64;

/// Next item for a reader.
#[derive(Debug)]
pub(crate) enum Next {
    /// The next transaction.
    Transaction(Arc<Transaction>),
    /// There is no new transaction yet.
    Wait,
    /// The next transaction is no longer kept, or the reader is unknown.
    Dropped,
}

#[derive(Debug)]
struct Reader {
    /// Number of its next transaction.
    next: u64,
    /// Whether it has read everything and waits for more.
    waits: bool,
    /// End of the transactions that were published while it read or waited. These are kept for it.
    entitled: u64,
}

/// The event buffer.
#[derive(Debug)]
pub(crate) struct Broker {
    /// Number of transactions to keep; `None` if the event stream is disabled.
    size: Option<usize>,
    kept: VecDeque<Arc<Transaction>>,
    /// Number of the first transaction in `kept`. Transactions are numbered from 0 in order of publication.
    first: u64,
    readers: BTreeMap<ReaderId, Reader>,
    readers_ever: ReaderId,
}

impl Broker {
    pub(in crate::cluster) fn new(size: Option<usize>) -> Broker {
        Broker { size, kept: VecDeque::new(), first: 0, readers: BTreeMap::new(), readers_ever: 0 }
    }

    /// Ends all streams and discards all transactions.
    pub(super) fn restart(&mut self) {
        self.first = self.end();
        self.kept.clear();
        self.readers.clear();
    }

    /// Returns whether the event stream is enabled.
    pub(crate) fn is_on(&self) -> bool {
        self.size.is_some()
    }

    pub(super) fn publish(&mut self, transaction: Transaction) {
        let Some(size) = self.size else { return };
        self.kept.push_back(Arc::new(transaction));
        let end = self.end();
        self.readers.values_mut().filter(|reader| reader.waits).for_each(|reader| reader.entitled = end);
        // Like Nomad, keeps one more than the size: the empty item at the start of Nomad's buffer is not
        // counted.
        while self.kept.len() > size + 1 && !self.is_first_wanted(size) {
            self.kept.pop_front();
            self.first += 1;
        }
    }

    /// Returns whether the first transaction is kept for a reader. A reader is too slow, and loses it,
    /// if more transactions are published than the buffer holds while it does not read.
    fn is_first_wanted(&self, size: usize) -> bool {
        let is_late = |reader: &Reader| self.end() - reader.entitled > size as u64;
        let wants =
            |reader: &Reader| (reader.next..reader.entitled).contains(&self.first) && !is_late(reader);
        self.kept.len() <= LONGEST_BURST && self.readers.values().any(wants)
    }

    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// Adds a reader and returns its ID. It starts at the first transaction with this index or a higher one,
    /// at the last transaction if there is none, and at the first transaction if the index is 0.
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
