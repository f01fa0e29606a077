//! What Nomad's event stream names as changed, until a collector has read it again.
//!
//! Events say what changed, and lists say how it is now. So an event that is missed, or read twice, can do no more harm
//! than a row that is read late or twice:
//!
//! ```text
//! stream ─► follow ─► Events: names and indexes ─► Kept: rows of the last list, those that are named read again ─► fold
//!                        └ a gap: no names any more ─► the list
//! ```

mod follow;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::nomad::{Event, Subject, Topic, Transaction};
use crate::terms::{ByTerm, Term};

pub(super) use follow::follow;

/// How many changed rows of one table are remembered. A list is cheaper long before that.
const MAX_NAMED: usize = 50_000;
/// How much later than a list shows a change its event may come.
const LAG: Duration = Duration::from_secs(2);
/// After so many refreshes in a row in which a list was cheaper, the stream is no use.
const MAX_IN_VAIN: u32 = 8;

/// A table of which rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Jobs,
    Allocations,
}

impl Term for Table {
    const ALL: &'static [Self] = &[Self::Jobs, Self::Allocations];

    fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Allocations => "allocations",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// What tells one row of a table from the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RowKey {
    pub(super) namespace: String,
    pub(super) id: String,
}

/// A row that changed and was not read since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The Raft index of the last change.
    pub(super) index: u64,
    /// Whether it is a dead job or a terminal allocation now, so that there is nothing to read.
    pub(super) is_over: bool,
    /// How often it was read since, from a server of which it is unknown whether it has the change.
    pub(super) reads: u8,
}

/// What changed since it was last read, as far as the stream tells.
#[derive(Debug, Default)]
pub struct Events {
    state: Mutex<State>,
    moved: Notify,
    in_vain: AtomicU32,
    taken: ByTopic,
    corrected: ByTable,
}

type ByTopic = [AtomicU64; Topic::ALL.len()];
type ByTable = [AtomicU64; Table::ALL.len()];

#[derive(Debug, Default)]
struct State {
    /// The number of the stream that is open. Whatever was named before it was opened may lack something.
    open: Option<u64>,
    opened: u64,
    tables: ByTerm<Table, Named>,
}

/// The changed rows of a table.
#[derive(Clone, Debug, Default)]
struct Named {
    /// The index up to which the stream tells of the table.
    index: u64,
    rows: HashMap<RowKey, Change>,
}

impl Named {
    /// Adds a change. An event of another topic does not tell whether the row is over: that stays as it was.
    fn add(&mut self, namespace: &str, id: &str, index: u64, is_over: Option<bool>) {
        let key = RowKey { namespace: namespace.to_owned(), id: id.to_owned() };
        let change = self.rows.entry(key).or_insert(Change { index, is_over: false, reads: 0 });
        *change = Change { index, is_over: is_over.unwrap_or(change.is_over), reads: 0 };
    }
}

/// An event that does not tell what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event does not tell what changed")]
pub(super) struct Unclear;

impl Events {
    /// A stream is open: what happens from now on is known.
    pub(super) fn open(&self) {
        let mut state = self.state();
        *state = State { open: Some(state.opened + 1), opened: state.opened + 1, tables: ByTerm::default() };
        self.in_vain.store(0, Ordering::Relaxed);
    }

    /// The stream ended: something may be missing.
    pub(super) fn close(&self) {
        let mut state = self.state();
        *state = State { opened: state.opened, ..State::default() };
        drop(state);
        self.moved.notify_waiters();
    }

    /// Takes in what changed.
    pub(super) fn take(&self, transaction: &Transaction) -> Result<(), Unclear> {
        let mut state = self.state();
        for Event { topic, subject } in &transaction.events {
            self.taken[topic.index()].fetch_add(1, Ordering::Relaxed);
            if *topic != Topic::Other {
                state.add(*topic, subject.as_ref().ok_or(Unclear)?, transaction.index);
            }
        }
        if state.tables.iter().any(|(_, named)| named.rows.len() > MAX_NAMED) {
            // As after a gap: the lists are read.
            let opened = state.opened + 1;
            *state = State { open: Some(opened), opened, tables: ByTerm::default() };
        }
        drop(state);
        self.moved.notify_waiters();
        Ok(())
    }

