//! Jobs that finish: those that the list of dead jobs did not show the last time.
//!
//! How a job ended is told by its allocations, in the list of terminal ones that is begun after the job was seen dead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::seen::{SeenJobs, hash};
use crate::nomad::api::Job;
use crate::snapshot::{DeadJob, Ends, FinishedCounts};
use crate::terms::{JobKey, JobType, Outcome, at};

/// How many jobs wait for their outcome at once; it is unknown of those beyond.
const MAX_UNSETTLED: usize = 200_000;
/// After how many further lists of dead jobs an outcome is not waited for any more.
const MAX_LISTS: u64 = 3;

/// Jobs that were seen to finish. A job that came and went between two refreshes is counted too, since Nomad
/// retains it; one that was purged is not.
#[derive(Debug, Default)]
pub(in crate::collect) struct Completions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What the last list of dead jobs showed; nothing counts before there is one.
    before: Option<Arc<SeenJobs>>,
    /// How many lists of dead jobs were read to their end.
    list: u64,
    /// Jobs that were seen to finish, and are not counted yet.
    unsettled: Vec<Unsettled>,
    counts: Arc<FinishedCounts>,
}

/// A job of which it is not known yet how it ended.
#[derive(Clone, Debug)]
struct Unsettled {
    key: JobKey,
    create_index: Option<u64>,
    namespace: Arc<str>,
    job_type: JobType,
    /// The list that first showed it dead.
    list: u64,
}

/// One list of dead jobs, while it is read.
#[derive(Debug)]
pub(in crate::collect) struct CompletionsPass {
    before: Option<Arc<SeenJobs>>,
    allocations_tell: bool,
    seen: SeenJobs,
    /// Jobs that no list showed before, and how they ended if that is known.
    new: Vec<(DeadJob, Option<Outcome>)>,
}

impl Completions {
    /// Goes along with a list of dead jobs. If terminal allocations are not collected, jobs' own summaries tell.
    pub(in crate::collect) fn pass(&self, allocations_tell: bool) -> CompletionsPass {
        let before = self.state().before.clone();
        CompletionsPass { before, allocations_tell, seen: SeenJobs::default(), new: Vec::new() }
    }

    /// Takes in a list of dead jobs that was read to its end. Returns its number, and which jobs are first seen dead in
    /// which list, of those whose outcome is not known.
    pub(in crate::collect) fn commit_jobs(
        &self,
        pass: CompletionsPass,
        namespaces: &[String],
    ) -> (u64, HashMap<JobKey, u64>) {
        let mut state = self.state();
        state.list += 1;
        let list = state.list;
        if !pass.seen.is_incomplete() {
            let namespaces: Vec<Arc<str>> = namespaces.iter().map(|name| name.as_str().into()).collect();
            for (job, outcome) in pass.new {
                let Some(namespace) = namespaces.get(job.namespace as usize).cloned() else { continue };
                let is_full = state.unsettled.len() >= MAX_UNSETTLED;
                match outcome.or(is_full.then_some(Outcome::Unknown)) {
                    Some(outcome) => state.count(&namespace, job.job_type, outcome),
                    None => state.unsettled.push(Unsettled {
                        key: job.key,
                        create_index: job.create_index,
                        namespace,
                        job_type: job.job_type,
                        list,
                    }),
                }
            }
        }
        state.before = Some(Arc::new(pass.seen));
        let given_up: Vec<_> = state.unsettled.extract_if(.., |job| job.list + MAX_LISTS < list).collect();
        given_up.iter().for_each(|job| state.count(&job.namespace, job.job_type, Outcome::Unknown));
        (list, state.unsettled.iter().map(|job| (job.key, job.list)).collect())
    }

    /// Forgets which jobs were dead: those of the next list are not new.
    pub(super) fn forget(&self) {
        self.state().before = None;
    }

    /// How many lists of dead jobs were read to their end.
    pub(in crate::collect) fn lists(&self) -> u64 {
        self.state().list
    }

    /// Takes in how allocations ended, told by a list that was begun after so many lists of dead jobs.
    pub(in crate::collect) fn commit_ends(&self, ends: &Ends, stopping: Option<&Ends>, began_after: u64) {
        let mut state = self.state();
        let mut settled = Vec::new();
        state.unsettled.retain(|job| {
            let outcome =
                ends.outcome(job.key, job.create_index, stopping).filter(|_| job.list <= began_after);
            settled.extend(outcome.map(|outcome| (job.namespace.clone(), job.job_type, outcome)));
            outcome.is_none()
        });
        settled.iter().for_each(|(namespace, job_type, outcome)| state.count(namespace, *job_type, *outcome));
    }

    /// What was counted so far.
    pub(in crate::collect) fn counts(&self) -> Arc<FinishedCounts> {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, namespace: &str, job_type: JobType, outcome: Outcome) {
        at(&mut Arc::make_mut(&mut self.counts).by_namespace, namespace)[job_type][outcome] += 1;
    }
}

impl CompletionsPass {
    /// A dead job. One that was submitted again since, under the same ID, counts again.
    pub(in crate::collect) fn add(&mut self, row: &Job, job: &DeadJob) {
        let submission = hash((row.namespace(), row.id.as_deref(), row.create_index, row.submitted()));
        let is_first_row = self.seen.insert(submission);
        if is_first_row && self.before.as_ref().is_some_and(|before| !before.contains(submission)) {
            let outcome = match (job.stopped, self.allocations_tell) {
                (true, _) => Some(Outcome::Stopped),
                (false, false) => Some(job.summarized),
                (false, true) => None,
            };
            self.new.push((*job, outcome));
        }
    }
}
