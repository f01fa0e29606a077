//! Lists of finished objects. Their rows are not kept, because there are too many. While Nomad's event stream names the rows
//! that change, a collector applies those to its last section.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::context::Context;
use super::events::{Change, RowKey, Table};
use super::follower::{ChangedRows, Follower, Use};
use super::list::Again;
use super::report::FetchError;
use crate::nomad::Request;

/// Returns the capacity for the next list: that of the last one, and an eighth for new rows. A vector that grows leaves
/// as much memory free but resident as it holds; unused capacity is not resident.
pub(super) fn with_room(last: usize) -> usize {
    last + last / 8
}

/// Whether the changes of a list are read row by row.
#[derive(Debug)]
pub(super) struct History {
    table: Table,
    follower: Option<Follower>,
    /// Number of rows of the last list.
    rows: u64,
}

impl History {
    /// Creates a list that was not read yet.
    pub(super) fn new(table: Table) -> Self {
        Self { table, follower: None, rows: 0 }
    }

    /// Returns the capacity for the next list.
    pub(super) fn capacity(&self) -> usize {
        with_room(usize::try_from(self.rows).unwrap_or_default())
    }

    /// Requests the changed rows that `is_used` selects, by their key and whether they are over now. Returns `None` if the
    /// list must be requested instead.
    pub(super) async fn changes<R: DeserializeOwned + Send + 'static>(
        &mut self,
        context: &Arc<Context>,
        requests: &[Request],
        is_used: impl Fn(&RowKey, bool) -> bool,
    ) -> Result<Option<ChangedRows<R>>, FetchError> {
        let [list] = requests else { return Ok(None) };
        let Some(follower) = self.follower.as_mut().filter(|follower| !follower.is_due()) else {
            return Ok(None);
        };
        let used = |key: &RowKey, change: &Change| {
            if is_used(key, change.is_over) { Use::Read } else { Use::Ignore }
        };
        follower.changes(context, list, used).await
    }

    /// Returns whether the changes of the last list are read row by row.
    pub(super) fn is_followed(&self) -> bool {
        self.follower.is_some()
    }

    /// Follows a list that was requested while this stream was open. `new` returns the hashes of rows that were unknown.
    pub(super) async fn listed<F>(
        &mut self,
        context: &Arc<Context>,
        stream: Option<u64>,
        again: &Again<F>,
        new: impl Fn(&F) -> &Vec<u64>,
    ) {
        if let Again::New(list) = again {
            self.rows = list.told().1;
        }
        let before = self.follower.take().filter(|before| Some(before.stream) == stream);
        let Some(stream) = stream else { return };
        self.follower = match again {
            Again::New(list) => {
                let (meta, rows) = list.told();
                if let (Some(before), Some(index)) = (before, meta.index) {
                    before.count_missed(context, new(&list.fold), index).await;
                }
                Follower::new(context, self.table, stream, meta, rows)
            }
            Again::Same(_) => before.map(|before| before.again(context)),
        };
    }
}
