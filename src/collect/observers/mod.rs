//! Changes between refreshes: jobs that are placed and finish, allocations that start and fail, tasks that
//! are restarted.

mod completions;
mod periodic;
mod placements;
mod seen;
mod starts;
mod tasks;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use completions::{Completions, CompletionsPass};
pub(super) use periodic::Periodic;
pub(super) use placements::{AllocationPass, JobPass, LookedFor, Placed, Placements, Which};
pub(super) use starts::{Starts, StartsPass};
pub(super) use tasks::{Tasks, TasksPass};

use super::collectors::{FinishedAllocationsFold, FinishedJobsFold};
use crate::snapshot::Sections;

/// State that several collectors update, so that no single collector owns it, and data that one collector
/// passes to another.
#[derive(Default)]
pub(super) struct Observers {
    /// Placed jobs, determined from live and dead jobs and from non-terminal and terminal allocations.
    pub(super) placements: Arc<Placements>,
    /// Finished jobs.
    pub(super) completions: Arc<Completions>,
    /// Runs of periodic jobs.
    pub(super) periodic: Arc<Periodic>,
    /// Started allocations.
    pub(super) starts: Arc<Starts>,
    /// Restarts, OOM kills and failures.
    pub(super) tasks: Arc<Tasks>,
    /// Dead jobs of a list of all jobs.
    pub(super) full_jobs: Arc<Handover<FinishedJobsFold>>,
    /// Terminal allocations of a list of all allocations.
    pub(super) full_allocations: Arc<Handover<FinishedAllocationsFold>>,
    /// Number of rebuilds of Nomad's state at the time of the last [`forget`](Self::forget).
    resets: AtomicU64,
}

/// Data that the collector of live objects passes to the collector of finished ones. Servers before Nomad 1.3
/// ignore the filter and send all objects, so the list is read only once.
#[derive(Debug)]
pub(super) struct Handover<T>(Mutex<Option<T>>);

impl<T> Default for Handover<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Handover<T> {
    /// Stores the data of the newest list.
    pub(super) fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// Returns the data that was stored since the last call.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Observers {
    /// Clears the known objects, once per rebuild of Nomad's state, because the next lists contain only
    /// objects that existed before. Counts are kept.
    pub(super) fn forget(&self, resets: u64) {
        if self.resets.fetch_max(resets, Ordering::Relaxed) < resets {
            self.placements.forget();
            self.completions.forget();
            self.starts.forget();
            self.tasks.forget();
            drop((self.full_jobs.take(), self.full_allocations.take()));
        }
    }

    /// Returns the sections so far.
    pub(super) fn sections(&self) -> Sections {
        Sections {
            placements: Some(self.placements.delays()),
            completions: Some(self.completions.counts()),
            periodic: Some(self.periodic.runs()),
            starts: Some(self.starts.delays()),
            task_counts: self.tasks.counts(),
            ..Sections::default()
        }
    }
}
