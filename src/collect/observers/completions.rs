//! Jobs that finish: those that the list of dead jobs did not show the last time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::seen::{SeenJobs, hash};
use crate::collect::at;
use crate::nomad::api::Job;
use crate::snapshot::FinishedCounts;
use crate::terms::Outcome;

/// Jobs that were seen to finish. A job that came and went between two refreshes is counted too, since Nomad
/// retains it; one that was purged is not.
#[derive(Debug, Default)]
pub(in crate::collect) struct Completions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What the last list of dead jobs showed; nothing counts before there is one.
    before: Option<Arc<SeenJobs>>,
    counts: FinishedCounts,
}

/// One list of dead jobs, while it is read.
#[derive(Debug)]
pub(in crate::collect) struct CompletionsPass {
    before: Option<Arc<SeenJobs>>,
    seen: SeenJobs,
    finished: FinishedCounts,
}

impl Completions {
    /// Goes along with a list of dead jobs.
    pub(in crate::collect) fn pass(&self) -> CompletionsPass {
        CompletionsPass {
            before: self.state().before.clone(),
            seen: SeenJobs::default(),
            finished: FinishedCounts::default(),
        }
    }

    /// Takes in a list that was read to its end, and returns all that was counted so far.
    pub(in crate::collect) fn commit(&self, pass: CompletionsPass) -> FinishedCounts {
        let mut state = self.state();
        if !pass.seen.is_incomplete() {
            for (namespace, by_type) in &pass.finished.by_namespace {
                let counts = at(&mut state.counts.by_namespace, namespace);
                for (job_type, outcomes) in by_type.iter() {
                    outcomes.iter().for_each(|(outcome, count)| counts[job_type][outcome] += count);
                }
            }
        }
        state.before = Some(Arc::new(pass.seen));
        state.counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CompletionsPass {
    /// A dead job. One that was submitted again since, under the same ID, counts again.
    pub(in crate::collect) fn add(&mut self, job: &Job, outcome: Outcome) {
        let submission = hash((job.namespace(), job.id.as_deref(), job.create_index, job.submitted()));
        let is_first_row = self.seen.insert(submission);
        if is_first_row && self.before.as_ref().is_some_and(|before| !before.contains(submission)) {
            at(&mut self.finished.by_namespace, job.namespace())[job.job_type][outcome] += 1;
        }
    }
}
