//! The jobs, allocations and evaluations that Nomad's event stream names as changed, until a collector has requested them
//! again.
//!
//! Events only show which rows changed, and whether they ended; their state is always read from a list. So an event that
//! is missed or repeated can only cause a row to be read late or twice:
//!
//! ```text
//! stream ─► follow ─► Events: names and indexes ─► Kept: rows of the last list, named rows requested again ─► fold
//!                        └ after a gap: no names ─► the list
//! ```

mod follow;
mod table;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::nomad::{Client, Event, Index, Subject, Topic, Transaction};
use crate::snapshot::CollectorId;
use crate::terms::{ByTerm, JobKey, Term, TermSet, hash_of};

pub(super) use follow::follow;
pub(super) use table::Table;

/// Maximum number of changed rows remembered per table. A list is cheaper long before that.
const MAX_NAMED: usize = 50_000;
/// Maximum time by which an event may come later than a list that shows its change.
const LAG: Duration = Duration::from_secs(2);
/// Maximum time for which a refresh waits for new evaluations to be processed. Usually, a scheduler does that at once.
const MOMENT: Duration = Duration::from_millis(250);
/// Number of consecutive refreshes in which a list was cheaper, after which the stream is closed.
const MAX_IN_VAIN: u32 = 8;

/// The key of a row in its table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RowKey {
    pub(super) namespace: String,
    pub(super) id: String,
}

impl RowKey {
    /// Returns the key of a row.
    pub(super) fn new(namespace: &str, id: &str) -> Self {
        Self { namespace: namespace.to_owned(), id: id.to_owned() }
    }

    /// Returns its hash.
    pub(super) fn hash(&self) -> u64 {
        hash_of(self)
    }

    /// Returns the key of the job that it identifies.
    pub(super) fn job(&self) -> JobKey {
        JobKey::new(&self.namespace, &self.id)
    }
}

/// The last change of a row that was not read since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Raft index of the change.
    pub(super) index: u64,
    /// Whether it is now a dead job, a terminal allocation or a processed evaluation, so that it need not be read.
    pub(super) is_over: bool,
    /// When it was received.
    pub(super) at: Instant,
    /// Whether the row was read since, but the response may not contain the change.
    pub(super) is_read: bool,
}

/// Changed rows that were not read since, according to the event stream.
#[derive(Debug, Default)]
pub struct Events {
    /// Collectors whose lists are followed.
    collectors: TermSet<CollectorId>,
    state: Mutex<State>,
    moved: Notify,
    in_vain: AtomicU32,
    lines: AtomicU64,
    received: AtomicU64,
    taken: ByTopic,
    corrected: ByTable,
}

type ByTopic = [AtomicU64; Topic::ALL.len()];
type ByTable = [AtomicU64; Table::ALL.len()];

#[derive(Debug, Default)]
struct State {
    /// Number of the open stream. Names from earlier streams may be incomplete.
    open: Option<u64>,
    opened: u64,
    /// Index of the namespaces that the stream covers.
    namespaces: Option<Index>,
    tables: ByTerm<Table, Named>,
}

/// The changed rows of a table.
#[derive(Clone, Debug, Default)]
struct Named {
    /// Index after which all changes are named. It is not 0 if there were too many.
    since: u64,
    /// Index up to which the stream has named the changes.
    index: u64,
    rows: HashMap<RowKey, Change>,
}

impl Named {
    /// Adds a change. Events of other topics do not show whether the row is terminal, so that does not change.
    fn add(&mut self, namespace: &str, id: &str, index: u64, is_over: Option<bool>) {
        let key = RowKey::new(namespace, id);
        let new = Change { index, is_over: false, at: Instant::now(), is_read: false };
        let change = self.rows.entry(key).or_insert(new);
        // Events may be out of order.
        if index >= change.index {
            *change = Change { is_over: is_over.unwrap_or(change.is_over), ..new };
        }
        if self.rows.len() > MAX_NAMED {
            *self = Self { since: index, index, rows: HashMap::new() };
        }
    }
}

/// An event that does not show which row changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event does not show what changed")]
pub(super) struct Unclear;

impl Events {
    /// Names the changes of the lists of these collectors.
    pub(super) fn new(collectors: TermSet<CollectorId>) -> Self {
        Self { collectors, ..Self::default() }
    }

