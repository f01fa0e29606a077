//! Deployments: rollout of a job version.

use std::collections::BTreeMap;

use crate::list::Table;

use super::Cluster;
use super::agenda::Event;
use super::allocation::{ClientStatus, Health};
use super::deployment::{Deployment, DeploymentStatus, GroupState};
use super::events::{Message, Object};
use super::id::{AllocationId, DeploymentId};
use super::job::JobKey;
use super::spec::JobType;

impl Cluster {
    /// Starts the deployment of a job's current version, with its first placements.
    pub(super) fn start_deployment(
        &mut self,
        key: &JobKey,
        desired: &BTreeMap<String, u32>,
    ) -> Option<DeploymentId> {
        let job = self.jobs.get(key)?;
        if job.deployment.is_some() {
            return job.deployment;
        }
        let id = self.rng.id();
        let index = self.write(Message::PlanResult, Object::Deployment(id));
        let job = self.jobs.get_mut(key)?;
        job.deployment = Some(id);
        let state = |desired: &u32| GroupState {
            desired: *desired,
            placed: 0,
            healthy: 0,
            unhealthy: 0,
            progress_deadline: self.settings.progress_deadline,
            require_progress_by: None,
        };
        let deployment = Deployment {
            id,
            job: key.clone(),
            job_version: job.version,
            job_modify_index: job.job_modify_index,
            job_create_index: job.create_index,
            priority: job.spec.priority,
            status: DeploymentStatus::Running,
            description: "Deployment is running",
            groups: desired.iter().map(|(group, desired)| (group.clone(), state(desired))).collect(),
            created: self.now,
            modified: self.now,
            create_index: index,
            modify_index: index,
        };
        self.deployments.insert(id, deployment);
        self.enter_in(self.settings.progress_deadline, Event::ProgressDeadline(id));
        Some(id)
    }

