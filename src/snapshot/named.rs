//! Jobs that have series of their own: those that live long, and the parents of those that do not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Chosen, Specification, SpecificationKey, Specifications};
use crate::terms::{JobStatus, JobType};

/// Jobs of the types that the operator chose. Children are rolled up into their parent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedJobs {
    /// By namespace and job ID.
    pub by_namespace: BTreeMap<String, BTreeMap<String, NamedJob>>,
    /// How many there are.
    pub count: usize,
    /// How many jobs a cap cut.
    pub dropped_jobs: u64,
    /// How many task groups they had.
    pub dropped_groups: u64,
    /// Names of the labels of chosen metadata, if any job has some.
    pub meta_labels: Vec<String>,
}

/// One job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedJob {
    /// What it is; `None` while only children of it were seen.
    pub info: Option<JobInfo>,
    /// Its metadata, if any chosen key is there.
    pub meta: Option<Box<Chosen>>,
    /// Its own allocations, by task group.
    pub own: Groups,
    /// Those of its children, by task group.
    pub children: Groups,
    /// The part of them that belongs to live children with ended allocations, by ID. Only the live list has these.
    pub partly_ended: BTreeMap<String, Groups>,
    /// Those of the above that the list of dead jobs shows. Only that list has these.
    pub ended: BTreeSet<String>,
    /// How many jobs want what each specification says: itself, or its live children. A template wants nothing itself.
    pub wanted: BTreeMap<SpecificationKey, u64>,
}

/// Counts by task group.
pub type Groups = BTreeMap<String, GroupCounts>;

/// What a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobInfo {
    /// Its scheduler.
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

/// The instances of a task group, by the job's own account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Ended well, ever.
    pub complete: u64,
    /// Ended in failure, ever.
    pub failed: u64,
    /// Lost with their client.
    pub lost: u64,
}

impl NamedJobs {
    /// Returns a job by its namespace and ID.
    pub fn get(&self, namespace: &str, id: &str) -> Option<&NamedJob> {
        self.by_namespace.get(namespace)?.get(id)
    }

    /// The job that is counted under this namespace and ID: the job itself, or its parent.
    pub fn find(&self, namespace: &str, id: &str) -> Option<&str> {
        let jobs = self.by_namespace.get(namespace)?;
        let key = jobs.get_key_value(id).or_else(|| jobs.get_key_value(parent_of(id)?));
        key.map(|(id, _)| id.as_str())
    }
}

/// The parent's ID, by how Nomad names the children of dispatch and of the clock.
fn parent_of(id: &str) -> Option<&str> {
    let at = id.rfind("/dispatch-").or_else(|| id.rfind("/periodic-"))?;
    Some(&id[..at])
}

impl NamedJob {
    /// Returns the specifications that tell what it wants, each with how many jobs want that; `None` if one is unknown.
    pub fn specifications<'s>(&self, known: &'s Specifications) -> Option<Vec<(&'s Specification, u64)>> {
        self.wanted.iter().map(|(key, jobs)| Some((known.get(key)?, *jobs))).collect()
    }

    /// Returns how many allocations each of its task groups is to have; `None` if that is unknown.
    pub fn desired<'s>(&self, known: &'s Specifications) -> Option<BTreeMap<&'s str, u64>> {
        let mut desired = BTreeMap::new();
        for (specification, jobs) in self.specifications(known)? {
            for (name, group) in specification {
                *desired.entry(name.as_str()).or_default() += jobs * group.count?;
            }
        }
        Some(desired)
    }

    /// Returns the allocations of its children that have ended, of the live list and of the one of dead jobs. A child
    /// that is in both has died since the live list was read, and counts as the other one shows it.
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
