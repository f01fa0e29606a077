//! The rows of a list that are kept: as long as Nomad's event stream names what changes, those rows alone are read again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::collector::Refresh;
use super::context::Context;
use super::events::{Change, RowKey, Table};
use super::fan_out;
use super::list::{Again, Folded, Known};
use super::report::FetchError;
use crate::nomad::api::{Allocation, Job, fold_rows};
use crate::nomad::{Error, Index, Meta, Request};

/// After how many history intervals the list is read again although events tell of all changes, and by how much that is
/// spread. Not everything that changes a row has an event.
const LIST_AGAIN: u32 = 5;
const SPREAD: f64 = 0.2;
/// How many rows are kept of a list. Longer ones are read whole, so that memory has a limit.
const MAX_ROWS: usize = 30_000;
/// What one row costs the servers: 0.2 to 0.7 ms with Nomad 1.11.3. A list that costs less than those rows that changed
/// is read instead.
const ROW_COST: Duration = Duration::from_micros(400);
/// How many rows are requested at once.
const CONCURRENCY: usize = 4;
/// How often a row is read of which no index shows whether the change is in it: task states change an allocation, and
/// not the summary of its job.
const MAX_READS: u8 = 1;

/// A row that can be kept.
pub(super) trait Row: DeserializeOwned + PartialEq + Send + Sync + 'static {
    /// Its table.
    const TABLE: Table;
    /// Its namespace and ID, if it has both.
    fn names(&self) -> Option<(&str, &str)>;
    /// Whether the list of what is live has it.
    fn is_live(&self) -> bool;
}

impl Row for Job {
    const TABLE: Table = Table::Jobs;

    fn names(&self) -> Option<(&str, &str)> {
        Some((self.namespace(), self.id.as_deref()?))
    }

    fn is_live(&self) -> bool {
        self.status.is_live()
    }
}

impl Row for Allocation {
    const TABLE: Table = Table::Allocations;

    fn names(&self) -> Option<(&str, &str)> {
        Some((self.namespace.as_deref()?, self.id.as_deref()?))
    }

    fn is_live(&self) -> bool {
        self.client_status.is_live()
    }
}

/// A list of what is live, kept up to date.
pub(super) struct Kept<R, K> {
    /// The last list, for what is asked without events.
    known: Known<K>,
    rows: Option<Rows<R, K>>,
    /// How long the servers took for the last list.
    served: Duration,
    /// Whether it was too long to be kept.
    is_too_long: bool,
}

impl<R, K> Default for Kept<R, K> {
    fn default() -> Self {
        Self { known: Known::default(), rows: None, served: Duration::ZERO, is_too_long: false }
    }
}

/// The rows, by namespace and ID: in the order of Nomad's list of jobs, which has parents before their children.
type ByKey<R> = BTreeMap<RowKey, R>;

struct Rows<R, K> {
    by_key: ByKey<R>,
    /// The stream that names what changed since the list.
    stream: u64,
    /// Up to which index they are known.
    index: Index,
    /// What the fold was made of beside them.
    beside: K,
    /// When the list is to be read again.
    until: Instant,
}

impl<R: Row, K: PartialEq + Clone> Kept<R, K> {
    /// Forgets what is known: the list is read.
    pub(super) fn forget(&mut self) {
        self.known.forget();
        self.rows = None;
    }

