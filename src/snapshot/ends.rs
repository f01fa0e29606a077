//! Outcomes of allocations and jobs.
//!
//! A job's summary counts forever, and Nomad reports an allocation that a drain killed as complete. Therefore
//! the outcome of a job is derived from its allocations: the newest of each name, of the highest job version.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use crate::terms::{ClientStatus, JobKey, Outcome};

/// Outcome of one allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationEnd {
    /// Its job.
    pub job: JobKey,
    /// Version of the job.
    pub version: u64,
    /// Hash of its name. Includes the node for system and sysbatch jobs, whose allocations have the same name
    /// on every node.
    pub name: u32,
    /// Increases with every placed allocation.
    pub create_index: u64,
    /// Its client status.
    pub status: ClientStatus,
    /// The outcome.
    pub outcome: Outcome,
    /// Unix time of its last change, approximately its end; 0 if unknown.
    pub changed: u32,
}

impl AllocationEnd {
    /// Returns what distinguishes it from all other allocations.
    pub fn key(&self) -> (JobKey, u64, u32, Reverse<u64>) {
        (self.job, self.version, self.name, Reverse(self.create_index))
    }
}

/// Outcomes of the allocations of many jobs, sorted by job, version and name. The newest of each name comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(Box<[AllocationEnd]>);

impl From<Vec<AllocationEnd>> for Ends {
    fn from(mut ends: Vec<AllocationEnd>) -> Self {
        ends.sort_unstable_by_key(AllocationEnd::key);
        Self(ends.into_boxed_slice())
    }
}

impl Ends {
    /// Returns when the last allocation of a job ended, of those placed since the job was created.
    pub fn ended(&self, job: JobKey, created_index: Option<u64>) -> Option<SystemTime> {
        let is_its = |end: &&AllocationEnd| created_index.is_none_or(|index| end.create_index >= index);
        let last =
            self.of(job).iter().filter(is_its).map(|end| end.changed).max().filter(|last| *last > 0)?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(last.into()))
    }

    /// Returns the outcome of a job from these allocations and others that are still stopping; `None` if
    /// there are none. Excludes allocations from before the job was created: they belong to a purged job with
    /// the same ID, whose versions are unrelated.
    pub fn outcome(
        &self,
        job: JobKey,
        created_index: Option<u64>,
        stopping: Option<&Self>,
    ) -> Option<Outcome> {
        let is_its = |end: &&AllocationEnd| created_index.is_none_or(|index| end.create_index >= index);
        let stopping = stopping.map(|stopping| stopping.of(job)).unwrap_or_default();
        let ends: Vec<AllocationEnd> = self.of(job).iter().chain(stopping).filter(is_its).copied().collect();
        let version = ends.iter().map(|end| end.version).max()?;
        let mut of_version: Vec<_> = ends.into_iter().filter(|end| end.version == version).collect();
        of_version.sort_unstable_by_key(AllocationEnd::key);
        of_version.dedup_by_key(|end| end.name);
        of_version.iter().map(|end| end.outcome).reduce(Outcome::worse)
    }

    /// Returns whether it contains an allocation.
    pub fn contains(&self, end: &AllocationEnd) -> bool {
        self.0.binary_search_by_key(&end.key(), AllocationEnd::key).is_ok()
    }

    /// Returns the allocations.
    pub fn iter(&self) -> impl Iterator<Item = &AllocationEnd> {
        self.0.iter()
    }

    /// Returns the number of allocations.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, job: JobKey) -> &[AllocationEnd] {
        let begin = self.0.partition_point(|end| end.job < job);
        let count = self.0[begin..].iter().take_while(|end| end.job == job).count();
        &self.0[begin..begin + count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(version: u64, name: u32, create_index: u64, outcome: Outcome) -> AllocationEnd {
        let (job, status) = (JobKey::new("ci", "build"), ClientStatus::Complete);
        AllocationEnd { job, version, name, create_index, status, outcome, changed: 0 }
    }

    #[test]
    fn the_newest_allocations_of_the_highest_version_decide() {
        use Outcome::*;
        for (what, ended, stopping, expected) in [
            ("nothing is retained", vec![], vec![], None),
            (
                "a retry that succeeded",
                vec![end(0, 1, 7, Failed), end(0, 1, 9, Complete)],
                vec![],
                Some(Complete),
            ),
            ("one of two failed", vec![end(0, 1, 7, Failed), end(0, 2, 7, Complete)], vec![], Some(Failed)),
            (
                "last month's failure",
                vec![end(0, 1, 7, Failed), end(1, 1, 9, Complete)],
                vec![],
                Some(Complete),
            ),
            (
                "a name that is gone",
                vec![end(0, 2, 7, Failed), end(1, 1, 9, Complete)],
                vec![],
                Some(Complete),
            ),
            ("still stopping", vec![], vec![end(0, 1, 7, Drained)], Some(Drained)),
            ("a retry that stops", vec![end(0, 1, 7, Failed)], vec![end(0, 1, 9, Stopped)], Some(Stopped)),
            (
                "a sibling that stops",
                vec![end(0, 1, 7, Complete)],
                vec![end(0, 2, 7, Drained)],
                Some(Drained),
            ),
            (
                "an old version stops",
                vec![end(2, 1, 9, Complete)],
                vec![end(1, 1, 7, Stopped)],
                Some(Complete),
            ),
        ] {
            let outcome =
                Ends::from(ended).outcome(JobKey::new("ci", "build"), Some(5), Some(&Ends::from(stopping)));
            assert_eq!(outcome, expected, "{what}");
        }
    }

    #[test]
    fn jobs_are_kept_apart() {
        let other = AllocationEnd { job: JobKey::new("ci", "other"), ..end(5, 1, 9, Outcome::Failed) };
        let ends = Ends::from(vec![other, end(0, 1, 7, Outcome::Complete)]);
        assert_eq!(ends.outcome(JobKey::new("ci", "build"), None, None), Some(Outcome::Complete));
        assert_eq!(ends.outcome(other.job, None, None), Some(Outcome::Failed));
        assert_eq!(ends.outcome(JobKey::new("ci", "third"), None, None), None);
    }
}