    /// The stream that is open. As long as it is, it names everything that changes.
    pub(super) fn stream(&self) -> Option<u64> {
        self.state().open
    }

    /// Waits until the stream has told of a table up to an index; not for long, since not all changes have events.
    /// Returns whether it has.
    pub(super) async fn reaches(&self, table: Table, stream: u64, index: u64) -> bool {
        let reached = async {
            loop {
                let moved = self.moved.notified();
                match self.index(table, stream) {
                    Some(known) if known >= index => return true,
                    Some(_) => moved.await,
                    None => return false,
                }
            }
        };
        timeout(LAG, reached).await.unwrap_or(false)
    }

    /// The index up to which a stream has told of a table; `None` if it ended.
    pub(super) fn index(&self, table: Table, stream: u64) -> Option<u64> {
        let state = self.state();
        (state.open == Some(stream)).then(|| state.tables[table].index)
    }

    /// The rows that changed and were not read since, and up to which index; `None` if the stream ended.
    pub(super) fn named(&self, table: Table, stream: u64) -> Option<(u64, Vec<(RowKey, Change)>)> {
        let state = self.state();
        let Named { index, rows } = &state.tables[table];
        let rows = || rows.iter().map(|(key, change)| (key.clone(), *change)).collect();
        (state.open == Some(stream)).then(|| (*index, rows()))
    }

    /// A list was read that has everything up to this index.
    pub(super) fn listed(&self, table: Table, index: u64) {
        self.state().tables[table].rows.retain(|_, change| change.index > index);
    }

    /// A row was read, of which this change was known. `is_sure` if the server has that change.
    pub(super) fn read(&self, table: Table, key: &RowKey, known: Change, is_sure: bool) {
        let rows = &mut self.state().tables[table].rows;
        let Some(change) = rows.get_mut(key).filter(|change| change.index == known.index) else { return };
        if is_sure {
            rows.remove(key);
        } else {
            change.reads += 1;
        }
    }

