//! How allocations ended, by job, and how jobs ended that way.
//!
//! A job's summary counts for ever, and Nomad calls an allocation complete that a drain killed. So how a job ended is
//! told by its allocations: the newest of each name among those of the job's highest version.

use crate::terms::{JobKey, Outcome};

/// How one allocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationEnd {
    /// Its job.
    pub job: JobKey,
    /// The version of the job.
    pub version: u64,
    /// The hash of its name.
    pub name: u32,
    /// Grows with every allocation that is placed.
    pub create_index: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// How the allocations of many jobs ended: of each job's highest version the newest of each name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(Box<[AllocationEnd]>);

impl From<Vec<AllocationEnd>> for Ends {
    fn from(mut ends: Vec<AllocationEnd>) -> Self {
        ends.sort_unstable_by_key(|end| (end.job, end.version, end.name, end.create_index));
        // From the end, so that the highest version of a job and the newest of a name come first.
        let mut kept: Vec<AllocationEnd> = Vec::new();
        for end in ends.into_iter().rev() {
            let is_older = |newer: &AllocationEnd| {
                newer.job == end.job && (newer.version > end.version || newer.name == end.name)
            };
            if !kept.last().is_some_and(is_older) {
                kept.push(end);
            }
        }
        kept.reverse();
        Self(kept.into_boxed_slice())
    }
}

impl Ends {
    /// How a job ended, told by these allocations and others that are still stopping; `None` if neither tells.
    pub fn outcome(&self, job: JobKey, stopping: Option<&Self>) -> Option<Outcome> {
        let (ended, stopping) = (self.of(job), stopping.map(|stopping| stopping.of(job)).unwrap_or_default());
        if stopping.is_empty() {
            return worst(ended);
        }
        worst(&Self::from([ended, stopping].concat()).0)
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

fn worst(ends: &[AllocationEnd]) -> Option<Outcome> {
    ends.iter().map(|end| end.outcome).reduce(Outcome::worse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(version: u64, name: u32, create_index: u64, outcome: Outcome) -> AllocationEnd {
        AllocationEnd { job: JobKey::new("ci", "build"), version, name, create_index, outcome }
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
            let outcome = Ends::from(ended).outcome(JobKey::new("ci", "build"), Some(&Ends::from(stopping)));
            assert_eq!(outcome, expected, "{what}");
        }
    }

    #[test]
    fn jobs_do_not_mix() {
        let other = AllocationEnd { job: JobKey::new("ci", "other"), ..end(5, 1, 9, Outcome::Failed) };
        let ends = Ends::from(vec![other, end(0, 1, 7, Outcome::Complete)]);
        assert_eq!(ends.outcome(JobKey::new("ci", "build"), None), Some(Outcome::Complete));
        assert_eq!(ends.outcome(other.job, None), Some(Outcome::Failed));
        assert_eq!(ends.outcome(JobKey::new("ci", "third"), None), None);
    }
}
