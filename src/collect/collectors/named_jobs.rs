//! Jobs that have series of their own, gathered as they come.

use crate::collect::at;
use crate::nomad::api::{Job, TaskGroupSummary, count};
use crate::snapshot::{GroupCounts, JobInfo, NamedJobs};
use crate::terms::{JobStatus, JobType};

/// The ID under which a job has series of its own: its parent's, if it has one.
pub(in crate::collect) fn name(job: &Job) -> Option<&str> {
    job.parent().or(job.id.as_deref())
}

/// Adds a job to those that have series of their own, or its instances to its parent.
pub(in crate::collect) fn add(named: &mut NamedJobs, job: &Job, max_jobs: usize) {
    let dead_build =
        job.status == JobStatus::Dead && matches!(job.job_type, JobType::Batch | JobType::Sysbatch);
    if dead_build && job.parent().is_none() {
        // Finished builds are counted, not named.
        return;
    }
    let id = name(job).unwrap_or_default();
    let jobs = at(&mut named.by_namespace, job.namespace());
    if !jobs.contains_key(id) {
        if named.count >= max_jobs {
            if job.parent().is_none() {
                named.dropped_jobs += 1;
                named.dropped_groups += job.groups().count() as u64;
            }
            return;
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
        });
    }
    for (group, summary) in job.groups() {
        *at(&mut entry.groups, group) += counts(summary);
    }
}

fn counts(summary: &TaskGroupSummary) -> GroupCounts {
    GroupCounts {
        complete: count(summary.complete),
        failed: count(summary.failed),
        lost: count(summary.lost),
    }
}

/// Forgets children whose parent was not seen: there is no job to show them under.
pub(in crate::collect) fn finish(named: &mut NamedJobs) {
    for jobs in named.by_namespace.values_mut() {
        jobs.retain(|_, job| job.info.is_some());
    }
}
