//! Counting of finished jobs: jobs that are newly dead, and dead jobs that ran again.
//!
//! Nomad reports a dead job as pending while it evaluates the job again, for example because a client on
//! which it ran is down. If nothing is to be placed, the job is dead again; this must not count as a second
//! end. If the job was placed again, it does end once more. Its summary then counts more ended allocations
//! than before.
//!
//! The outcome of a job is determined from its allocations, in the first list of terminal allocations that is
//! requested after the job was seen dead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::seen::hash;
use crate::collect::history::with_room;
use crate::nomad::api::Job;
use crate::snapshot::{DeadJob, Ends, FinishedCounts};
use crate::terms::{JobKey, JobType, Outcome, at};

/// Maximum number of jobs with a pending outcome. Further jobs are counted with outcome unknown.
const MAX_UNSETTLED: usize = 200_000;
/// Number of further lists of dead jobs after which a missing outcome is counted as unknown.
const MAX_LISTS: u64 = 3;
/// Number of further lists of dead jobs for which a job that left the list is remembered: an hour at one list
/// per minute.
const REMEMBERED_LISTS: u64 = 60;
/// Maximum number of jobs remembered. With more, new jobs cannot be distinguished from old ones, and are not
/// counted.
const MAX_SEEN: usize = 2_000_000;

/// Jobs that finished while the exporter was running. A job that started and ended between two refreshes is
/// counted too, because Nomad retains it; a purged one is not.
#[derive(Debug, Default)]
pub(in crate::collect) struct Completions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Jobs in the previous lists of dead jobs. `None` before the first list; its jobs are not counted.
    before: Option<Arc<Seen>>,
    /// Number of complete lists of dead jobs so far.
    list: u64,
    /// Finished jobs that are not counted yet.
    unsettled: Vec<Unsettled>,
    counts: Arc<FinishedCounts>,
}

/// Dead jobs of the previous lists.
#[derive(Debug)]
struct Seen {
    /// Number of the last list.
    list: u64,
    /// Sorted by key. A hash map would need twice the memory, and this is one of the largest collections.
    jobs: Vec<(JobKey, Last)>,
}

/// A dead job, as of the last list that contained it.
#[derive(Clone, Copy, Debug)]
struct Last {
    /// Hash that changes when the job is submitted again.
    submission: u64,
    /// Number of that list. A `u32`, because there are many entries.
    list: u32,
    /// Number of its allocations that had completed or failed.
    ended: u32,
}

/// A finished job with a pending outcome.
#[derive(Clone, Debug)]
struct Unsettled {
    key: JobKey,
    create_index: Option<u64>,
    namespace: Arc<str>,
    job_type: JobType,
    /// The first list in which it was dead.
    list: u64,
}

/// A list of dead jobs that is being read.
#[derive(Debug)]
pub(in crate::collect) struct CompletionsPass {
    before: Option<Arc<Seen>>,
    allocations_tell: bool,
    /// Number of this list.
    list: u64,
    seen: Vec<(JobKey, Last)>,
    /// Jobs that ended since the previous list, with their outcome if it is known.
    new: Vec<(DeadJob, Option<Outcome>)>,
}

impl Completions {
    /// Starts the processing of a list of dead jobs. If terminal allocations are not collected, outcomes are
    /// taken from the summaries of the jobs.
    pub(in crate::collect) fn pass(&self, allocations_tell: bool) -> CompletionsPass {
        let state = self.state();
        let (before, list) = (state.before.clone(), state.list + 1);
        let seen = Vec::with_capacity(with_room(before.as_ref().map_or(0, |before| before.jobs.len())));
        CompletionsPass { before, allocations_tell, list, seen, new: Vec::new() }
    }