    /// Starts a new stream, after its first line. Changes are named from now on. It covers the namespaces that existed at this
    /// index.
    pub(super) fn open(&self, namespaces: Option<Index>) {
        let mut state = self.state();
        let number = state.opened + 1;
        *state = State { open: Some(number), opened: number, namespaces, tables: ByTerm::default() };
        self.in_vain.store(0, Ordering::Relaxed);
    }

    /// Ends the stream. Changes may be missing.
    pub(super) fn close(&self) {
        let mut state = self.state();
        *state = State { opened: state.opened, ..State::default() };
        drop(state);
        self.moved.notify_waiters();
    }

    /// Counts a line and the received bytes.
    pub(super) fn received(&self, bytes: u64) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the number of lines received so far, including heartbeats.
    pub(super) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Adds the changes of a transaction.
    pub(super) fn take(&self, transaction: &Transaction) -> Result<(), Unclear> {
        let mut state = self.state();
        for Event { topic, subject } in &transaction.events {
            self.taken[topic.index()].fetch_add(1, Ordering::Relaxed);
            self.add(&mut state, *topic, subject.as_ref().ok_or(Unclear)?, transaction.index);
        }
        drop(state);
        self.moved.notify_waiters();
        Ok(())
    }

    /// Returns the number of the open stream. While it is open, it names all changes in the namespaces that it covers.
    pub(super) fn stream(&self) -> Option<u64> {
        self.state().open
    }

    /// Requests the index of the namespaces, and returns whether this stream covers them. Since Nomad 1.9.6, a stream does not
    /// cover namespaces that were created later.
    pub(super) async fn covers_namespaces(&self, stream: u64, client: &Client) -> bool {
        let covered = {
            let state = self.state();
            state.namespaces.filter(|_| state.open == Some(stream))
        };
        covered.is_some() && follow::namespaces(client).await == covered
    }

    /// Waits until a live job or allocation of a collector has changed that was not read since. Waits forever for other
    /// collectors.
    pub(super) async fn changed(&self, collector: CollectorId) {
        let mut urgent = Table::ALL.iter().copied().filter(|table| table.is_urgent());
        let Some(table) = urgent.find(|table| table.collector() == collector) else {
            return std::future::pending().await;
        };
        loop {
            let moved = self.moved.notified();
            if self.state().tables[table].rows.values().any(|change| !change.is_read) {
                return;
            }
            moved.await;
        }
    }

    /// Waits a moment until all changes of a table that were not read since have settled.
    pub(super) async fn settled(&self, table: Table, has_settled: impl Fn(&RowKey, &Change) -> bool) {
        let settled = async {
            loop {
                let moved = self.moved.notified();
                if self.state().tables[table].rows.iter().all(|(key, change)| has_settled(key, change)) {
                    return;
                }
                moved.await;
            }
        };
        timeout(MOMENT, settled).await.ok();
    }

    /// Waits until the stream has named the changes of a table up to an index, for a limited time because not all changes
    /// have events. Returns whether it has.
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

    /// Returns the index up to which a stream has named the changes of a table, or `None` if the stream ended.
    pub(super) fn index(&self, table: Table, stream: u64) -> Option<u64> {
        let state = self.state();
        (state.open == Some(stream)).then(|| state.tables[table].index)
    }

    /// Returns the index up to which changes are named, and the rows that changed after an index and were not read since.
    /// Returns `None` if some are not named, because the stream ended or there were too many.
    pub(super) fn named(
        &self,
        table: Table,
        stream: u64,
        after: u64,
    ) -> Option<(u64, Vec<(RowKey, Change)>)> {
        let state = self.state();
        let Named { since, index, rows } = &state.tables[table];
        let rows = || rows.iter().map(|(key, change)| (key.clone(), *change)).collect();
        (state.open == Some(stream) && after >= *since).then(|| (*index, rows()))
    }

    /// Removes all changes up to the index of a list that was read.
    pub(super) fn listed(&self, table: Table, index: u64) {
        self.state().tables[table].rows.retain(|_, change| change.index > index);
    }

    /// Records that a row was read to which this change had happened. `is_sure`: the response contains the change.
    pub(super) fn read(&self, table: Table, key: &RowKey, known: Change, is_sure: bool) {
        let rows = &mut self.state().tables[table].rows;
        let Some(change) = rows.get_mut(key).filter(|change| change.index == known.index) else { return };
        if is_sure {
            rows.remove(key);
        } else {
            change.is_read = true;
        }
    }