    /// A refresh read the rows that are named, or found that a list is cheaper.
    pub(super) fn was_useful(&self, is_useful: bool) {
        match is_useful {
            true => self.in_vain.store(0, Ordering::Relaxed),
            false => drop(self.in_vain.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Whether the lists were cheaper again and again.
    pub(super) fn is_in_vain(&self) -> bool {
        self.in_vain.load(Ordering::Relaxed) >= MAX_IN_VAIN
    }

    /// A list showed so many rows otherwise than the stream had led to.
    pub(super) fn corrected(&self, table: Table, rows: u64) {
        self.corrected[table.index()].fetch_add(rows, Ordering::Relaxed);
    }

    /// Whether a stream is open.
    pub fn is_open(&self) -> bool {
        self.state().open.is_some()
    }

    /// Number of events so far, by topic.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counts(Topic::ALL, &self.taken)
    }

    /// Number of rows that lists corrected so far, by section.
    pub fn corrections(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counts(Table::ALL, &self.corrected)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, topic: Topic, subject: &Subject, index: u64) {
        let Subject { namespace, id, job_id, parent_id, is_over } = subject;
        let jobs = &mut self.tables[Table::Jobs];
        // Whatever happens to a job's allocations and evaluations may change its summary.
        jobs.index = index;
        jobs.add(namespace, job_id, index, (topic == Topic::Job).then_some(*is_over));
        if let Some(parent) = parent_id {
            jobs.add(namespace, parent, index, None);
        }
        if topic == Topic::Allocation {
            let allocations = &mut self.tables[Table::Allocations];
            allocations.index = index;
            allocations.add(namespace, id, index, Some(*is_over));
        }
    }
}

fn counts<T: Term>(terms: &'static [T], counts: &[AtomicU64]) -> impl Iterator<Item = (&'static str, u64)> {
    terms.iter().map(|term| (term.as_str(), counts[term.index()].load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(id: &str, job_id: &str, is_over: bool) -> Option<Subject> {
        let [namespace, id, job_id] = ["ci", id, job_id].map(str::to_owned);
        Some(Subject { namespace, id, job_id, parent_id: None, is_over })
    }

    fn take(events: &Events, index: u64, topic: Topic, subject: Option<Subject>) -> Result<(), Unclear> {
        events.take(&Transaction { index, events: vec![Event { topic, subject }] })
    }

    /// The IDs of the rows that are named, with the index of the change, and whether they are over.
    fn named(events: &Events, table: Table) -> Vec<(String, u64, bool)> {
        let (_, named) = events.named(table, events.stream().unwrap()).unwrap();
        let mut named: Vec<_> =
            named.into_iter().map(|(key, change)| (key.id, change.index, change.is_over)).collect();
        named.sort();
        named
    }

    #[test]
    fn what_changed_is_named_until_it_was_read() {
        let events = Events::default();
        assert_eq!((events.stream(), events.is_open()), (None, false));
        events.open();
        take(&events, 5, Topic::Job, subject("build", "build", true)).unwrap();
        take(&events, 6, Topic::Evaluation, subject("e1", "build", false)).unwrap();
        take(&events, 7, Topic::Allocation, subject("a1", "web", false)).unwrap();
        take(&events, 8, Topic::Other, None).unwrap();
        let jobs = [("build".to_owned(), 6, true), ("web".to_owned(), 7, false)];
        assert_eq!(named(&events, Table::Jobs), jobs, "an evaluation does not tell that the job lives again");
        assert_eq!(named(&events, Table::Allocations), [("a1".to_owned(), 7, false)]);
        let stream = events.stream().unwrap();
        assert_eq!([Table::Jobs, Table::Allocations].map(|it| events.index(it, stream)), [Some(7), Some(7)]);

        events.listed(Table::Jobs, 6);
        assert_eq!(named(&events, Table::Jobs), jobs[1..]);
        let (_, of_jobs) = events.named(Table::Jobs, stream).unwrap();
        let (key, change) = of_jobs[0].clone();
        events.read(Table::Jobs, &key, change, false);
        assert_eq!(named(&events, Table::Jobs), jobs[1..], "it is unknown whether that has the change");
        take(&events, 9, Topic::Job, subject("web", "web", false)).unwrap();
        events.read(Table::Jobs, &key, change, true);
        assert_eq!(named(&events, Table::Jobs), [("web".to_owned(), 9, false)], "it changed again meanwhile");
    }

    #[test]
    fn a_gap_is_noticed_by_whoever_relied_on_the_stream() {
        let events = Events::default();
        events.open();
        let stream = events.stream().unwrap();
        take(&events, 5, Topic::Job, subject("build", "build", false)).unwrap();
        events.close();
        assert_eq!((events.stream(), events.index(Table::Jobs, stream)), (None, None));
        events.open();
        assert!(events.stream() != Some(stream) && events.named(Table::Jobs, stream).is_none());
        assert_eq!(named(&events, Table::Jobs), []);
        assert_eq!(take(&events, 6, Topic::Job, None), Err(Unclear));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let events = Events::default();
        events.open();
        let stream = events.stream().unwrap();
        let jobs = (0..=MAX_NAMED).map(|number| number.to_string());
        let all = jobs.map(|id| Event { topic: Topic::Job, subject: subject(&id, &id, false) }).collect();
        events.take(&Transaction { index: 5, events: all }).unwrap();
        assert_eq!(events.index(Table::Jobs, stream), None, "as after a gap");
        assert!(events.is_open() && named(&events, Table::Jobs).is_empty());
        assert_eq!(events.counts().next(), Some(("Job", 50_001)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_index_is_waited_for_a_moment() {
        let events = Events::default();
        events.open();
        let stream = events.stream().unwrap();
        assert!(events.reaches(Table::Jobs, stream, 0).await);
        assert!(!events.reaches(Table::Jobs, stream, 5).await, "it does not come");
        let late = async {
            tokio::time::sleep(LAG / 2).await;
            take(&events, 5, Topic::Evaluation, subject("e1", "build", false)).unwrap();
        };
        let (reached, ()) = tokio::join!(events.reaches(Table::Jobs, stream, 5), late);
        assert!(reached);
        let closed = async { events.close() };
        let (reached, ()) = tokio::join!(events.reaches(Table::Jobs, stream, 6), closed);
        assert!(!reached);
    }
}