    /// Folds the rows of a list of all that is live, as [`Known::fold`] does.
    pub(super) async fn fold<F: Send + 'static>(
        &mut self,
        context: &Arc<Context>,
        requests: Vec<Request>,
        beside: K,
        fold: F,
        add: impl Fn(&mut F, &R) + Copy + Send + 'static,
    ) -> Result<Again<F>, FetchError> {
        let mut before = self.rows.take();
        if let [request] = &*requests
            && let Some(rows) = before.take_if(|rows| Instant::now() < rows.until)
            && let Some(rows) = rows.follow(context, request, self.served).await?
        {
            return Ok(self.fold_rows(rows, beside, fold, add).await);
        }
        let stream = context.events.stream().filter(|_| requests.len() == 1 && !self.is_too_long);
        let collect = (fold, stream.map(|_| ByKey::new()));
        let add = move |(fold, rows): &mut (F, Option<ByKey<R>>), row: R| {
            add(fold, &row);
            keep(rows, row);
        };
        let known = self.known.fold(&context.client, requests, true, beside.clone(), collect, add).await?;
        let folded = match known {
            Again::New(folded) => folded,
            Again::Same(refresh) => {
                // The list is as it was when these rows were of it.
                self.rows = before.map(|rows| Rows { until: list_again(context), ..rows });
                return Ok(Again::Same(refresh));
            }
        };
        let (meta, objects) = folded.told();
        self.served = meta.served;
        self.is_too_long = objects > MAX_ROWS as u64;
        let (folded, by_key) = folded.split();
        if let (Some(by_key), Some(stream), Some(index)) = (by_key, stream, meta.index) {
            if let Some(before) = before.filter(|before| before.stream == stream) {
                before.count_corrections(context, &by_key, index).await;
            }
            context.events.listed(R::TABLE, index.raft());
            self.rows = Some(Rows { by_key, stream, index, beside, until: list_again(context) });
        }
        Ok(Again::New(folded))
    }

    /// Folds the rows that are kept, unless they and everything beside them are as they were.
    async fn fold_rows<F: Send + 'static>(
        &mut self,
        Followed { mut rows, meta, has_changed }: Followed<R, K>,
        beside: K,
        mut fold: F,
        add: impl Fn(&mut F, &R) + Copy + Send + 'static,
    ) -> Again<F> {
        let objects = rows.by_key.len() as u64;
        if !has_changed && rows.beside == beside {
            self.rows = Some(rows);
            return Again::Same(Box::new(Refresh { objects, meta, ..Refresh::default() }));
        }
        rows.beside = beside;
        let by_key = rows.by_key;
        let folding = tokio::task::spawn_blocking(move || {
            by_key.values().for_each(|row| add(&mut fold, row));
            (fold, by_key)
        });
        let (fold, by_key) = folding.await.expect("rows are folded as they are from a list");
        self.rows = Some(Rows { by_key, ..rows });
        // What was made of the last list is no longer shown.
        self.known.forget();
        Again::New(Folded::of(fold, objects, meta))
    }
}

/// Rows that are as they are now.
struct Followed<R, K> {
    rows: Rows<R, K>,
    meta: Meta,
    has_changed: bool,
}

impl<R: Row, K> Rows<R, K> {
    /// Reads the rows again that are named. `None` if something else may have changed, or if the list costs the servers
    /// less.
    async fn follow(
        mut self,
        context: &Arc<Context>,
        list: &Request,
        served: Duration,
    ) -> Result<Option<Followed<R, K>>, FetchError> {
        let (events, stream) = (&context.events, self.stream);
        if events.index(R::TABLE, stream).is_none() {
            return Ok(None);
        }
        let meta = context.client.meta(list.clone().probe()).await?;
        let Some(now) = meta.index.filter(|now| now.is_of_token(self.index)) else { return Ok(None) };
        // Not all changes have events: garbage collection has none.
        if now.raft() > self.index.raft() && !events.reaches(R::TABLE, stream, now.raft()).await {
            events.was_useful(false);
            return Ok(None);
        }
        let Some((told, named)) = events.named(R::TABLE, stream) else { return Ok(None) };
        let (over, changed): (Vec<_>, Vec<_>) = named.into_iter().partition(|(_, change)| change.is_over);
        if ROW_COST * u32::try_from(changed.len()).unwrap_or(u32::MAX) > served {
            events.was_useful(false);
            return Ok(None);
        }
        let mut has_changed = false;
        for (key, change) in over {
            has_changed |= self.by_key.remove(&key).is_some();
            events.read(R::TABLE, &key, change, true);
        }
        let Some(read) = read(context, list, changed).await? else { return Ok(None) };
        events.was_useful(true);
        let mut served = Duration::ZERO;
        for Read { key, change, row, meta } in read {
            served += meta.served;
            let Some(index) = meta.index.filter(|index| index.raft() >= now.raft()) else {
                // A server that lags behind: later.
                continue;
            };
            has_changed |= self.put(key.clone(), row);
            let is_sure = index.raft() >= change.index || change.reads >= MAX_READS;
            events.read(R::TABLE, &key, change, is_sure);
        }
        self.index = now.at(self.index.raft().max(told).max(now.raft()));
        Ok(Some(Followed { rows: self, meta: Meta { served, ..meta }, has_changed }))
    }

