//! What happens to tasks: allocations that fail, tasks that are restarted or killed because they exceed their memory.
//!
//! Nomad tells how often a task was restarted, and its last ten events. What a list tells beyond the last one happened in
//! between. What the first list tells happened before the exporter ran.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::nomad::api::{AllocationReport, TaskReport};
use crate::snapshot::{NamedJobs, TaskCount, TaskCounts};
use crate::terms::{FailureCause, at, hash_of};

/// How many tasks are remembered; those beyond are not counted.
const MAX_TASKS: usize = 500_000;
/// How many tasks have counters of their own.
const MAX_COUNTERS: usize = 20_000;
/// How many nodes have a counter of their own.
const MAX_NODES: usize = 50_000;

/// What was seen to happen to tasks, each thing once.
#[derive(Debug, Default)]
pub(in crate::collect) struct Tasks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What the last list told; nothing counts before there is one.
    known: Option<Arc<Known>>,
    /// `None` until a list was read: servers that cannot look into the states of tasks are never asked for one.
    counts: Option<Arc<TaskCounts>>,
}

/// What one list told.
#[derive(Debug, Default)]
struct Known {
    /// The Raft index of the list, of one list alone: rows that did not change since then were as they are.
    index: Option<u64>,
    /// Whether each allocation of it has failed.
    failed: HashMap<u64, bool>,
    tasks: HashMap<u64, TaskState>,
}

/// How often a task was restarted, and the time of the last kill for its memory.
#[derive(Clone, Copy, Debug, Default)]
struct TaskState {
    restarts: u32,
    last_oom_kill: i64,
}

/// A list of allocations with the states of their tasks, while it is read.
#[derive(Debug)]
pub(in crate::collect) struct TasksPass {
    before: Option<Arc<Known>>,
    now: Known,
    counts: Arc<TaskCounts>,
}

impl Tasks {
    /// Goes along with a list.
    pub(in crate::collect) fn pass(&self) -> TasksPass {
        let state = self.state();
        TasksPass {
            before: state.known.clone(),
            now: Known::default(),
            counts: state.counts.clone().unwrap_or_default(),
        }
    }

    /// Takes in a list that was read to its end.
    pub(in crate::collect) fn commit(&self, pass: TasksPass, index: Option<u64>) {
        let mut state = self.state();
        state.known = Some(Arc::new(Known { index, ..pass.now }));
        state.counts = Some(pass.counts);
    }

    /// Forgets what was seen: what the next list tells happened before.
    pub(super) fn forget(&self) {
        self.state().known = None;
    }

    /// What was counted so far.
    pub(in crate::collect) fn counts(&self) -> Option<Arc<TaskCounts>> {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TasksPass {
    /// An allocation of the list, with its cause if it has failed. Its job may be one of those that have series of their
    /// own, live or dead.
    pub(in crate::collect) fn add(
        &mut self,
        allocation: &AllocationReport,
        cause: Option<FailureCause>,
        named: [&NamedJobs; 2],
    ) {
        let Some(id) = allocation.id.as_deref().filter(|id| !id.is_empty()) else { return };
        let key = hash_of(id);
        // Two rows of one allocation happened once.
        if self.now.failed.contains_key(&key) {
            return;
        }
        let tasks: Vec<(&str, &TaskReport)> = allocation.tasks().collect();
        if self.now.failed.len() + self.now.tasks.len() + tasks.len() >= MAX_TASKS {
            Arc::make_mut(&mut self.counts).dropped += tasks.len() as u64;
            return;
        }
        self.now.failed.insert(key, cause.is_some());
        let counts = self.before.as_ref().is_some_and(|before| before.counts(key, allocation.modify_index));
        let has_failed = || self.before.as_ref().is_some_and(|before| before.failed.get(&key) == Some(&true));
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

/// Forgets the tasks of jobs that are gone, to make room.
fn forget_jobs(counts: &mut TaskCounts, named: [&NamedJobs; 2]) {
    for (namespace, jobs) in &mut counts.by_job {
        jobs.retain(|job, _| named.iter().any(|named| named.get(namespace, job).is_some()));
    }
    let jobs = counts.by_job.values().flat_map(|jobs| jobs.values());
    counts.tasks = jobs.flat_map(|groups| groups.values()).map(|tasks| tasks.len()).sum();
}

impl Known {
    /// Whether what is new of an allocation happened since this list. One that it lacked, and that has not changed since,
    /// was hidden from it: a token may see more than the one before.
    fn counts(&self, allocation: u64, modify_index: Option<u64>) -> bool {
        let is_older = self.index.zip(modify_index).is_some_and(|(list, row)| row <= list);
        self.failed.contains_key(&allocation) || !is_older
    }
}

impl TaskState {
    /// The state of a task now, and what happened to it in between. Nomad keeps ten events: kills beyond those are lost.
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

    /// Restarts, kills and failures after this list.
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
        // A token that sees less was in use meanwhile.
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
