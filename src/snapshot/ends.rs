//! How allocations ended, by job, and how jobs ended that way.
//!
//! A job's summary counts for ever, and Nomad calls an allocation complete that a drain killed. So how a job ended is
//! told by its allocations: the newest of each name among those of the job's highest version.

use std::time::{Duration, SystemTime};

use crate::terms::{JobKey, Outcome};

/// How one allocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationEnd {
    /// Its job.
    pub job: JobKey,
    /// The version of the job.
    pub version: u64,
    /// The hash of its name; of a system or sysbatch job also of its node, since it has the same name on each.
    pub name: u32,
    /// Grows with every allocation that is placed.
    pub create_index: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// When it last changed, in Unix seconds: about when it ended. 0 if that is not known.
    pub changed: u32,
}

/// How the allocations of many jobs ended: of each version of a job the newest of each name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(Box<[AllocationEnd]>);

impl From<Vec<AllocationEnd>> for Ends {
    fn from(mut ends: Vec<AllocationEnd>) -> Self {
        // The newest of a name first, which is the one that stays.
        ends.sort_unstable_by_key(|end| {
            (end.job, end.version, end.name, std::cmp::Reverse(end.create_index))
        });
        ends.dedup_by_key(|end| (end.job, end.version, end.name));
        Self(ends.into_boxed_slice())
    }
}

impl Ends {
    /// When the last allocation of a job ended, of those that were placed since the job was created.
    pub fn ended(&self, job: JobKey, created_index: Option<u64>) -> Option<SystemTime> {
        let is_its = |end: &&AllocationEnd| created_index.is_none_or(|index| end.create_index >= index);
        let last =
            self.of(job).iter().filter(is_its).map(|end| end.changed).max().filter(|last| *last > 0)?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(last.into()))
    }

    /// How a job ended, told by these allocations and others that are still stopping; `None` if neither tells. Those that
    /// were placed before the job was created are of one of the same ID that was purged, whose versions say nothing.
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
        let of_version = ends.into_iter().filter(|end| end.version == version).collect::<Vec<_>>();
        let newest = if stopping.is_empty() { of_version } else { Self::from(of_version).0.into_vec() };
        newest.iter().map(|end| end.outcome).reduce(Outcome::worse)
    }

    /// How many allocations tell.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none tells.
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
        AllocationEnd { job: JobKey::new("ci", "build"), version, name, create_index, outcome, changed: 0 }
    }

    #[test]
    fn the_newest_allocation_of_each_name_of_the_newest_version_tells() {
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
    fn jobs_do_not_mix() {
        let other = AllocationEnd { job: JobKey::new("ci", "other"), ..end(5, 1, 9, Outcome::Failed) };
        let ends = Ends::from(vec![other, end(0, 1, 7, Outcome::Complete)]);
        assert_eq!(ends.outcome(JobKey::new("ci", "build"), None, None), Some(Outcome::Complete));
        assert_eq!(ends.outcome(other.job, None, None), Some(Outcome::Failed));
        assert_eq!(ends.outcome(JobKey::new("ci", "third"), None, None), None);
    }
}
