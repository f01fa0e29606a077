//! Job status, and the counts in job summaries.

use crate::list::Table;
use crate::version::since;

use super::Cluster;
use super::allocation::ClientStatus;
use super::events::Object;
use super::job::{GroupSummary, Job, JobKey, JobStatus};
use super::ledger::{Completion, Outcome};
use super::spec::JobType;

impl Cluster {
    /// Updates a job's status. Nomad does this whenever any part of the job is written.
    pub(super) fn refresh_status(&mut self, key: &JobKey) {
        let Some(job) = self.jobs.get(key) else { return };
        let (old, new) = (job.status, self.status_of(job));
        let completion = (new == JobStatus::Dead && old != new).then(|| Completion {
            time: self.now,
            outcome: self.outcome_of(job),
            by_summary: Outcome::by_summary(job),
        });
        self.count_outcomes(key);
        if old == new {
            return;
        }
        let index = self.index;
        let now = self.now;
        let Some(job) = self.jobs.get_mut(key) else { return };
        job.status = new;
        job.modify_index = index;
        job.modified = now;
        let (parent, record) = (job.parent.clone(), job.record);
        self.written(Table::Jobs, index);
        self.touch(Object::Job(key.clone()));
        self.history.completed(record, completion);
        if let Some(parent) =
            parent.and_then(|id| self.jobs.get_mut(&JobKey { namespace: key.namespace.clone(), id }))
        {
            let left = parent.children.of(old);
            *left = left.saturating_sub(1);
            *parent.children.of(new) += 1;
            parent.summary_index = index;
        }
    }

    fn status_of(&self, job: &Job) -> JobStatus {
        if job.is_template() || job.spec.job_type == JobType::System {
            return if job.stop { JobStatus::Dead } else { JobStatus::Running };
        }
        let deployment = job.deployment.and_then(|id| self.deployments.get(&id));
        if self.version() >= since::DEPLOYMENT_KEEPS_RUNNING
            && deployment.is_some_and(|active| active.is_active())
        {
            return JobStatus::Running;
        }
        let mut allocations = job.allocations.iter().filter_map(|id| self.allocations.get(id));
        if allocations.any(|allocation| !allocation.is_terminal()) {
            return JobStatus::Running;
        }
        let mut evaluations = job.evaluations.iter().filter_map(|id| self.evaluations.get(id));
        if evaluations.any(|evaluation| !evaluation.status.is_terminal()) {
            return JobStatus::Pending;
        }
        if job.evaluated { JobStatus::Dead } else { JobStatus::Pending }
    }

    /// Counts the new status of an allocation in the summary of its job, the one with this create index. A
    /// later job with the same ID does not count it. The numbers of complete and failed allocations only
    /// increase.
    pub(super) fn count_in_summary(
        &mut self,
        key: &JobKey,
        created: u64,
        group: &str,
        old: Option<ClientStatus>,
        new: ClientStatus,
    ) {
        let index = self.index;
        let Some(job) = self.jobs.get_mut(key).filter(|job| job.create_index == created) else { return };
        job.summary_index = index;
        let summary = job.summary.entry(group.to_owned()).or_default();
        if let Some(gauge) = old.and_then(|old| gauge(summary, old)) {
            *gauge = gauge.saturating_sub(1);
        }
        match new {
            ClientStatus::Complete => summary.complete += 1,
            ClientStatus::Failed => summary.failed += 1,
            live => {
                if let Some(gauge) = gauge(summary, live) {
                    *gauge += 1;
                }
            }
        }
        self.written(Table::Jobs, index);
    }

    /// Sets the number of queued allocations in a job's summary, as determined by the scheduler.
    pub(super) fn count_queued(&mut self, key: &JobKey, group: &str, queued: u32) {
        let index = self.index;
        if let Some(job) = self.jobs.get_mut(key) {
            job.summary.entry(group.to_owned()).or_default().queued = queued;
            job.summary_index = index;
            self.written(Table::Jobs, index);
        }
    }

    /// Copies the outcome of a job's allocations to the history, which garbage collection does not affect.
    fn count_outcomes(&mut self, key: &JobKey) {
        if let Some(job) = self.jobs.get(key) {
            let failed = job.summary.values().map(|summary| summary.failed).sum();
            let lost = job.summary.values().map(|summary| summary.lost).sum();
            self.history.count(job.record, failed, lost);
        }
    }
}

/// Returns the count that decreases when an allocation leaves this status.
fn gauge(summary: &mut GroupSummary, status: ClientStatus) -> Option<&mut u32> {
    match status {
        ClientStatus::Pending => Some(&mut summary.starting),
        ClientStatus::Running => Some(&mut summary.running),
        ClientStatus::Unknown => Some(&mut summary.unknown),
        // Decreases if the client reconnects.
        ClientStatus::Lost => Some(&mut summary.lost),
        ClientStatus::Complete | ClientStatus::Failed => None,
    }
}
