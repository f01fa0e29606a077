//! What happens between refreshes: jobs that are placed and finish, allocations that fail, tasks that are restarted.

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
pub(super) use placements::{AllocationPass, JobPass, LookedFor, Placements, Which};
pub(super) use starts::{Starts, StartsPass};
pub(super) use tasks::{Tasks, TasksPass};

use super::collectors::{FinishedAllocationsFold, FinishedJobsFold};
use crate::snapshot::Sections;

/// Observers that several collectors feed, so that none of them owns what is seen, and what one hands to another.
#[derive(Default)]
pub(super) struct Observers {
    /// Jobs that are placed: live and dead jobs, live and terminal allocations tell.
    pub(super) placements: Arc<Placements>,
    /// Jobs that finish.
    pub(super) completions: Arc<Completions>,
    /// Runs of periodic jobs.
    pub(super) periodic: Arc<Periodic>,
    /// Allocations that start.
    pub(super) starts: Arc<Starts>,
    /// What happens to tasks.
    pub(super) tasks: Arc<Tasks>,
    /// What a list of all jobs told of dead ones.
    pub(super) full_jobs: Arc<Handover<FinishedJobsFold>>,
    /// What a list of all allocations told of terminal ones.
    pub(super) full_allocations: Arc<Handover<FinishedAllocationsFold>>,
    /// How often Nomad was rebuilt by the time that the above was last forgotten.
    resets: AtomicU64,
}

/// A list of everything, which servers before Nomad 1.3 send whatever the filter, is read once: the collector of what is
/// live hands the rest to the one of what is finished.
#[derive(Debug)]
pub(super) struct Handover<T>(Mutex<Option<T>>);

impl<T> Default for Handover<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Handover<T> {
    /// Hands over what the newest list told.
    pub(super) fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// What was handed over since the last time.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Observers {
    /// Forgets which jobs were seen, once for each time that Nomad was rebuilt: what it shows next was there before. What
    /// was counted stays.
    pub(super) fn forget(&self, resets: u64) {
        if self.resets.fetch_max(resets, Ordering::Relaxed) < resets {
            self.placements.forget();
            self.completions.forget();
            self.starts.forget();
            self.tasks.forget();
            drop((self.full_jobs.take(), self.full_allocations.take()));
        }
    }

    /// What was seen so far.
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
