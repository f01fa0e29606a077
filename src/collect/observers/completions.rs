//! Jobs that finish: those that no list of dead jobs showed before, and those that ran again since.
//!
//! Nomad calls a dead job pending while it evaluates it again, for instance because a client is gone on which it ran, and
//! dead again if there was nothing to place. That is no second end. A job that Nomad, or somebody, placed again ends once
//! more; its summary then counts more ended allocations than it did.
//!
//! How a job ended is told by its allocations, in the list of terminal ones that is begun after the job was seen dead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::seen::hash;
use crate::nomad::api::Job;
use crate::snapshot::{DeadJob, Ends, FinishedCounts};
use crate::terms::{JobKey, JobType, Outcome, at};

/// How many jobs wait for their outcome at once; it is unknown of those beyond.
const MAX_UNSETTLED: usize = 200_000;
/// After how many further lists of dead jobs an outcome is not waited for any more.
const MAX_LISTS: u64 = 3;
/// For how many further lists of dead jobs one is remembered that they do not show: an hour, if they are a minute apart.
const REMEMBERED_LISTS: u64 = 60;
/// How many jobs are remembered. Beyond, what is new cannot be told from what is old.
const MAX_SEEN: usize = 2_000_000;

/// Jobs that were seen to finish. A job that came and went between two refreshes is counted too, since Nomad
/// retains it; one that was purged is not.
#[derive(Debug, Default)]
pub(in crate::collect) struct Completions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What the last lists of dead jobs showed; nothing counts before there is one.
    before: Option<Arc<Seen>>,
    /// How many lists of dead jobs were read to their end.
    list: u64,
    /// Jobs that were seen to finish, and are not counted yet.
    unsettled: Vec<Unsettled>,
    counts: Arc<FinishedCounts>,
}

/// Dead jobs of the last lists, by the hash of their submission.
#[derive(Debug)]
struct Seen {
    /// The number of the last list.
    list: u64,
    jobs: HashMap<u64, Last>,
}

/// A dead job as a list last showed it.
#[derive(Clone, Copy, Debug)]
struct Last {
    /// The number of the list; small, since many are remembered.
    list: u32,
    /// How many of its allocations had completed or failed.
    ended: u32,
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
    before: Option<Arc<Seen>>,
    allocations_tell: bool,
    /// Its number.
    list: u64,
    seen: HashMap<u64, Last>,
    /// Jobs that have ended since, and how if that is known.
    new: Vec<(DeadJob, Option<Outcome>)>,
}

impl Completions {
    /// Goes along with a list of dead jobs. If terminal allocations are not collected, jobs' own summaries tell.
    pub(in crate::collect) fn pass(&self, allocations_tell: bool) -> CompletionsPass {
        let state = self.state();
        let (before, list) = (state.before.clone(), state.list + 1);
        CompletionsPass { before, allocations_tell, list, seen: HashMap::new(), new: Vec::new() }
    }

