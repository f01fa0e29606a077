//! Scheduling of service and batch jobs: a number of allocations per group, on any nodes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::cluster::allocation::{Allocation, ClientStatus, MIGRATED, RescheduleEvent};
use crate::cluster::events::{Message, Object};
use crate::cluster::id::{AllocationId, EvaluationId};
use crate::cluster::job::{Job, JobKey};
use crate::cluster::spec::JobType;
use crate::cluster::{Cluster, DesiredUpdates};
use crate::version::since;

use super::SchedulerOutcome;
use super::placement::NewAllocation;

/// Maximum delay before a service is rescheduled.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// Decision about the latest allocation of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Decision {
    /// Keep it: it runs, or has ended permanently.
    Keep,
    /// Replace it, because it has ended or is ending.
    Replace,
    /// Stop it for a drain, and replace it.
    Migrate,
    /// Stop it for a drain, without replacement.
    Drain,
    /// Stop it for a new version.
    Update,
    /// Keep it running as part of the new version.
    UpdateInPlace,
    /// Replace the failed allocation now.
    Reschedule(Duration),
    /// Replace the failed allocation later.
    RescheduleLater(SystemTime),
}

impl Cluster {
    pub(super) fn reconcile_groups(&mut self, key: &JobKey, evaluation: EvaluationId) -> SchedulerOutcome {
        let mut outcome = SchedulerOutcome::default();
        let mut placements = Vec::new();
        let mut updated = Vec::new();
        let Some(job) = self.jobs.get(key) else { return outcome };
        let spec = job.spec.clone();
        for group in &spec.groups {
            let latest = self.latest(key, &group.name);
            let mut updates = DesiredUpdates::default();
            for slot in 0..group.count {
                match latest.get(&slot) {
                    None => {
                        updates.place += 1;
                        placements.push(NewAllocation::new(&group.name, slot, None));
                    }
                    Some(id) => {
                        let before = updates.in_place_update;
                        placements.extend(self.act_on(*id, evaluation, &mut updates));
                        updated.extend((updates.in_place_update > before).then_some(*id));
                    }
                }
            }
            let surplus = latest.range(group.count..).map(|(_, id)| *id);
            for id in surplus
                .filter(|id| self.allocations.get(id).is_some_and(|it| !it.is_terminal()))
                .collect::<Vec<_>>()
            {
                updates.stop += 1;
                self.stop_allocation(id, "alloc not needed due to job update");
            }
            outcome.queued.insert(group.name.clone(), 0);
            outcome.updates.insert(group.name.clone(), updates);
        }
        self.stop_dropped_groups(key);
        if spec.job_type == JobType::Service && !(placements.is_empty() && updated.is_empty()) {
            let desired = spec.groups.iter().map(|group| (group.name.clone(), group.count)).collect();
            let deployment = self.start_deployment(key, &desired);
            for id in updated {
                self.join_deployment(id, deployment);
            }
        }
        if let Some(job) = self.jobs.get(key)
            && let Some(evaluation) = self.evaluations.get_mut(&evaluation)
        {
            evaluation.deployment = job.deployment;
        }
        for placement in placements {
            self.place_anywhere(key, evaluation, placement, &mut outcome);
        }
        outcome
    }

    /// Returns the newest allocation of each slot of a group.
    fn latest(&self, key: &JobKey, group: &str) -> BTreeMap<u32, AllocationId> {
        let Some(job) = self.jobs.get(key) else { return BTreeMap::new() };
        let allocations = job.allocations.iter().filter_map(|id| self.allocations.get(id));
        allocations
            .filter(|it| it.group == group)
            .map(|allocation| (allocation.slot, allocation.id))
            .collect()
    }

    /// Stops allocations of removed groups.
    fn stop_dropped_groups(&mut self, key: &JobKey) {
        let Some(job) = self.jobs.get(key) else { return };
        let allocations = job.allocations.iter().filter_map(|id| self.allocations.get(id));
        let dropped = allocations.filter(|it| !it.is_terminal() && job.spec.group(&it.group).is_none());
        for id in dropped.map(|allocation| allocation.id).collect::<Vec<_>>() {
            self.stop_allocation(id, "alloc not needed due to job update");
        }
    }

