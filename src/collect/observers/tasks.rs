//! Failed allocations, restarts of tasks, and OOM kills.
//!
//! Nomad reports the number of restarts of a task and its last ten events. The difference between two lists
//! happened between them. Everything in the first list happened before the exporter started.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::nomad::api::{AllocationReport, TaskReport};
use crate::snapshot::{NamedJobs, TaskCount, TaskCounts};
use crate::terms::{FailureCause, at, hash_of};

/// Maximum number of tasks and allocations remembered. Further tasks are not counted.
const MAX_TASKS: usize = 500_000;
/// Maximum number of tasks with counters of their own.
const MAX_COUNTERS: usize = 20_000;
/// Maximum number of nodes with a counter of their own.
const MAX_NODES: usize = 50_000;

/// Failures, restarts and OOM kills while the exporter was running, each counted once.
#[derive(Debug, Default)]
pub(in crate::collect) struct Tasks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Content of the last list. `None` before the first list; nothing in it is counted.
    known: Option<Arc<Known>>,
    /// `None` before the first list. It stays `None` if servers cannot filter by task states, because the
    /// list is then never requested.
    counts: Option<Arc<TaskCounts>>,
}

/// Content of a list.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Raft index of the list, if it is a single one. Rows that have not been modified since then are
    /// unchanged.
    index: Option<u64>,
    /// Its allocations, with the cause if they have failed.
    failed: HashMap<u64, Option<FailureCause>>,
    tasks: HashMap<u64, TaskState>,
}

/// Number of restarts of a task, and the time of its last OOM kill.
#[derive(Clone, Copy, Debug, Default)]
struct TaskState {
    restarts: u32,
    last_oom_kill: i64,
}

/// A list of allocations with task states that is being read.
#[derive(Debug)]
pub(in crate::collect) struct TasksPass {
    before: Option<Arc<Known>>,
    now: Known,
    counts: Arc<TaskCounts>,
}

impl Tasks {
    /// Starts the processing of a list.
    pub(in crate::collect) fn pass(&self) -> TasksPass {
        let state = self.state();
        TasksPass {
            before: state.known.clone(),
            now: Known::default(),
            counts: state.counts.clone().unwrap_or_default(),
        }
    }

    /// Processes a complete list.
    pub(in crate::collect) fn commit(&self, pass: TasksPass, index: Option<u64>) {
        let mut state = self.state();
        state.known = Some(Arc::new(Known { index, ..pass.now }));
        state.counts = Some(pass.counts);
    }

    /// Clears the last list. Nothing in the next list is then counted.
    pub(super) fn forget(&self) {
        self.state().known = None;
    }