    /// Processes a complete list of dead jobs. Returns its number, and for each job with a pending outcome
    /// the list in which it was first dead.
    pub(in crate::collect) fn commit_jobs(
        &self,
        mut pass: CompletionsPass,
        namespaces: &[String],
    ) -> (u64, HashMap<JobKey, u64>) {
        let mut state = self.state();
        let list = pass.list;
        state.list = list;
        if pass.seen.len() < MAX_SEEN {
            let namespaces: Vec<Arc<str>> = namespaces.iter().map(|name| name.as_str().into()).collect();
            // A list may contain a job twice. The sort is stable, so that the first row counts.
            pass.new.sort_by_key(|(job, _)| job.key);
            pass.new.dedup_by_key(|(job, _)| job.key);
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

    /// Clears the known dead jobs. The jobs of the next list are then not counted.
    pub(super) fn forget(&self) {
        self.state().before = None;
    }

    /// Number of complete lists of dead jobs so far.
    pub(in crate::collect) fn lists(&self) -> u64 {
        self.state().list
    }

    /// Determines pending outcomes from a list of terminal allocations. `began_after` is the number of lists
    /// of dead jobs that were complete when that list was requested.
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

    /// Returns the counts so far.
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
    /// Merges a new list with the previous jobs that are still remembered.
    fn new(list: u64, jobs: Vec<(JobKey, Last)>, before: Option<&Self>) -> Self {
        let mut seen = Self { list, jobs };
        seen.sort();
        let is_gone = |(job, last): &&(JobKey, Last)| {
            u64::from(last.list) + REMEMBERED_LISTS > list && seen.get(*job).is_none()
        };
        let gone = before.iter().flat_map(|before| &before.jobs).filter(is_gone);
        let gone: Vec<_> = gone.take(MAX_SEEN.saturating_sub(seen.jobs.len())).copied().collect();
        seen.jobs.reserve_exact(gone.len());
        seen.jobs.extend(gone);
        seen.sort();
        seen
    }

    /// Sorts the jobs, and removes repeated ones.
    fn sort(&mut self) {
        self.jobs.sort_unstable_by_key(|(job, _)| *job);
        self.jobs.dedup_by_key(|(job, _)| *job);
    }

    fn get(&self, job: JobKey) -> Option<&Last> {
        let place = self.jobs.binary_search_by_key(&job, |(job, _)| *job).ok()?;
        Some(&self.jobs[place].1)
    }

    /// Returns whether a dead job has ended since the last list. `now` is its state in a newer list.
    fn is_new_end(&self, job: &DeadJob, now: Last) -> bool {
        self.get(job.key).is_none_or(|last| {
            let was_away = u64::from(last.list) < self.list;
            last.submission != now.submission || was_away && now.ended > last.ended && !job.stopped
        })
    }
}

impl CompletionsPass {
    /// Starts with the jobs of the last list that did not change. Those that did are then added, unless they are gone.
    pub(in crate::collect) fn start_with_last(&mut self, is_changed: impl Fn(JobKey) -> bool) {
        let Some(before) = &self.before else { return };
        let list = u32::try_from(self.list).unwrap_or(u32::MAX);
        let of_last_list = before.jobs.iter().filter(|(_, last)| u64::from(last.list) == before.list);
        let same = of_last_list.filter(|(job, _)| !is_changed(*job));
        self.seen.extend(same.map(|(job, last)| (*job, Last { list, ..*last })));
    }

    /// Adds a dead job. If it was submitted again under the same ID, it counts again.
    pub(in crate::collect) fn add(&mut self, row: &Job, job: &DeadJob) {
        let submission = hash((row.namespace(), row.id.as_deref(), row.create_index, row.submitted()));
        // Lost allocations are not counted, because a client that reconnects can recover them.
        let ended = row.sum(|group| group.complete) + row.sum(|group| group.failed);
        let ended = u32::try_from(ended).unwrap_or(u32::MAX);
        let last = Last { submission, list: u32::try_from(self.list).unwrap_or(u32::MAX), ended };
        if self.seen.len() >= MAX_SEEN {
            return;
        }
        self.seen.push((job.key, last));
        let is_new = |before: &Arc<Seen>| before.is_new_end(job, last);
        if self.before.as_ref().is_some_and(is_new) {
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

    /// A dead job: submit time, whether it was stopped, number of completed and of lost allocations.
    type Dead = (u64, bool, u64, u64);

    /// Processes a list of dead jobs.
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

    /// Checks the number of finished jobs after each list.
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
        // While Nomad evaluates it again, it is pending and therefore not in the list; its client goes down
        // meanwhile.
        counts(&[(&[dead], 1), (&[], 1), (&[dead], 1), (&[dead], 1), (&[], 1), (&[], 1), (&[lost], 1)]);
    }

    #[test]
    fn a_job_that_ran_again_ends_again() {
        let (first, second) = ((1, false, 1, 0), (1, false, 2, 0));
        counts(&[(&[first], 1), (&[], 1), (&[second], 2), (&[], 2), (&[second], 2)]);
        // If it is submitted again, it is a different job.
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