    /// Acts on the latest allocation of a slot. Returns its replacement, if any.
    fn act_on(
        &mut self,
        id: AllocationId,
        evaluation: EvaluationId,
        updates: &mut DesiredUpdates,
    ) -> Option<NewAllocation> {
        let allocation = self.allocations.get(&id)?;
        let successor = |previous| NewAllocation::new(&allocation.group, allocation.slot, previous);
        let (first, next) = (successor(None), successor(Some(id)));
        let job = self.jobs.get(&allocation.job)?;
        match decide(job, allocation, self.now) {
            Decision::Keep => {
                updates.ignore += 1;
                None
            }
            Decision::Replace => {
                updates.place += 1;
                // If it ended for another reason, the new allocation does not refer to it.
                Some(if allocation.client == ClientStatus::Lost { next } else { first })
            }
            Decision::Migrate => {
                updates.migrate += 1;
                self.stop_allocation(id, MIGRATED);
                Some(next)
            }
            Decision::Drain => {
                updates.migrate += 1;
                self.stop_allocation(id, MIGRATED);
                None
            }
            Decision::Update => {
                updates.destructive_update += 1;
                self.stop_allocation(id, "alloc is being updated due to job update");
                Some(next)
            }
            Decision::UpdateInPlace => {
                updates.in_place_update += 1;
                self.update_in_place(id);
                None
            }
            Decision::Reschedule(delay) => {
                updates.reschedule_now += 1;
                let event =
                    RescheduleEvent { time: self.now, previous: id, previous_node: allocation.node, delay };
                let old = self.version() < since::ALLOC_RESCHEDULE;
                self.stop_allocation(id, if old { "alloc was rescheduled because it failed" } else { "" });
                Some(next.rescheduled(Some(event)))
            }
            Decision::RescheduleLater(at) => {
                updates.reschedule_later += 1;
                self.reschedule_later(id, evaluation, at);
                None
            }
        }
    }

    /// Adds an unchanged allocation to its job's newest version.
    pub(super) fn update_in_place(&mut self, id: AllocationId) {
        let index = self.write(Message::PlanResult, Object::Allocation(id));
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let Some(job) = self.jobs.get(&allocation.job) else { return };
        allocation.version = job.version;
        allocation.spec = job.spec.clone();
        allocation.job_submitted = (job.job_modify_index, job.submitted);
        allocation.modify_index = index;
        allocation.modified = now;
    }

    fn reschedule_later(&mut self, id: AllocationId, evaluation: EvaluationId, at: SystemTime) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        let waits = |followup| self.evaluations.get(&followup).is_some_and(|it| !it.status.is_terminal());
        if allocation.followup.is_some_and(waits) {
            return;
        }
        let key = allocation.job.clone();
        let job_modify_index = self.jobs.get(&key).map_or(0, |job| job.job_modify_index);
        let snapshot = self.index;
        let followup = self.create_evaluation(&key, self.reschedule_trigger(), |it| {
            it.snapshot_index = snapshot;
            it.wait_until = Some(at);
            it.previous = Some(evaluation);
            it.job_modify_index = job_modify_index;
            it.description = "created for delayed rescheduling".to_owned();
        });
        let index = self.write(Message::PlanResult, Object::Allocation(id));
        if let Some(allocation) = self.allocations.get_mut(&id) {
            allocation.followup = followup;
            allocation.modify_index = index;
        }
        if let Some(evaluation) = self.evaluations.get_mut(&evaluation) {
            evaluation.next = followup;
        }
    }
}

fn decide(job: &Job, allocation: &Allocation, now: SystemTime) -> Decision {
    let current = allocation.version == job.version;
    if allocation.stop {
        let for_good = allocation.no_replacement && allocation.client != ClientStatus::Lost;
        // In a stopped batch job, tasks that ended without failing count as done.
        let done = job.spec.job_type == JobType::Batch
            && current
            && allocation.client == ClientStatus::Complete
            && allocation.preempted_by.is_none()
            && allocation.is_received();
        return if for_good || done { Decision::Keep } else { Decision::Replace };
    }
    match allocation.client {
        ClientStatus::Complete if current && job.spec.job_type.completes() => Decision::Keep,
        ClientStatus::Failed if current => after_failure(job, allocation, now),
        ClientStatus::Complete | ClientStatus::Failed | ClientStatus::Lost => Decision::Replace,
        ClientStatus::Unknown => Decision::Keep,
        ClientStatus::Pending | ClientStatus::Running => {
            if !current && allocation.spec.runs_on_as(&job.spec, &allocation.group) {
                Decision::UpdateInPlace
            } else if !current {
                Decision::Update
            } else if allocation.migrate && allocation.no_replacement {
                Decision::Drain
            } else if allocation.migrate {
                Decision::Migrate
            } else {
                Decision::Keep
            }
        }
    }
}

fn after_failure(job: &Job, allocation: &Allocation, now: SystemTime) -> Decision {
    let policy = job.spec.reschedule;
    let tried = u32::try_from(allocation.reschedules.len()).unwrap_or(u32::MAX);
    let delay = match policy.attempts {
        Some(attempts) if tried >= attempts => return Decision::Keep,
        Some(_) => policy.delay,
        None => policy.delay.saturating_mul(2_u32.saturating_pow(tried)).min(LONGEST_DELAY),
    };
    let at = allocation.finished.unwrap_or(now) + delay;
    if at <= now { Decision::Reschedule(delay) } else { Decision::RescheduleLater(at) }
}
