//! Delay of allocations from their creation until their client reported them running.
//!
//! An allocation has started if a list shows it running and the previous list showed it pending or did not
//! contain it. Its start is the time of its last change. Allocations that start and end between two lists are
//! missed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::nomad::api::Allocation;
use crate::snapshot::{DELAY_BOUNDS_SECONDS, StartDelays};
use crate::terms::{ClientStatus, at, hash_of};

/// Maximum number of pending allocations remembered. Further ones are not counted.
const MAX_PENDING: usize = 500_000;

/// Allocations that started while the exporter was running, each counted once.
#[derive(Debug, Default)]
pub(in crate::collect) struct Starts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Content of the last list. `None` before the first list; its allocations are not counted.
    known: Option<Arc<Known>>,
    delays: Arc<StartDelays>,
}

/// Content of a list.
#[derive(Clone, Debug, Default)]
struct Known {
    pending: HashSet<u64>,
    /// Raft index of the newest allocation of each namespace. Allocations with a higher index are new.
    newest: HashMap<String, u64>,
    newest_of_all: u64,
}

/// A list of non-terminal allocations that is being read.
#[derive(Debug)]
pub(in crate::collect) struct StartsPass {
    before: Option<Arc<Known>>,
    now: Known,
    delays: Arc<StartDelays>,
}

impl Starts {
    /// Starts the processing of a list.
    pub(in crate::collect) fn pass(&self) -> StartsPass {
        let state = self.state();
        let before = state.known.clone();
        let newest = before.as_ref().map(|before| before.newest.clone()).unwrap_or_default();
        let newest_of_all = before.as_ref().map_or(0, |before| before.newest_of_all);
        let now = Known { pending: HashSet::new(), newest, newest_of_all };
        StartsPass { before, now, delays: state.delays.clone() }
    }

    /// Processes a complete list.
    pub(in crate::collect) fn commit(&self, pass: StartsPass) {
        let mut state = self.state();
        state.known = Some(Arc::new(pass.now));
        state.delays = pass.delays;
    }

    /// Clears the last list. The running allocations of the next list are then not counted.
    pub(super) fn forget(&self) {
        self.state().known = None;
    }

    /// Returns the delays so far.
    pub(in crate::collect) fn delays(&self) -> Arc<StartDelays> {
        self.state().delays.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StartsPass {
    /// Adds an allocation of the list.
    pub(in crate::collect) fn add(&mut self, allocation: &Allocation) {
        let (Some(id), Some(index)) = (allocation.id.as_deref(), allocation.create_index) else { return };
        let namespace = allocation.namespace.as_deref().unwrap_or_default();
        if allocation.client_status == ClientStatus::Pending {
            if self.now.pending.len() < MAX_PENDING {
                self.now.pending.insert(hash_of(id));
            }
        } else if allocation.client_status == ClientStatus::Running
            && self.before.as_ref().is_some_and(|before| before.shows_start(id, namespace, index))
            && let (Some(created), Some(started)) = (allocation.created(), allocation.modified())
        {
            let delay = started.duration_since(created).unwrap_or_default();
            let delays = &mut Arc::make_mut(&mut self.delays).by_namespace;
            at(delays, namespace)[allocation.job_type].observe(&DELAY_BOUNDS_SECONDS, delay);
        }
        self.now.newest_of_all = self.now.newest_of_all.max(index);
        match self.now.newest.get_mut(namespace) {
            Some(newest) => *newest = index.max(*newest),
            None => drop(self.now.newest.insert(namespace.to_owned(), index)),
        }
    }
}

impl Known {
    /// Returns whether an allocation that is running now was not running in this list.
    fn shows_start(&self, id: &str, namespace: &str, create_index: u64) -> bool {
        let newest = self.newest.get(namespace).copied().unwrap_or(self.newest_of_all);
        create_index > newest || self.pending.contains(&hash_of(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::JobType;

    const CREATED: i64 = 1_795_354_600_000_000_000;

    fn row(id: &str, index: u64, status: &str, seconds: i64) -> Allocation {
        let modified = CREATED + seconds * 1_000_000_000;
        let row = serde_json::json!({"ID": id, "Namespace": "ci", "JobType": "batch", "ClientStatus": status,
            "CreateIndex": index, "CreateTime": CREATED, "ModifyTime": modified});
        serde_json::from_value(row).unwrap()
    }

    /// Returns number and sum of the delays after this list.
    fn list(starts: &Starts, rows: &[Allocation]) -> (u64, f64) {
        let mut pass = starts.pass();
        rows.iter().for_each(|row| pass.add(row));
        starts.commit(pass);
        let delays = starts.delays();
        let none = Default::default();
        let of_batch = &delays.by_namespace.get("ci").unwrap_or(&none)[JobType::Batch];
        (of_batch.count(), of_batch.sum_seconds())
    }

    #[test]
    fn each_allocation_that_is_seen_to_start_counts_once() {
        let starts = Starts::default();
        let old = || row("old", 3, "running", 9);
        assert_eq!(list(&starts, &[old(), row("waits", 4, "pending", 0)]), (0, 0.0), "it ran before");
        let started = || row("waits", 4, "running", 5);
        assert_eq!(list(&starts, &[old(), started()]), (1, 5.0));
        let new = || row("new", 9, "running", 2);
        assert_eq!(list(&starts, &[old(), started(), new()]), (2, 7.0));
        assert_eq!(list(&starts, &[row("old", 3, "unknown", 40), new()]), (2, 7.0));
        assert_eq!(
            list(&starts, &[row("old", 3, "running", 50), new()]),
            (2, 7.0),
            "it is back, and no start"
        );
        starts.forget();
        assert_eq!(
            list(&starts, &[row("other", 1, "running", 1)]),
            (2, 7.0),
            "of a cluster that was rebuilt"
        );
    }
}
