//! Changes since a list, read row by row as the event stream names them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::context::Context;
use super::events::{Change, RowKey, Table};
use super::fan_out;
use super::report::FetchError;
use crate::nomad::api::fold_rows;
use crate::nomad::{Error, Index, Meta, Request};

/// Number of history intervals after which the list is requested again although events name all changes, and the random
/// share by which that time is extended. Not every change of a row has an event.
const LIST_AGAIN: u32 = 10;
const SPREAD: f64 = 0.2;
/// Cost of one row for the servers: 0.2 to 0.7 ms with Nomad 1.11.3. If the changed rows would cost more than the list
/// did, the list is requested.
const ROW_COST: Duration = Duration::from_micros(400);
/// Cost of a row of a list for the servers: 12 to 16 us with Nomad 1.11.3.
const LISTED_COST: Duration = Duration::from_micros(14);
/// Share of the history interval. A list of finished objects that costs the servers less is always requested, because it also
/// shows what was garbage-collected.
const CHEAP: f64 = 0.001;
/// Maximum number of concurrent requests for rows.
const CONCURRENCY: usize = 4;
/// Maximum time until a server that is in contact with the leader has applied a change that another one has reported. Until
/// then, a row may not contain its change unless the index shows it, so it is requested a second time. For example, task
/// states change an allocation but not the summary of its job.
const SETTLED: Duration = Duration::from_secs(5);

/// What the change of a row means for a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The row must be read.
    Read,
    /// The list no longer contains the row.
    Gone,
    /// The list does not contain the row.
    Ignore,
    /// The list must be requested.
    List,
}

/// The changes since a list or since the previous changes.
pub(super) struct ChangedRows<R> {
    /// Rows that have left the list.
    pub(super) gone: Vec<RowKey>,
    /// Rows that were requested; `None` if the row does not exist any more.
    pub(super) rows: Vec<(RowKey, Option<R>)>,
    /// Index up to which all changes are known, if it is above that of the previous changes.
    pub(super) index: Option<u64>,
    /// Metadata of the list, with the time that the servers took for all rows, which are requested concurrently.
    pub(super) meta: Meta,
}

impl<R> ChangedRows<R> {
    /// Returns the rows that exist, without those that are not what was requested.
    pub(super) fn existing<'a>(
        self,
        is_row: impl Fn(&RowKey, &R) -> bool + 'a,
    ) -> impl Iterator<Item = R> + 'a
    where
        R: 'a,
    {
        let rows = self.rows.into_iter();
        rows.filter_map(move |(key, row)| row.filter(|row| is_row(&key, row)))
    }
}

/// Reads the changes of a list. Works as long as the stream that was open when the list was read.
#[derive(Debug)]
pub(super) struct Follower {
    table: Table,
    /// Number of the stream that names the changes since the list.
    pub(super) stream: u64,
    /// Index up to which the changes were read.
    index: Index,
    /// Cost of the list for the servers.
    cost: Duration,
    /// Time at which the list is requested again.
    until: Instant,
}

impl Follower {
    /// Follows a list that contained this number of rows. Returns `None` if it had no index.
    pub(super) fn new(context: &Context, table: Table, stream: u64, meta: Meta, rows: u64) -> Option<Self> {
        let index = meta.index?;
        context.events.listed(table, index.raft());
        let cost = meta.served.max(LISTED_COST * u32::try_from(rows).unwrap_or(u32::MAX));
        Some(Self { table, stream, index, cost, until: list_again(context) })
    }

    /// Follows the list for another period, because it was found unchanged.
    pub(super) fn again(self, context: &Context) -> Self {
        Self { until: list_again(context), ..self }
    }

