//! Drains: services migrate, batch jobs finish, system jobs stop last.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use crate::version::since;

use super::agenda::Event;
use super::allocation::ClientStatus;
use super::events::{Message, Object};
use super::id::{AllocationId, NodeId};
use super::job::JobKey;
use super::node::{DrainStrategy, LastDrain};
use super::spec::JobType;
use super::{Allocation, Cluster};

/// Nomad's default for `migrate.max_parallel`.
const MAX_PARALLEL: usize = 1;

impl Cluster {
    /// Drains a node, with an optional deadline; a deadline of zero stops everything at once. The node
    /// becomes and stays ineligible. For an active drain, this changes the settings and restarts the
    /// deadline.
    pub fn drain(&mut self, id: NodeId, deadline: Option<Duration>, ignore_system_jobs: bool) {
        self.commit();
        let index = self.write(Message::NodeDrain, Object::Node(id));
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        // Changing a drain does not change its start.
        let started = node.drain.map_or(now, |drain| drain.started);
        let force_deadline = deadline.map(|deadline| now + deadline);
        let strategy = DrainStrategy { deadline, ignore_system_jobs, started, force_deadline };
        node.drain = Some(strategy);
        node.eligible = false;
        node.last_drain = Some(LastDrain { started, updated: now, status: "draining" });
        self.node_event(id, index, "Node drain strategy set", "Drain");
        self.draining.insert(id);
        if let Some(deadline) = force_deadline {
            self.agenda.enter(deadline, Event::DrainDeadline(id, started));
        }
    }

    /// Cancels a drain. Allocations that are already stopping still stop. A node without a drain becomes
    /// eligible if requested.
    pub fn cancel_drain(&mut self, id: NodeId, mark_eligible: bool) {
        self.commit();
        let index = self.write(Message::NodeDrain, Object::Node(id));
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.eligible |= mark_eligible;
        if let (Some(_), Some(last)) = (node.drain.take(), &mut node.last_drain) {
            last.status = "canceled";
            last.updated = now;
        }
        self.draining.remove(&id);
        self.node_event(id, index, "Node drain disabled", "Drain");
        self.node_changed(id);
    }

    /// Takes the next step of all drains.
    pub(super) fn drive_drains(&mut self) {
        for id in self.draining.iter().copied().collect::<Vec<_>>() {
            self.drive_drain(id);
        }
    }

    pub(super) fn drain_deadline(&mut self, id: NodeId, started: SystemTime) {
        let drain = self.nodes.get(&id).and_then(|node| node.drain);
        let due = |drain: &DrainStrategy| drain.force_deadline.is_some_and(|deadline| deadline <= self.now);
        if drain.is_some_and(|drain| drain.started == started && due(&drain)) {
            self.finish_drain(id, true);
        }
    }

    fn drive_drain(&mut self, id: NodeId) {
        let waiting = self.waiting_on(id);
        if waiting.is_empty() {
            self.finish_drain(id, false);
            return;
        }
        let services = waiting.iter().filter_map(|id| self.allocations.get(id));
        let services =
            services.filter(|it| it.spec.job_type == JobType::Service && !it.is_terminal() && !it.migrate);
        let groups: BTreeSet<(JobKey, String)> =
            services.map(|it| (it.job.clone(), it.group.clone())).collect();
        for (job, group) in groups {
            let moving: Vec<AllocationId> = self
                .live(&waiting)
                .filter(|it| it.job == job && it.group == group && !it.migrate)
                .map(|it| it.id)
                .take(self.may_migrate(&job, &group))
                .collect();
            self.migrate(&moving);
        }
    }

    /// Returns the allocations that a drain waits for: all except those of system jobs.
    fn waiting_on(&self, id: NodeId) -> Vec<AllocationId> {
        let patient = self.version().has(since::DRAIN_WAITS_FOR_CLIENT);
        let Some(node) = self.nodes.get(&id) else { return Vec::new() };
        let live = node.live.iter().filter_map(|id| self.allocations.get(id));
        live.filter(|it| it.spec.job_type != JobType::System && (patient || !it.stop))
            .map(|it| it.id)
            .collect()
    }

    fn live<'a>(&'a self, ids: &'a [AllocationId]) -> impl Iterator<Item = &'a Allocation> {
        ids.iter().filter_map(|id| self.allocations.get(id)).filter(|it| !it.is_terminal())
    }

    /// Returns how many more allocations of a group may migrate now, so that all but `max_parallel` stay
    /// healthy.
    fn may_migrate(&self, key: &JobKey, group: &str) -> usize {
        let Some(job) = self.jobs.get(key) else { return 0 };
        let wanted =
            job.spec.group(group).map_or(0, |group| usize::try_from(group.count).unwrap_or(usize::MAX));
        let allocations = job.allocations.iter().filter_map(|id| self.allocations.get(id));
        let healthy = allocations.filter(|it| {
            let running = it.client == ClientStatus::Running && !it.stop && !it.migrate;
            running
                && it.group == group
                && (it.deployment.is_none() || it.health.is_some_and(|it| it.healthy))
        });
        (healthy.count() + MAX_PARALLEL).saturating_sub(wanted)
    }

    /// Completes a drain, naturally or at its deadline. It is complete at once, although remaining
    /// allocations are still stopping.
    fn finish_drain(&mut self, id: NodeId, deadline_reached: bool) {
        let index = self.write(Message::NodeDrain, Object::Node(id));
        let now = self.now;
        let ids: Vec<_> = self.nodes.get(&id).iter().flat_map(|node| node.live.iter().copied()).collect();
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(drain) = node.drain.take() else { return };
        if let Some(last) = &mut node.last_drain {
            last.status = "complete";
            last.updated = now;
        }
        self.draining.remove(&id);
        self.node_event(id, index, "Node drain complete", "Drain");
        if let Some(event) = self.nodes.get_mut(&id).and_then(|node| node.events.last_mut()) {
            event.deadline_reached = deadline_reached;
        }
        let leaves = |it: &&Allocation| !drain.ignore_system_jobs || it.spec.job_type != JobType::System;
        let remaining: Vec<_> = self.live(&ids).filter(leaves).map(|it| it.id).collect();
        self.migrate(&remaining);
    }

    /// Marks allocations for migration, and evaluates their jobs.
    fn migrate(&mut self, ids: &[AllocationId]) {
        let message = Message::AllocationUpdateDesiredStatus;
        self.together(message, |cluster| cluster.migrate_together(ids, message));
    }

    fn migrate_together(&mut self, ids: &[AllocationId], message: Message) {
        let disables_placement = self.version() >= since::V1_11;
        let mut jobs = BTreeSet::new();
        for id in ids {
            let index = self.write(message, Object::Allocation(*id));
            if let Some(allocation) = self.allocations.get_mut(id) {
                allocation.migrate = true;
                allocation.modify_index = index;
                // A batch job that has not finished at the deadline is not rescheduled.
                allocation.no_replacement = disables_placement && allocation.spec.job_type == JobType::Batch;
                jobs.insert(allocation.job.clone());
            }
        }
        for job in jobs {
            let deployment = self.jobs.get(&job).and_then(|job| job.deployment);
            self.create_evaluation(&job, "node-drain", |evaluation| evaluation.deployment = deployment);
        }
    }
}