    /// Adds an unchanged allocation to the deployment of a newer version.
    pub(super) fn join_deployment(&mut self, id: AllocationId, deployment: Option<DeploymentId>) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        allocation.deployment = deployment;
        allocation.health = None;
        let group = allocation.group.clone();
        if let Some(deployment) = deployment {
            self.deployment_placed(deployment, &group);
            self.enter_in(self.settings.min_healthy, Event::Healthy(id));
        }
    }

    /// Counts a placement.
    pub(super) fn deployment_placed(&mut self, id: DeploymentId, group: &str) {
        let deadline = self.now + self.settings.progress_deadline;
        self.change_group(id, group, |group| {
            group.placed += 1;
            group.require_progress_by.get_or_insert(deadline);
        });
    }

    /// Marks an allocation as healthy if it has run long enough.
    pub(super) fn allocation_healthy(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        // A task that was restarted in the meantime has not run long enough.
        let long = |started| started + self.settings.min_healthy <= self.now;
        let healthy =
            allocation.client == ClientStatus::Running && allocation.main_started().is_some_and(long);
        if !healthy || allocation.stop || allocation.health.is_some() {
            return;
        }
        let (job, group) = (allocation.job.clone(), allocation.group.clone());
        let deadline = self.now + self.settings.progress_deadline;
        let judged = self.together(Message::AllocationUpdated, |cluster| {
            let deployment = cluster.judge(id, true)?;
            cluster.change_group(deployment, &group, |group| {
                group.healthy += 1;
                group.require_progress_by = Some(deadline);
            });
            Some(deployment)
        });
        let Some(deployment) = judged else { return };
        let done = self.deployments.get(&deployment).is_some_and(|deployment| {
            deployment.is_active() && deployment.groups.values().all(|group| group.healthy >= group.desired)
        });
        if done {
            self.end_deployment(
                deployment,
                DeploymentStatus::Successful,
                "Deployment completed successfully",
            );
            let index = self.index;
            if let Some(job) = self.jobs.get_mut(&job) {
                job.stable = true;
                job.modify_index = index;
            }
            self.written(Table::Jobs, index);
            self.touch(Object::Job(job.clone()));
            self.watched(&job, deployment);
        }
    }

    /// Marks an allocation of a deployment as unhealthy, because it has failed.
    pub(super) fn unhealthy(&mut self, id: AllocationId) {
        let Some(group) = self.allocations.get(&id).map(|allocation| allocation.group.clone()) else {
            return;
        };
        let Some(deployment) = self.judge(id, false) else { return };
        self.change_group(deployment, &group, |group| group.unhealthy += 1);
        // If no replacement is allowed, there is nothing to wait for.
        let Some(allocation) = self.allocations.get(&id) else { return };
        let final_failure = allocation.spec.reschedule.attempts == Some(0);
        if final_failure && allocation.spec.job_type == JobType::Service {
            let job = allocation.job.clone();
            let description = "Failed due to unhealthy allocations";
            self.end_deployment(deployment, DeploymentStatus::Failed, description);
            self.watched(&job, deployment);
        }
    }

    /// Sets the health of an allocation in an active deployment.
    fn judge(&mut self, id: AllocationId, healthy: bool) -> Option<DeploymentId> {
        let deployment = self.allocations.get(&id)?.deployment?;
        if !self.deployments.get(&deployment)?.is_active() {
            return None;
        }
        let index = self.write(Message::AllocationUpdated, Object::Allocation(id));
        let time = self.now;
        let allocation = self.allocations.get_mut(&id)?;
        allocation.health = Some(Health { healthy, time, index });
        allocation.modify_index = index;
        Some(deployment)
    }

    /// Fails a deployment without progress. A deployment without placements gets more time.
    pub(super) fn check_progress(&mut self, id: DeploymentId) {
        let Some(deployment) = self.deployments.get(&id).filter(|deployment| deployment.is_active()) else {
            return;
        };
        let job = deployment.job.clone();
        let deadline = deployment.groups.values().filter_map(|group| group.require_progress_by).min();
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            self.end_deployment(id, DeploymentStatus::Failed, "Failed due to progress deadline");
            self.watched(&job, id);
        } else {
            let next = deadline.unwrap_or(self.now + self.settings.progress_deadline);
            self.agenda.enter(next, Event::ProgressDeadline(id));
        }
    }

    /// Cancels the active deployment of a job, if there is one.
    pub(super) fn cancel_deployment(&mut self, key: &JobKey, description: &'static str) {
        let deployment = self.jobs.get(key).and_then(|job| job.deployment);
        if let Some(active) =
            deployment.and_then(|id| self.deployments.get(&id)).filter(|active| active.is_active())
        {
            self.end_deployment(active.id, DeploymentStatus::Cancelled, description);
        }
    }

    fn end_deployment(&mut self, id: DeploymentId, status: DeploymentStatus, description: &'static str) {
        let index = self.write(Message::DeploymentStatusUpdate, Object::Deployment(id));
        let now = self.now;
        let Some(deployment) = self.deployments.get_mut(&id) else { return };
        deployment.status = status;
        deployment.description = description;
        deployment.modify_index = index;
        deployment.modified = now;
        let job = deployment.job.clone();
        self.refresh_status(&job);
    }

    fn change_group(&mut self, id: DeploymentId, group: &str, change: impl FnOnce(&mut GroupState)) {
        let index = self.write(Message::AllocationUpdated, Object::Deployment(id));
        let now = self.now;
        let Some(deployment) = self.deployments.get_mut(&id) else { return };
        deployment.modify_index = index;
        deployment.modified = now;
        if let Some(state) = deployment.groups.get_mut(group) {
            change(state);
        }
    }

    /// Creates an evaluation, like Nomad's deployment watcher.
    fn watched(&mut self, job: &JobKey, deployment: DeploymentId) {
        self.create_evaluation(job, "deployment-watcher", |evaluation| {
            evaluation.deployment = Some(deployment)
        });
    }
}
