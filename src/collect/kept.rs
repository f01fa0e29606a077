//! Lists of live objects whose rows are kept. While Nomad's event stream names the rows that change, only those are
//! requested again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::collector::Refresh;
use super::context::Context;
use super::events::{Change, RowKey, Table};
use super::follower::{ChangedRows, Follower, Use};
use super::list::{Again, Folded, Known};
use super::report::FetchError;
use crate::nomad::api::{Allocation, Job};
use crate::nomad::{Meta, Request};

/// Maximum number of rows kept per list. Longer lists are always requested, so that memory is bounded.
const MAX_ROWS: usize = 30_000;

/// A row that can be kept.
pub(super) trait Row: DeserializeOwned + PartialEq + Send + Sync + 'static {
    /// The table that it belongs to.
    const TABLE: Table;
    /// Returns its namespace and ID, if it has both.
    fn names(&self) -> Option<(&str, &str)>;
    /// Returns whether the list of live objects contains it.
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

/// A list of live objects that is kept up to date.
pub(super) struct Kept<R, K> {
    /// The last list, for refreshes without events.
    known: Known<K>,
    rows: Option<Rows<R, K>>,
    /// Whether the last list was too long to be kept.
    is_too_long: bool,
}

impl<R, K> Default for Kept<R, K> {
    fn default() -> Self {
        Self { known: Known::default(), rows: None, is_too_long: false }
    }
}

/// Rows by namespace and ID. This is also the order of Nomad's list of jobs, in which parents precede their children.
type ByKey<R> = BTreeMap<RowKey, R>;

struct Rows<R, K> {
    by_key: ByKey<R>,
    /// Reads their changes.
    follower: Follower,
    /// Other input of the last fold.
    beside: K,
}

impl<R: Row, K: PartialEq + Clone> Kept<R, K> {
    /// Clears the rows, so that the next refresh requests the list.
    pub(super) fn forget(&mut self) {
        self.known.forget();
        self.rows = None;
    }

    /// Folds the rows of a list of live objects, like [`Known::fold`]. Several lists are always requested.
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
            && let Some(mut rows) = before.take_if(|rows| !rows.follower.is_due())
            && let Some(changes) = rows.follower.changes(context, request, change_of_live).await?
        {
            let meta = changes.meta;
            let has_changed = rows.apply(changes);
            return Ok(self.fold_rows(rows, (meta, has_changed), beside, fold, add).await);
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
                // The list has not changed since these rows were read from it.
                self.rows = before.map(|rows| Rows { follower: rows.follower.again(context), ..rows });
                return Ok(Again::Same(refresh));
            }
        };
        let (meta, objects) = folded.told();
        self.is_too_long = objects > MAX_ROWS as u64;
        let (folded, by_key) = folded.split();
        if let (Some(by_key), Some(stream), Some(index)) = (by_key, stream, meta.index) {
            if let Some(before) = before.filter(|before| before.follower.stream == stream) {
                before.follower.count_missed(context, &before.differing(&by_key), index).await;
            }
            let follower = Follower::new(context, R::TABLE, stream, meta, objects);
            self.rows = follower.map(|follower| Rows { by_key, follower, beside });
        }
        Ok(Again::New(folded))
    }

    /// Folds the kept rows, unless neither they nor the other input have changed.
    async fn fold_rows<F: Send + 'static>(
        &mut self,
        mut rows: Rows<R, K>,
        (meta, has_changed): (Meta, bool),
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
        let (fold, by_key) = folding.await.expect("folding does not panic");
        self.rows = Some(Rows { by_key, ..rows });
        // The sections of the last list are no longer shown.
        self.known.forget();
        Again::New(Folded::of(fold, objects, meta))
    }
}

impl<R: Row, K> Rows<R, K> {
    /// Applies the changes. Returns whether a row has changed.
    fn apply(&mut self, changes: ChangedRows<R>) -> bool {
        let mut has_changed = false;
        for key in changes.gone {
            has_changed |= self.by_key.remove(&key).is_some();
        }
        for (key, row) in changes.rows {
            has_changed |= self.put(key, row);
        }
        has_changed
    }

    /// Stores the current state of a row. Returns whether it has changed.
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

    /// Returns the rows that differ from those of a list.
    fn differing(&self, listed: &ByKey<R>) -> Vec<RowKey> {
        let gone = self.by_key.keys().filter(|key| !listed.contains_key(key));
        let other = listed.iter().filter(|(key, row)| self.by_key.get(key) != Some(row)).map(|(key, _)| key);
        gone.chain(other).cloned().collect()
    }
}

/// Dead jobs and terminal allocations are gone.
fn change_of_live(_: &RowKey, change: &Change) -> Use {
    if change.is_over { Use::Gone } else { Use::Read }
}

/// Keeps a row of a list, unless there are too many or a row has no ID.
fn keep<R: Row>(rows: &mut Option<ByKey<R>>, row: R) {
    let Some(by_key) = rows else { return };
    let key = row.names().filter(|(namespace, id)| !namespace.is_empty() && !id.is_empty());
    match key.map(|(namespace, id)| RowKey { namespace: namespace.to_owned(), id: id.to_owned() }) {
        Some(key) if by_key.len() < MAX_ROWS => drop(by_key.insert(key, row)),
        _ => *rows = None,
    }
}
