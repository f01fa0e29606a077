//! Jobs with series of their own.

use crate::nomad::api::{Job, TaskGroupSummary, count};
use crate::snapshot::{GroupCounts, Groups, JobInfo, NamedJob, NamedJobs, SpecificationKey};
use crate::terms::{JobStatus, JobType, at};

/// Returns the ID under which a job has series of its own: its parent's ID, or its own if it has no parent.
pub(in crate::collect) fn name(job: &Job) -> Option<&str> {
    job.parent().or(job.id.as_deref())
}

/// Adds a live job with series of its own, or adds its allocations to its parent. `key` returns the
/// specification with its desired number of allocations.
pub(in crate::collect) fn add_live(
    named: &mut NamedJobs,
    job: &Job,
    max_jobs: usize,
    key: impl FnOnce() -> SpecificationKey,
) {
    let Some(entry) = add(named, job, max_jobs) else { return };
    *entry.wanted.entry(key()).or_default() += u64::from(job.template().is_none());
    let groups: Groups = job.groups().map(|(name, group)| (name.to_owned(), counts(group))).collect();
    if job.parent().is_some() && groups.values().any(GroupCounts::has_ended) {
        entry.partly_ended.insert(job.id.clone().unwrap_or_default(), groups);
    }
}

/// Adds a dead job in the same way. `live` are the live jobs of the last list.
pub(in crate::collect) fn add_dead(named: &mut NamedJobs, job: &Job, max_jobs: usize, live: &NamedJobs) {
    let Some(entry) = add(named, job, max_jobs) else { return };
    let (Some(parent), Some(id)) = (job.parent(), &job.id) else {
        entry.wanted.insert(own_specification(job), u64::from(job.template().is_none()));
        return;
    };
    if live.get(job.namespace(), parent).is_some_and(|parent| parent.partly_ended.contains_key(id)) {
        entry.ended.insert(id.clone());
    }
}

/// Returns the key of the job's own specification.
pub(in crate::collect) fn own_specification(job: &Job) -> SpecificationKey {
    SpecificationKey {
        namespace: job.namespace().to_owned(),
        job_id: job.id.clone().unwrap_or_default(),
        modify_index: job.job_modify_index.unwrap_or_default(),
    }
}

/// Returns whether a job can have series of its own. Finished builds are only counted, because there are too many.
pub(in crate::collect) fn is_named(job: &Job) -> bool {
    let is_build = matches!(job.job_type, JobType::Batch | JobType::Sysbatch) && job.parent().is_none();
    job.status != JobStatus::Dead || !is_build
}

fn add<'a>(named: &'a mut NamedJobs, job: &Job, max_jobs: usize) -> Option<&'a mut NamedJob> {
    if !is_named(job) {
        return None;
    }
    let id = name(job).unwrap_or_default();
    let jobs = at(&mut named.by_namespace, job.namespace());
    if !jobs.contains_key(id) {
        if named.count >= max_jobs {
            if job.parent().is_none() {
                named.dropped_jobs += 1;
                named.dropped_groups += job.groups().count() as u64;
            }
            return None;
        }
        named.count += 1;
    }
    let entry = at(jobs, id);
    if job.parent().is_none() {
        entry.info = Some(JobInfo {
            job_type: job.job_type,
            node_pool: job.node_pool.clone().unwrap_or_default(),
            priority: job.priority.unwrap_or_default(),
            status: job.status,
            stopped: job.stop == Some(true),
        });
    }
    let groups = if job.parent().is_none() { &mut entry.own } else { &mut entry.children };
    for (group, summary) in job.groups() {
        *at(groups, group) += counts(summary);
    }
    Some(entry)
}

fn counts(summary: &TaskGroupSummary) -> GroupCounts {
    GroupCounts {
        complete: count(summary.complete),
        failed: count(summary.failed),
        lost: count(summary.lost),
    }
}

/// Removes children whose parent is not in the list, because there is no job to report them under.
pub(in crate::collect) fn finish(named: &mut NamedJobs) {
    for jobs in named.by_namespace.values_mut() {
        jobs.retain(|_, job| job.info.is_some());
    }
}