    /// Records whether a refresh requested the named rows, or the list because it was cheaper.
    pub(super) fn was_useful(&self, table: Table, is_useful: bool) {
        match is_useful {
            _ if !table.is_expensive() => {}
            true => self.in_vain.store(0, Ordering::Relaxed),
            false => drop(self.in_vain.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Returns whether the lists were cheaper several times in a row.
    pub(super) fn is_in_vain(&self) -> bool {
        self.in_vain.load(Ordering::Relaxed) >= MAX_IN_VAIN
    }

    /// Counts rows whose state in a list differed from the kept one.
    pub(super) fn corrected(&self, table: Table, rows: u64) {
        self.corrected[table.index()].fetch_add(rows, Ordering::Relaxed);
    }

    /// Returns whether events can save any collector an expensive list.
    pub(super) fn has_use(&self) -> bool {
        let mut expensive = Table::ALL.iter().filter(|table| table.is_expensive());
        expensive.any(|table| self.collectors.contains(table.collector()))
    }

    /// Returns whether a stream is open.
    pub fn is_open(&self) -> bool {
        self.state().open.is_some()
    }

    /// Returns the number of bytes received so far.
    pub fn bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Returns the number of events so far by topic.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counts(Topic::ALL, &self.taken)
    }

    /// Returns the number of rows that lists corrected so far by section.
    pub fn corrections(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counts(Table::ALL, &self.corrected)
    }

    fn add(&self, state: &mut State, topic: Topic, subject: &Subject, index: u64) {
        let Subject { namespace, id, job_id, parent_id, is_over, has_trouble } = subject;
        let is_used = |table: &Table| self.collectors.contains(table.collector());
        // Events of a job's allocations and evaluations may change its summary.
        for table in [Table::Jobs, Table::FinishedJobs].into_iter().filter(is_used) {
            let jobs = &mut state.tables[table];
            jobs.index = index;
            jobs.add(namespace, job_id, index, (topic == Topic::Job).then_some(*is_over));
            if let Some(parent) = parent_id {
                jobs.add(namespace, parent, index, None);
            }
        }
        let tables: &[Table] = match topic {
            Topic::Allocation => &[Table::Allocations, Table::FinishedAllocations, Table::TaskStates],
            Topic::Evaluation => &[Table::Evaluations],
            Topic::Job | Topic::Other => &[],
        };
        for table in tables.iter().copied().filter(is_used) {
            let named = &mut state.tables[table];
            named.index = index;
            if table != Table::TaskStates || *has_trouble {
                named.add(namespace, id, index, Some(*is_over));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        Some(Subject { namespace, id, job_id, parent_id: None, is_over, has_trouble: false })
    }

    fn events() -> Events {
        Events::new(TermSet::of(&[CollectorId::Jobs, CollectorId::Allocations]))
    }

    fn take(events: &Events, index: u64, topic: Topic, subject: Option<Subject>) -> Result<(), Unclear> {
        events.take(&Transaction { index, events: vec![Event { topic, subject }] })
    }

    /// Returns the IDs of the named rows, with the index of the change and whether they are terminal.
    fn named(events: &Events, table: Table) -> Vec<(String, u64, bool)> {
        let (_, named) = events.named(table, events.stream().unwrap(), 0).unwrap();
        let mut named: Vec<_> =
            named.into_iter().map(|(key, change)| (key.id, change.index, change.is_over)).collect();
        named.sort();
        named
    }

    #[test]
    fn changed_rows_are_named_until_they_are_read() {
        let events = events();
        assert_eq!((events.stream(), events.is_open()), (None, false));
        events.open(None);
        take(&events, 5, Topic::Job, subject("build", "build", true)).unwrap();
        take(&events, 6, Topic::Evaluation, subject("e1", "build", false)).unwrap();
        take(&events, 7, Topic::Allocation, subject("a1", "web", false)).unwrap();
        let jobs = [("build".to_owned(), 6, true), ("web".to_owned(), 7, false)];
        assert_eq!(
            named(&events, Table::Jobs),
            jobs,
            "an evaluation does not show that the job is live again"
        );
        assert_eq!(named(&events, Table::Allocations), [("a1".to_owned(), 7, false)]);
        let stream = events.stream().unwrap();
        assert_eq!([Table::Jobs, Table::Allocations].map(|it| events.index(it, stream)), [Some(7), Some(7)]);

        events.listed(Table::Jobs, 6);
        assert_eq!(named(&events, Table::Jobs), jobs[1..]);
        let (_, of_jobs) = events.named(Table::Jobs, stream, 0).unwrap();
        let (key, change) = of_jobs[0].clone();
        events.read(Table::Jobs, &key, change, false);
        assert_eq!(named(&events, Table::Jobs), jobs[1..], "the response may not contain the change");
        take(&events, 9, Topic::Job, subject("web", "web", false)).unwrap();
        events.read(Table::Jobs, &key, change, true);
        assert_eq!(named(&events, Table::Jobs), [("web".to_owned(), 9, false)], "it changed again meanwhile");
    }

    #[test]
    fn readers_of_an_ended_stream_notice_the_gap() {
        let events = events();
        events.open(None);
        let stream = events.stream().unwrap();
        take(&events, 5, Topic::Job, subject("build", "build", false)).unwrap();
        events.close();
        assert_eq!((events.stream(), events.index(Table::Jobs, stream)), (None, None));
        events.open(None);
        assert!(events.stream() != Some(stream) && events.named(Table::Jobs, stream, 0).is_none());
        assert_eq!(named(&events, Table::Jobs), []);
        for topic in [Topic::Job, Topic::Other] {
            assert_eq!(take(&events, 6, topic, None), Err(Unclear));
        }
    }

    #[test]
    fn memory_is_bounded() {
        let events = events();
        events.open(None);
        let stream = events.stream().unwrap();
        let jobs = (0..=MAX_NAMED).map(|number| number.to_string());
        let all = jobs.map(|id| Event { topic: Topic::Job, subject: subject(&id, &id, false) }).collect();
        events.take(&Transaction { index: 5, events: all }).unwrap();
        assert_eq!(events.named(Table::Jobs, stream, 4), None, "as after a gap");
        assert_eq!(events.named(Table::Jobs, stream, 5), Some((5, Vec::new())));
        assert_eq!(events.counts().next(), Some(("Job", 50_001)));
    }

    #[tokio::test(start_paused = true)]
    async fn evaluations_are_neither_urgent_nor_a_reason_for_the_stream() {
        let events = Events::new(TermSet::of(&[CollectorId::Evaluations]));
        assert!(!events.has_use());
        events.open(None);
        take(&events, 5, Topic::Evaluation, subject("e1", "build", true)).unwrap();
        take(&events, 6, Topic::Evaluation, subject("e2", "build", false)).unwrap();
        take(&events, 7, Topic::Allocation, subject("a1", "build", false)).unwrap();
        let expected = [("e1".to_owned(), 5, true), ("e2".to_owned(), 6, false)];
        assert_eq!(named(&events, Table::Evaluations), expected);
        assert!(timeout(LAG, events.changed(CollectorId::Evaluations)).await.is_err());

        for _ in 0..MAX_IN_VAIN {
            events.was_useful(Table::Evaluations, true);
            assert!(!events.is_in_vain());
            events.was_useful(Table::Jobs, false);
        }
        events.was_useful(Table::Evaluations, true);
        assert!(events.is_in_vain());
    }

    #[tokio::test(start_paused = true)]
    async fn new_evaluations_are_awaited_for_a_moment() {
        let events = Events::new(TermSet::of(&[CollectorId::Jobs, CollectorId::Evaluations]));
        events.open(None);
        let waited = async || {
            let began = Instant::now();
            events.settled(Table::Evaluations, |_, change| change.is_over).await;
            began.elapsed()
        };
        assert_eq!(waited().await, Duration::ZERO);
        take(&events, 5, Topic::Evaluation, subject("e1", "build", false)).unwrap();
        assert_eq!(waited().await, MOMENT);
        let processed = async {
            tokio::time::sleep(MOMENT / 2).await;
            take(&events, 6, Topic::Evaluation, subject("e1", "build", true)).unwrap();
        };
        let (waited, ()) = tokio::join!(waited(), processed);
        assert_eq!(waited, MOMENT / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_index_is_awaited_for_a_limited_time() {
        let events = events();
        events.open(None);
        let stream = events.stream().unwrap();
        assert!(events.reaches(Table::Jobs, stream, 0).await);
        assert!(!events.reaches(Table::Jobs, stream, 5).await, "no event has this index");
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