    /// Returns whether the list is to be requested again.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Requests the changed rows of a list that `used` selects. Returns `None` if other rows may have changed, or if the list
    /// costs the servers less.
    pub(super) async fn changes<R: DeserializeOwned + Send + 'static>(
        &mut self,
        context: &Arc<Context>,
        list: &Request,
        used: impl Fn(&RowKey, &Change) -> Use,
    ) -> Result<Option<ChangedRows<R>>, FetchError> {
        let (events, table, stream) = (&context.events, self.table, self.stream);
        let is_cheap = table.is_history() && self.cost <= context.settings.history_interval.mul_f64(CHEAP);
        if is_cheap || events.index(table, stream).is_none() {
            return Ok(None);
        }
        let lines = events.lines();
        let meta = context.client.meta(list.clone().probe()).await?;
        let Some(now) = meta.index.filter(|now| now.is_of_token(self.index)) else { return Ok(None) };
        let is_reached = now.raft() <= self.index.raft() || events.reaches(table, stream, now.raft()).await;
        // Not all changes have events. Garbage collection has none, and shows in the next list of what Nomad retains. But the
        // stream may also have stalled.
        let is_garbage = table.is_history() && events.lines() > lines;
        if !is_reached && !is_garbage {
            events.was_useful(table, false);
            return Ok(None);
        }
        // A change that demands the list may be superseded at once.
        events.settled(table, |key, change| used(key, change) != Use::List).await;
        let Some((told, named)) = self.named(context, self.index.raft()).await else { return Ok(None) };
        let (mut changed, mut gone, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_complete = true;
        for (key, change) in named {
            match used(&key, &change) {
                Use::Read if change.is_read && change.at.elapsed() < SETTLED => is_complete = false,
                Use::Read => changed.push((key, change)),
                Use::Gone => gone.push((key, change)),
                Use::Ignore => others.push((key, change)),
                Use::List => return Ok(None),
            }
        }
        if ROW_COST * u32::try_from(changed.len()).unwrap_or(u32::MAX) > self.cost {
            events.was_useful(table, false);
            return Ok(None);
        }
        let began = Instant::now();
        let Some(read) = read(context, list, changed).await? else {
            events.was_useful(table, false);
            return Ok(None);
        };
        let served = if read.is_empty() { Duration::ZERO } else { began.elapsed() };
        events.was_useful(table, true);
        for (key, change) in gone.iter().chain(&others) {
            events.read(table, key, *change, true);
        }
        let gone = gone.into_iter().map(|(key, _)| key).collect();
        let meta = Meta { served, ..meta };
        let mut changes = ChangedRows { gone, rows: Vec::new(), index: is_complete.then_some(told), meta };
        for Read { key, change, asked, row, meta } in read {
            let Some(index) = meta.index.filter(|index| index.raft() >= now.raft()) else {
                // This server lags behind. The row stays named.
                changes.index = None;
                continue;
            };
            let is_settled = change.at + SETTLED + meta.last_contact.unwrap_or_default() <= asked;
            let is_sure = index.raft() >= change.index || is_settled;
            events.read(table, &key, change, is_sure);
            if !is_sure {
                changes.index = None;
            }
            changes.rows.push((key, row));
        }
        self.index = now.at(self.index.raft().max(told).max(now.raft()));
        Ok(Some(changes))
    }

    /// Returns the index up to which changes are named, and the changes after an index that were not read since. Returns `None`
    /// if some are not named.
    async fn named(&self, context: &Context, after: u64) -> Option<(u64, Vec<(RowKey, Change)>)> {
        let named = context.events.named(self.table, self.stream, after)?;
        // Only after the names were read is it certain that no namespace was missing until then.
        context.events.covers_namespaces(self.stream, &context.client).await.then_some(named)
    }

    /// Counts rows in which a new list differs from the followed one although no event has named them, by the hashes of
    /// their keys.
    pub(super) async fn count_missed(&self, context: &Context, differing: &[u64], index: Index) {
        if differing.is_empty() {
            return;
        }
        let events = &context.events;
        let lines = events.lines();
        if !events.reaches(self.table, self.stream, index.raft()).await && events.lines() == lines {
            // The stream has stalled, and will be closed: this is a gap.
            return;
        }
        let Some((_, named)) = self.named(context, index.raft()).await else { return };
        let named: HashSet<u64> = named.into_iter().map(|(key, _)| key.hash()).collect();
        let missed = differing.iter().filter(|key| !named.contains(key)).count();
        events.corrected(self.table, missed as u64);
    }
}

/// A row that was requested again.
struct Read<R> {
    key: RowKey,
    change: Change,
    /// When the request was sent.
    asked: Instant,
    /// `None` if it is gone.
    row: Option<R>,
    meta: Meta,
}

/// Requests rows by their IDs. Returns `None` if one of them cannot be read; the error of the list is then reported.
async fn read<R: DeserializeOwned + Send + 'static>(
    context: &Arc<Context>,
    list: &Request,
    changed: Vec<(RowKey, Change)>,
) -> Result<Option<Vec<Read<R>>>, FetchError> {
    let ask = |(key, change): (RowKey, Change)| {
        let (context, request) = (context.clone(), list.clone().row(&key.namespace, &key.id));
        async move {
            let asked = Instant::now();
            let first = |found: &mut Option<R>, row: R| {
                found.get_or_insert(row);
            };
            let ((row, _), meta) = context.client.fetch(request, fold_rows(None, first)).await?;
            Ok::<_, Error>(Read { key, change, asked, row, meta })
        }
    };
    let mut read = Vec::with_capacity(changed.len());
    match fan_out::each(changed, CONCURRENCY, Duration::ZERO, ask, |one| read.push(one)).await {
        Ok(()) => Ok(Some(read)),
        Err(error) if error.is_of_connection() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Returns when a list that is read now is requested again.
fn list_again(context: &Context) -> Instant {
    let pause = context.settings.history_interval * LIST_AGAIN;
    Instant::now() + pause.mul_f64(1.0 + SPREAD * fastrand::f64())
}