    /// Takes in a list of dead jobs that was read to its end. Returns its number, and which jobs are first seen dead in
    /// which list, of those whose outcome is not known.
    pub(in crate::collect) fn commit_jobs(
        &self,
        pass: CompletionsPass,
        namespaces: &[String],
    ) -> (u64, HashMap<JobKey, u64>) {
        let mut state = self.state();
        let list = pass.list;
        state.list = list;
        if pass.seen.len() < MAX_SEEN {
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
        state.before = Some(Arc::new(Seen::new(list, pass.seen, pass.before.as_deref())));
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

impl Seen {
    /// What this list showed, and what is to be remembered of what the ones before it did.
    fn new(list: u64, mut jobs: HashMap<u64, Last>, before: Option<&Self>) -> Self {
        for (job, last) in before.iter().flat_map(|before| &before.jobs) {
            if u64::from(last.list) + REMEMBERED_LISTS > list && jobs.len() < MAX_SEEN {
                jobs.entry(*job).or_insert(*last);
            }
        }
        Self { list, jobs }
    }

    /// Whether a dead job of which so many allocations ended has come to an end since the last list.
    fn is_new_end(&self, job: u64, ended: u32, is_stopped: bool) -> bool {
        self.jobs.get(&job).is_none_or(|last| {
            let was_away = u64::from(last.list) < self.list;
            was_away && ended > last.ended && !is_stopped
        })
    }
}

impl CompletionsPass {
    /// A dead job. One that was submitted again since, under the same ID, counts again.
    pub(in crate::collect) fn add(&mut self, row: &Job, job: &DeadJob) {
        let submission = hash((row.namespace(), row.id.as_deref(), row.create_index, row.submitted()));
        // What is lost may be found again, so that its count says nothing of an end.
        let ended = row.sum(|group| group.complete) + row.sum(|group| group.failed);
        let ended = u32::try_from(ended).unwrap_or(u32::MAX);
        let last = Last { list: u32::try_from(self.list).unwrap_or(u32::MAX), ended };
        let is_first_row = self.seen.len() < MAX_SEEN && self.seen.insert(submission, last).is_none();
        let is_new = |before: &Arc<Seen>| before.is_new_end(submission, ended, job.stopped);
        if is_first_row && self.before.as_ref().is_some_and(is_new) {
            let outcome = match (job.stopped, self.allocations_tell) {
                (true, _) => Some(Outcome::Stopped),
                (false, false) => Some(job.summarized),
                (false, true) => None,
            };
            self.new.push((*job, outcome));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dead job: its submission, whether it was stopped, and how many of its allocations completed and were lost.
    type Dead = (u64, bool, u64, u64);

    /// Reads a list of dead jobs.
    fn read(completions: &Completions, jobs: &[Dead]) {
        let mut pass = completions.pass(false);
        for (submitted, stop, complete, lost) in jobs {
            let row = format!(
                r#"{{"ID":"build","Namespace":"ci","Type":"batch","Status":"dead","Stop":{stop},"CreateIndex":7,
                    "SubmitTime":{submitted},"JobSummary":{{"Summary":{{"g":{{"Complete":{complete},"Lost":{lost}}}}}}}}}"#
            );
            let row: Job = serde_json::from_str(&row).unwrap();
            let dead = DeadJob {
                key: row.key(),
                create_index: row.create_index,
                namespace: 0,
                job_type: row.job_type,
                stopped: row.stop == Some(true),
                summarized: row.summarized_outcome(),
            };
            pass.add(&row, &dead);
        }
        completions.commit_jobs(pass, &["ci".to_owned()]);
    }

    fn count(completions: &Completions) -> u64 {
        let counts = completions.counts();
        counts
            .by_namespace
            .values()
            .flat_map(|types| types.iter())
            .flat_map(|(_, outcomes)| outcomes.iter())
            .map(|(_, count)| count)
            .sum()
    }

    /// After each of these lists of dead jobs, so many have finished.
    fn counts(lists: &[(&[Dead], u64)]) {
        let completions = Completions::default();
        read(&completions, &[]);
        for (number, (list, expected)) in lists.iter().enumerate() {
            read(&completions, list);
            assert_eq!(count(&completions), *expected, "list {number}");
        }
    }

    #[test]
    fn a_job_that_is_evaluated_again_ends_once() {
        let (dead, lost) = ((1, false, 1, 0), (1, false, 1, 1));
        // It is pending, and in no list of dead jobs, while Nomad evaluates it; its client is gone meanwhile.
        counts(&[(&[dead], 1), (&[], 1), (&[dead], 1), (&[dead], 1), (&[], 1), (&[], 1), (&[lost], 1)]);
    }

    #[test]
    fn a_job_that_ran_again_ends_again() {
        let (first, second) = ((1, false, 1, 0), (1, false, 2, 0));
        counts(&[(&[first], 1), (&[], 1), (&[second], 2), (&[], 2), (&[second], 2)]);
        // Submitted again, it is another one.
        counts(&[(&[first], 1), (&[], 1), (&[(2, false, 1, 0)], 2)]);
    }

    #[test]
    fn what_ends_after_its_job_is_no_second_end() {
        let (stopping, stopped) = ((1, true, 0, 0), (1, true, 1, 0));
        counts(&[(&[stopping], 1), (&[stopped], 1)]);
        counts(&[(&[stopping], 1), (&[], 1), (&[stopped], 1)]);
        // A drained build is dead before its tasks are.
        counts(&[(&[(1, false, 0, 0)], 1), (&[(1, false, 1, 0)], 1)]);
    }

    #[test]
    fn what_is_gone_is_forgotten_in_the_end() {
        let completions = Completions::default();
        read(&completions, &[(1, false, 1, 0)]);
        (0..=REMEMBERED_LISTS).for_each(|_| read(&completions, &[]));
        assert_eq!(completions.state().before.as_ref().map(|before| before.jobs.len()), Some(0));
    }
}
