//! Allocations that are starting or stopping, and the builds that have been running longest.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::collect::earliest;
use crate::nomad::api::Allocation;
use crate::snapshot::{RunningBuild, RunningSince, Transitions};
use crate::terms::{ClientStatus, DesiredStatus, JobType, at, hash_of};

/// Maximum number of stopping allocations remembered.
const MAX_STOPPING: usize = 200_000;

/// Data of one list.
#[derive(Debug, Default)]
pub(super) struct TransitionsFold {
    pub(super) transitions: Transitions,
    pub(super) running: RunningSince,
    /// When each allocation was first seen with a desired status of stop or evict.
    pub(super) told_to_stop: HashMap<u64, SystemTime>,
    max_builds: usize,
}

impl TransitionsFold {
    pub(super) fn new(max_builds: usize) -> Self {
        Self { max_builds, ..Self::default() }
    }

    /// Adds a non-terminal allocation. `before` contains the times from the previous list, because the
    /// modification time of an allocation changes again while it is stopping.
    pub(super) fn add(&mut self, allocation: &Allocation, before: &HashMap<u64, SystemTime>) {
        let namespace = allocation.namespace.as_deref().unwrap_or_default();
        if is_starting(allocation) {
            let oldest = at(&mut self.transitions.oldest_starting, namespace);
            earliest(&mut oldest[allocation.job_type], allocation.created());
        }
        if matches!(allocation.desired_status, DesiredStatus::Stop | DesiredStatus::Evict) {
            self.add_stopping(allocation, namespace, before);
        }
        if allocation.client_status == ClientStatus::Running
            && let Some(created) = allocation.created()
        {
            self.running.add(namespace, allocation.job_type, created);
            if matches!(allocation.job_type, JobType::Batch | JobType::Sysbatch) {
                self.add_build(namespace, allocation.job_id.as_deref().unwrap_or_default(), created);
            }
        }
    }

    fn add_stopping(&mut self, allocation: &Allocation, namespace: &str, before: &HashMap<u64, SystemTime>) {
        let stopping = &mut at(&mut self.transitions.stopping, namespace)[allocation.job_type];
        stopping.count += 1;
        let key = allocation.id.as_deref().map(hash_of);
        let told = key.and_then(|key| before.get(&key).copied());
        let Some(told) = told.into_iter().chain(allocation.modified()).min() else { return };
        earliest(&mut stopping.oldest, Some(told));
        if let Some(key) = key.filter(|_| self.told_to_stop.len() < MAX_STOPPING) {
            self.told_to_stop.insert(key, told);
        }
    }

    /// Keeps a build if it is one of the oldest so far. Checks that first, because most allocations are
    /// younger.
    fn add_build(&mut self, namespace: &str, id: &str, since: SystemTime) {
        let builds = &mut self.transitions.longest_builds;
        let is_full = builds.len() >= self.max_builds;
        if self.max_builds == 0 || is_full && builds.last().is_some_and(|youngest| youngest.since <= since) {
            return;
        }
        match builds.iter_mut().find(|build| build.id == id && build.namespace == namespace) {
            Some(build) => build.since = build.since.min(since),
            None => {
                if is_full {
                    builds.pop();
                }
                builds.push(RunningBuild { since, namespace: namespace.to_owned(), id: id.to_owned() });
            }
        }
        builds.sort_unstable();
    }
}

/// Returns whether an allocation is desired but has not started.
pub(super) fn is_starting(allocation: &Allocation) -> bool {
    allocation.desired_status == DesiredStatus::Run && allocation.client_status == ClientStatus::Pending
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fold(max_builds: usize, rows: &[(&str, &str, &str, u64)]) -> Transitions {
        let mut fold = TransitionsFold::new(max_builds);
        for (job, job_type, status, seconds) in rows {
            let row = serde_json::json!({"JobID": job, "JobType": job_type, "ClientStatus": status,
                "DesiredStatus": "run", "CreateTime": seconds * 1_000_000_000});
            fold.add(&serde_json::from_value(row).unwrap(), &HashMap::new());
        }
        fold.transitions
    }

    #[test]
    fn the_longest_builds_are_kept_each_once() {
        let rows = [
            ("e", "batch", "running", 50),
            ("a", "batch", "running", 90),
            ("a", "batch", "running", 10),
            ("b", "batch", "running", 20),
            ("a", "batch", "running", 15),
            ("web", "service", "running", 1),
            ("waits", "batch", "pending", 2),
            ("c", "sysbatch", "running", 5),
            ("d", "batch", "running", 30),
        ];
        let longest = |max| {
            let builds = fold(max, &rows).longest_builds.into_iter();
            let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            builds.map(|build| (build.id, since(build.since))).collect::<Vec<_>>()
        };
        let expected = [("c", 5), ("a", 10), ("b", 20), ("d", 30), ("e", 50)];
        let expected = expected.map(|(id, seconds)| (id.to_owned(), Duration::from_secs(seconds)));
        for max in [0, 1, 3, 5, 9] {
            assert_eq!(longest(max), expected[..max.min(5)], "{max}");
        }
    }
}