    /// Takes in what a row is now. Returns whether it was otherwise before.
    fn put(&mut self, key: RowKey, row: Option<R>) -> bool {
        let is_row = |row: &R| row.is_live() && row.names() == Some((&*key.namespace, &*key.id));
        match row.filter(is_row) {
            Some(row) if self.by_key.get(&key) == Some(&row) => false,
            Some(row) => {
                self.by_key.insert(key, row);
                true
            }
            None => self.by_key.remove(&key).is_some(),
        }
    }

    /// Counts the rows that are otherwise in a list, and that no event has named since they were read.
    async fn count_corrections(&self, context: &Context, listed: &ByKey<R>, index: Index) {
        let events = &context.events;
        events.reaches(R::TABLE, self.stream, index.raft()).await;
        let Some((_, named)) = events.named(R::TABLE, self.stream) else { return };
        let named: HashSet<RowKey> = named.into_iter().map(|(key, _)| key).collect();
        let gone = self.by_key.keys().filter(|key| !listed.contains_key(key));
        let other = listed.iter().filter(|(key, row)| self.by_key.get(key) != Some(row)).map(|(key, _)| key);
        let corrections = gone.chain(other).filter(|key| !named.contains(key)).count();
        events.corrected(R::TABLE, corrections as u64);
    }
}

/// A row that was read again.
struct Read<R> {
    key: RowKey,
    change: Change,
    /// `None` if it is gone.
    row: Option<R>,
    meta: Meta,
}

/// Reads rows by their IDs. `None` if one of them cannot be read: the list may tell why.
async fn read<R: Row>(
    context: &Arc<Context>,
    list: &Request,
    changed: Vec<(RowKey, Change)>,
) -> Result<Option<Vec<Read<R>>>, FetchError> {
    let ask = |(key, change): (RowKey, Change)| {
        let (context, request) = (context.clone(), list.clone().row(&key.namespace, &key.id));
        async move {
            let first = |found: &mut Option<R>, row: R| {
                found.get_or_insert(row);
            };
            let ((row, _), meta) = context.client.fetch(request, fold_rows(None, first)).await?;
            Ok::<_, Error>(Read { key, change, row, meta })
        }
    };
    let mut read = Vec::with_capacity(changed.len());
    match fan_out::each(changed, CONCURRENCY, Duration::ZERO, ask, |one| read.push(one)).await {
        Ok(()) => Ok(Some(read)),
        Err(error) if error.is_of_connection() => Err(error.into()),
        Err(_) => {
            context.events.was_useful(false);
            Ok(None)
        }
    }
}

/// Keeps a row of a list, as long as all of them can be kept.
fn keep<R: Row>(rows: &mut Option<ByKey<R>>, row: R) {
    let Some(by_key) = rows else { return };
    let key = row.names().filter(|(namespace, id)| !namespace.is_empty() && !id.is_empty());
    match key.map(|(namespace, id)| RowKey { namespace: namespace.to_owned(), id: id.to_owned() }) {
        Some(key) if by_key.len() < MAX_ROWS => drop(by_key.insert(key, row)),
        _ => *rows = None,
    }
}

/// When a list is to be read again that is read now.
fn list_again(context: &Context) -> Instant {
    let pause = context.settings.history_interval * LIST_AGAIN;
    Instant::now() + pause.mul_f64(1.0 + SPREAD * fastrand::f64())
}
