//! Jobs with series of their own: long-lived jobs, and the parents of others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Chosen, Specification, SpecificationKey, Specifications};
use crate::terms::{JobStatus, JobType};

/// Jobs of the selected types. Children are counted under their parent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedJobs {
    /// By namespace and job ID.
    pub by_namespace: BTreeMap<String, BTreeMap<String, NamedJob>>,
    /// Number of jobs.
    pub count: usize,
    /// Number of jobs dropped by a limit.
    pub dropped_jobs: u64,
    /// Number of their task groups.
    pub dropped_groups: u64,
    /// Label names of the selected metadata, if any job has some.
    pub meta_labels: Vec<String>,
}

/// A job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedJob {
    /// Properties; `None` while only children of it are known.
    pub info: Option<JobInfo>,
    /// Metadata, if it has a selected key.
    pub meta: Option<Box<Chosen>>,
    /// Its own allocations, by task group.
    pub own: Groups,
    /// Allocations of its children, by task group.
    pub children: Groups,
    /// The part of `children` that belongs to live children with ended allocations, by ID. Only in the live
    /// list.
    pub partly_ended: BTreeMap<String, Groups>,
    /// Children that the list of dead jobs contains. Only in that list.
    pub ended: BTreeSet<String>,
    /// Number of jobs per specification: the job itself, or its live children. A parent itself needs no
    /// allocations.
    pub wanted: BTreeMap<SpecificationKey, u64>,
}

/// Counts by task group.
pub type Groups = BTreeMap<String, GroupCounts>;

/// Properties of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobInfo {
    /// Its type.
    pub job_type: JobType,
    /// Its node pool; empty before Nomad 1.6.
    pub node_pool: String,
    /// 1 to 100.
    pub priority: i64,
    /// Its status.
    pub status: JobStatus,
    /// Whether somebody stopped it.
    pub stopped: bool,
}

/// Allocation counts of a task group, according to the job's summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Total ever completed.
    pub complete: u64,
    /// Total ever failed.
    pub failed: u64,
    /// Total lost with their client.
    pub lost: u64,
}

impl NamedJobs {
    /// Returns a job by its namespace and ID.
    pub fn get(&self, namespace: &str, id: &str) -> Option<&NamedJob> {
        self.by_namespace.get(namespace)?.get(id)
    }

    /// Returns the ID under which a job counts: its own, or that of its parent.
    pub fn find(&self, namespace: &str, id: &str) -> Option<&str> {
        let jobs = self.by_namespace.get(namespace)?;
        let key = jobs.get_key_value(id).or_else(|| jobs.get_key_value(parent_of(id)?));
        key.map(|(id, _)| id.as_str())
    }
}

/// Returns the parent's ID, derived from the names of dispatched and periodic children.
fn parent_of(id: &str) -> Option<&str> {
    let at = id.rfind("/dispatch-").or_else(|| id.rfind("/periodic-"))?;
    Some(&id[..at])
}

impl NamedJob {
    /// Returns the specifications of this job, each with the number of jobs; `None` if one is unknown.
    pub fn specifications<'s>(&self, known: &'s Specifications) -> Option<Vec<(&'s Specification, u64)>> {
        self.wanted.iter().map(|(key, jobs)| Some((known.get(key)?, *jobs))).collect()
    }

    /// Returns the desired number of allocations of each task group; `None` if unknown.
    pub fn desired<'s>(&self, known: &'s Specifications) -> Option<BTreeMap<&'s str, u64>> {
        let mut desired = BTreeMap::new();
        for (specification, jobs) in self.specifications(known)? {
            for (name, group) in specification {
                *desired.entry(name.as_str()).or_default() += jobs * group.count?;
            }
        }
        Some(desired)
    }

    /// Returns the ended allocations of its children from both lists. A child in both has died since the live
    /// list was read, and counts as in the list of dead jobs.
    pub fn children_of_both(live: Option<&Self>, dead: Option<&Self>) -> Groups {
        let mut groups = Groups::new();
        for (group, counts) in live.into_iter().chain(dead).flat_map(|job| &job.children) {
            *groups.entry(group.clone()).or_default() += *counts;
        }
        let (Some(live), Some(dead)) = (live, dead) else { return groups };
        let twice = live.partly_ended.iter().filter(|(child, _)| dead.ended.contains(*child));
        for (group, counts) in twice.flat_map(|(_, groups)| groups) {
            *groups.entry(group.clone()).or_default() -= *counts;
        }
        groups
    }
}

impl GroupCounts {
    /// Returns whether any of these allocations has ended.
    pub fn has_ended(&self) -> bool {
        self.complete + self.failed + self.lost > 0
    }
}

impl std::ops::SubAssign for GroupCounts {
    fn sub_assign(&mut self, other: Self) {
        self.complete = self.complete.saturating_sub(other.complete);
        self.failed = self.failed.saturating_sub(other.failed);
        self.lost = self.lost.saturating_sub(other.lost);
    }
}

impl std::ops::AddAssign for GroupCounts {
    fn add_assign(&mut self, other: Self) {
        self.complete += other.complete;
        self.failed += other.failed;
        self.lost += other.lost;
    }
}
