//! Runs of periodic jobs. They are remembered here because Nomad removes a run after some hours, and the next
//! one may start days later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::snapshot::{PeriodicJobs, PeriodicRuns};
use crate::terms::{Outcome, at};

/// Maximum number of periodic jobs remembered.
const MAX_JOBS: usize = 10_000;

/// Outcomes of the runs of periodic jobs.
#[derive(Debug, Default)]
pub(in crate::collect) struct Periodic(Mutex<Arc<PeriodicRuns>>);

impl Periodic {
    /// Adds ended runs: namespace, parent, outcome and time. Removes periodic jobs that no longer exist.
    pub(in crate::collect) fn add<'a>(
        &self,
        runs: impl Iterator<Item = (&'a str, &'a str, Outcome, SystemTime)>,
        jobs: Option<&PeriodicJobs>,
    ) {
        let mut state = self.state();
        let known = Arc::make_mut(&mut state);
        let mut count: usize = known.by_namespace.values().map(|jobs| jobs.len()).sum();
        for (namespace, parent, outcome, ended) in runs {
            let jobs = at(&mut known.by_namespace, namespace);
            if !jobs.contains_key(parent) {
                if count >= MAX_JOBS {
                    continue;
                }
                count += 1;
            }
            at(jobs, parent).add(outcome, ended);
        }
        if let Some(jobs) = jobs {
            known.by_namespace.retain(|namespace, known| {
                let there = jobs.get(namespace);
                known.retain(|job, _| there.is_some_and(|there| there.contains(job)));
                !known.is_empty()
            });
        }
    }

    /// Returns the runs so far.
    pub(in crate::collect) fn runs(&self) -> Arc<PeriodicRuns> {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, Arc<PeriodicRuns>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
