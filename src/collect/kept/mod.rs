//! Lists of live objects whose rows are kept. While Nomad's event stream names the rows that change, only those are
//! requested again.

mod by_key;
mod listing;

use std::sync::{Arc, Mutex};

use serde::de::DeserializeOwned;

use super::collector::Refresh;
use super::context::Context;
use super::events::{Change, RowKey, Table};
use super::follower::{ChangedRows, Follower, Use};
use super::list::{Again, Folded, Known};
use super::report::FetchError;
use crate::nomad::api::{Allocation, Job, Pack};
use crate::nomad::{Meta, Request};

use by_key::{ByKey, lock};
use listing::Listing;

/// Maximum number of rows kept per list. Longer lists are always requested, so that memory is bounded.
const MAX_ROWS: usize = 30_000;

/// A row that can be kept.
pub(super) trait Row: DeserializeOwned + Pack + Send + Sync + 'static {
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
pub(super) struct Kept<R: Pack, K> {
    /// The last list, for refreshes without events.
    known: Known<K>,
    rows: Option<Rows<R, K>>,
    /// Whether the last list was too long to be kept.
    is_too_long: bool,
}

impl<R: Pack, K> Default for Kept<R, K> {
    fn default() -> Self {
        Self { known: Known::default(), rows: None, is_too_long: false }
    }
}

struct Rows<R: Pack, K> {
    by_key: Arc<Mutex<ByKey<R>>>,
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
        let known_rows = || before.as_ref().map(|before| before.by_key.clone());
        let collect = (fold, stream.map(|_| Listing::new(known_rows())));
        let add = move |(fold, listing): &mut (F, Option<Listing<R>>), row: R| {
            add(fold, &row);
            if let Some(listing) = listing {
                listing.add(row);
            }
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
        let (folded, listing) = folded.split();
        let listed = listing.and_then(Listing::finish);
        if let (Some((by_key, differing)), Some(stream), Some(index)) = (listed, stream, meta.index) {
            if let Some(before) = before.filter(|before| before.follower.stream == stream) {
                before.follower.count_missed(context, &differing, index).await;
            }
            let follower = Follower::new(context, R::TABLE, stream, meta, objects);
            let by_key = Arc::new(Mutex::new(by_key));
            self.rows = follower.map(|follower| Rows { by_key, follower, beside });
        }
        Ok(Again::New(folded))
    }

    /// Folds the kept rows, unless neither they nor the other input have changed.
    async fn fold_rows<F: Send + 'static>(
        &mut self,
        rows: Rows<R, K>,
        (meta, has_changed): (Meta, bool),
        beside: K,
        mut fold: F,
        add: impl Fn(&mut F, &R) + Copy + Send + 'static,
    ) -> Again<F> {
        let objects = lock(&rows.by_key).len() as u64;
        if !has_changed && rows.beside == beside {
            self.rows = Some(rows);
            return Again::Same(Box::new(Refresh { objects, meta, ..Refresh::default() }));
        }
        let by_key = rows.by_key.clone();
        let folding = tokio::task::spawn_blocking(move || {
            lock(&by_key).each(|row| add(&mut fold, row));
            fold
        });
        let fold = folding.await.expect("folding does not panic");
        self.rows = Some(Rows { beside, ..rows });
        // The sections of the last list are no longer shown.
        self.known.forget();
        Again::New(Folded::of(fold, objects, meta))
    }
}

impl<R: Row, K> Rows<R, K> {
    /// Applies the changes. Returns whether a row has changed.
    fn apply(&self, changes: ChangedRows<R>) -> bool {
        let mut rows = lock(&self.by_key);
        let mut has_changed = false;
        for key in changes.gone {
            has_changed |= put::<R>(&mut rows, &key, None);
        }
        for (key, row) in changes.rows {
            has_changed |= put(&mut rows, &key, row);
        }
        has_changed
    }
}

/// Stores the current state of a row. Returns whether it has changed.
fn put<R: Row>(rows: &mut ByKey<R>, key: &RowKey, row: Option<R>) -> bool {
    let RowKey { namespace, id } = key;
    let is_row = |row: &R| row.is_live() && row.names() == Some((namespace, id));
    let before = rows.take(namespace, id);
    let row = row.filter(is_row).map(|row| rows.insert(namespace, id, row));
    before.as_deref() != row
}

/// Dead jobs and terminal allocations are gone.
fn change_of_live(_: &RowKey, change: &Change) -> Use {
    if change.is_over { Use::Gone } else { Use::Read }
}