    /// Returns the counts so far.
    pub(in crate::collect) fn counts(&self) -> Option<Arc<TaskCounts>> {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TasksPass {
    /// Starts with the content of the last list. Then only changes are added.
    pub(in crate::collect) fn start_with_last(&mut self) {
        self.now = self.before.as_deref().cloned().unwrap_or_default();
    }

    /// Returns the Raft index of the last list.
    pub(in crate::collect) fn index(&self) -> Option<u64> {
        self.before.as_ref().and_then(|before| before.index)
    }

    /// Removes an allocation that is added again. Returns the cause if it had failed.
    pub(in crate::collect) fn remove(&mut self, id: &str) -> Option<FailureCause> {
        self.now.failed.remove(&hash_of(id)).flatten()
    }

    /// Returns whether the last list contained an allocation.
    pub(in crate::collect) fn is_known(&self, id: &str) -> bool {
        self.before.as_ref().is_some_and(|before| before.failed.contains_key(&hash_of(id)))
    }

    /// Adds an allocation of the list, with the cause if it has failed. `named` are the live and the dead
    /// jobs with series of their own.
    pub(in crate::collect) fn add(
        &mut self,
        allocation: &AllocationReport,
        cause: Option<FailureCause>,
        named: [&NamedJobs; 2],
    ) {
        let Some(id) = allocation.id.as_deref().filter(|id| !id.is_empty()) else { return };
        let key = hash_of(id);
        // Count an allocation once, even if the list contains it twice.
        if self.now.failed.contains_key(&key) {
            return;
        }
        let tasks: Vec<(&str, &TaskReport)> = allocation.tasks().collect();
        if self.now.failed.len() + self.now.tasks.len() + tasks.len() >= MAX_TASKS {
            Arc::make_mut(&mut self.counts).dropped += tasks.len() as u64;
            return;
        }
        self.now.failed.insert(key, cause);
        let counts = self.before.as_ref().is_some_and(|before| before.counts(key, allocation.modify_index));
        let known = |before: &Arc<Known>| before.failed.get(&key).copied().flatten().is_some();
        let has_failed = || self.before.as_ref().is_some_and(known);
        if let Some(cause) = cause.filter(|_| counts && !has_failed()) {
            self.count_failure(allocation, cause);
        }
        for (name, task) in tasks {
            let key = hash_of((id, name));
            let before = self.before.as_ref().and_then(|before| before.tasks.get(&key)).copied();
            let (state, happened) = TaskState::after(before.unwrap_or_default(), task);
            self.now.tasks.insert(key, state);
            if counts && !happened.is_none() {
                self.count_task(allocation, name, happened, named);
            }
        }
    }

    fn count_failure(&mut self, allocation: &AllocationReport, cause: FailureCause) {
        let namespace = allocation.namespace.as_deref().unwrap_or_default();
        let counts = Arc::make_mut(&mut self.counts);
        at(&mut counts.failures, namespace)[allocation.job_type][cause] += 1;
        if let Some(node) = allocation.node_id.as_deref().filter(|_| cause.prevents_start()) {
            let nodes = &mut counts.start_failures;
            if nodes.contains_key(node) || nodes.len() < MAX_NODES {
                *at(nodes, node) += 1;
            }
        }
    }

    fn count_task(
        &mut self,
        allocation: &AllocationReport,
        task: &str,
        happened: TaskCount,
        named: [&NamedJobs; 2],
    ) {
        let namespace = allocation.namespace.as_deref().unwrap_or_default();
        let counts = Arc::make_mut(&mut self.counts);
        at(&mut counts.by_namespace, namespace)[allocation.job_type] += happened;
        let job_id = allocation.job_id.as_deref().unwrap_or_default();
        let Some(job) = named.iter().find_map(|named| named.find(namespace, job_id)) else { return };
        let group = allocation.task_group.as_deref().unwrap_or_default();
        let has_counter = |counts: &TaskCounts| {
            counts.by_job.get(namespace).and_then(|jobs| jobs.get(job)?.get(group)?.get(task)).is_some()
        };
        if !has_counter(counts) {
            if counts.tasks >= MAX_COUNTERS {
                forget_jobs(counts, named);
            }
            if counts.tasks >= MAX_COUNTERS {
                counts.dropped += 1;
                return;
            }
            counts.tasks += 1;
        }
        *at(at(at(at(&mut counts.by_job, namespace), job), group), task) += happened;
    }
}

/// Removes the tasks of jobs that no longer exist, to make room.
fn forget_jobs(counts: &mut TaskCounts, named: [&NamedJobs; 2]) {
    for (namespace, jobs) in &mut counts.by_job {
        jobs.retain(|job, _| named.iter().any(|named| named.get(namespace, job).is_some()));
    }
    let jobs = counts.by_job.values().flat_map(|jobs| jobs.values());
    counts.tasks = jobs.flat_map(|groups| groups.values()).map(|tasks| tasks.len()).sum();
}

impl Known {
    /// Returns whether changes of an allocation happened after this list. If the allocation was not in it and
    /// has not been modified since, it was hidden then: the token may have been replaced by one with more
    /// permissions.
    fn counts(&self, allocation: u64, modify_index: Option<u64>) -> bool {
        let is_older = self.index.zip(modify_index).is_some_and(|(list, row)| row <= list);
        self.failed.contains_key(&allocation) || !is_older
    }
}

impl TaskState {
    /// Returns the new state of a task and what happened since the previous one. Nomad keeps ten events, so
    /// older OOM kills are missed.
    fn after(before: Self, task: &TaskReport) -> (Self, TaskCount) {
        let times = task.events().filter(|event| event.is_oom_kill()).filter_map(|event| event.time);
        let new: Vec<i64> = times.filter(|time| *time > before.last_oom_kill).collect();
        let last_oom_kill = new.iter().copied().max().unwrap_or(before.last_oom_kill);
        let restarts = task.restarts();
        let happened = TaskCount {
            restarts: restarts.saturating_sub(before.restarts).into(),
            oom_kills: new.len() as u64,
        };
        (Self { restarts, last_oom_kill }, happened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::JobType;

    fn row(id: &str, modify_index: u64, restarts: i64, kills: &[i64]) -> AllocationReport {
        let events: Vec<_> = kills
            .iter()
            .map(|time| serde_json::json!({"Type": "Terminated", "Time": time, "Details": {"oom_killed": "true"}}))
            .collect();
        let row = serde_json::json!({"ID": id, "Namespace": "ci", "JobType": "batch", "ModifyIndex": modify_index,
            "TaskStates": {"agent": {"Restarts": restarts, "Events": events}}});
        serde_json::from_value(row).unwrap()
    }

    /// Returns restarts, OOM kills and failures after this list.
    fn list(tasks: &Tasks, index: u64, rows: &[(AllocationReport, bool)]) -> (u64, u64, u64) {
        let mut pass = tasks.pass();
        let none = NamedJobs::default();
        for (row, failed) in rows {
            pass.add(row, failed.then_some(FailureCause::Exit), [&none, &none]);
        }
        tasks.commit(pass, Some(index));
        let counts = tasks.counts().unwrap();
        let count = counts.by_namespace.get("ci").map(|by_type| by_type[JobType::Batch]).unwrap_or_default();
        let failures = counts
            .failures
            .get("ci")
            .map_or(0, |by_type| by_type[JobType::Batch].iter().map(|(_, count)| count).sum());
        (count.restarts, count.oom_kills, failures)
    }

    #[test]
    fn what_happened_before_the_first_list_does_not_count() {
        let tasks = Tasks::default();
        assert!(tasks.counts().is_none());
        let old = row("a", 5, 45, &[10, 20]);
        assert_eq!(list(&tasks, 9, &[(old.clone(), true)]), (0, 0, 0));
        assert_eq!(list(&tasks, 10, &[(old, true), (row("b", 10, 2, &[30]), true)]), (2, 1, 1));
    }

    #[test]
    fn each_event_counts_once_however_often_it_is_read() {
        let tasks = Tasks::default();
        list(&tasks, 9, &[(row("a", 5, 1, &[10]), false)]);
        let again = (row("a", 12, 3, &[30, 10, 20]), false);
        for _ in 0..3 {
            assert_eq!(list(&tasks, 12, &[again.clone(), again.clone()]), (2, 2, 0));
        }
        assert_eq!(list(&tasks, 13, &[(row("a", 13, 3, &[30, 20]), true)]), (2, 2, 1), "it failed");
        assert_eq!(list(&tasks, 14, &[(row("a", 13, 3, &[30, 20]), true)]), (2, 2, 1));
    }

    #[test]
    fn replaced_and_hidden_allocations_change_nothing() {
        let tasks = Tasks::default();
        list(&tasks, 9, &[(row("a", 5, 0, &[]), false)]);
        assert_eq!(list(&tasks, 20, &[(row("a", 15, 4, &[]), true)]), (4, 0, 1));
        assert_eq!(list(&tasks, 30, &[(row("b", 25, 1, &[]), false)]), (5, 0, 1), "a replacement");
        assert_eq!(list(&tasks, 30, &[]), (5, 0, 1));
        // Meanwhile, a token with fewer permissions was in use.
        let seen_again = [(row("b", 25, 1, &[]), false), (row("a", 15, 4, &[]), true)];
        assert_eq!(list(&tasks, 31, &seen_again), (5, 0, 1));
        tasks.forget();
        assert_eq!(
            list(&tasks, 3, &[(row("c", 2, 7, &[]), true)]),
            (5, 0, 1),
            "of a cluster that was rebuilt"
        );
    }
}
