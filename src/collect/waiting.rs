//! Lists of waiting evaluations. While Nomad's event stream names the evaluations that change, the lists are requested again
//! only if one of them begins to wait, or if one that waits changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::context::Context;
use super::earliest;
use super::events::{Change, RowKey, Table};
use super::follower::{Follower, Use};
use super::report::FetchError;
use crate::nomad::api::Evaluation;
use crate::nomad::{Index, Meta, Request};

/// Maximum number of evaluations remembered. Longer lists are always requested, so that memory is bounded.
const MAX_ROWS: usize = 100_000;

/// Evaluations of lists that are being decoded.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Hashes of their keys.
    hashes: HashSet<u64>,
    /// Whether there are too many, or one has no ID.
    is_incomplete: bool,
    delayed_until: Option<SystemTime>,
}

impl Rows {
    /// Adds a row.
    pub(super) fn add(&mut self, evaluation: &Evaluation, now: SystemTime) {
        if evaluation.is_delayed(now) {
            earliest(&mut self.delayed_until, evaluation.wait_until());
        }
        let key = evaluation.namespace.as_deref().zip(evaluation.id.as_deref());
        match key.filter(|_| self.hashes.len() < MAX_ROWS) {
            Some((namespace, id)) => drop(self.hashes.insert(RowKey::new(namespace, id).hash())),
            None => self.is_incomplete = true,
        }
    }

    /// Returns when the first delay ends.
    pub(super) fn delayed_until(&self) -> Option<SystemTime> {
        self.delayed_until
    }
}

/// The evaluations that waited in the last lists.
#[derive(Debug)]
pub(super) struct Waiting {
    follower: Follower,
    /// Hashes of their keys.
    hashes: HashSet<u64>,
}

impl Waiting {
    /// Follows lists that were requested while this stream was open. `lowest` is the lowest index of the lists, and `before`
    /// the evaluations in the previous ones. Returns `None` if they cannot be followed.
    pub(super) async fn listed(
        context: &Context,
        stream: Option<u64>,
        (meta, lowest): (Meta, Option<Index>),
        rows: Rows,
        before: Option<Self>,
    ) -> Option<Self> {
        let stream = stream?;
        let Rows { hashes, is_incomplete, .. } = rows;
        // Lists with different indexes show different moments.
        if let (Some(before), Some(index)) = (before.filter(|it| it.follower.stream == stream), meta.index) {
            let differing: Vec<u64> = before.hashes.symmetric_difference(&hashes).copied().collect();
            before.follower.count_missed(context, &differing, index).await;
        }
        let meta = Meta { index: lowest, ..meta };
        let follower = Follower::new(context, Table::Evaluations, stream, meta, hashes.len() as u64)?;
        (!is_incomplete).then_some(Self { follower, hashes })
    }

    /// Returns whether the lists are to be requested again although no event has named a change.
    pub(super) fn is_due(&self) -> bool {
        self.follower.is_due()
    }

    /// Returns the index up to which the lists are unchanged, if it is above that of the last time, and their metadata. Returns
    /// `None` if they may have changed. `list` is the list of all evaluations.
    pub(super) async fn unchanged(
        &mut self,
        context: &Arc<Context>,
        list: &Request,
    ) -> Result<Option<(Option<u64>, Meta)>, FetchError> {
        let Self { follower, hashes } = self;
        let used = |key: &RowKey, change: &Change| {
            if change.is_over && !hashes.contains(&key.hash()) { Use::Ignore } else { Use::List }
        };
        let changes = follower.changes::<Evaluation>(context, list, used).await?;
        Ok(changes.map(|changes| (changes.index, changes.meta)))
    }
}
