//! What clients do with allocations: start, run, stop.

use std::time::SystemTime;

use crate::list::Table;

use super::Cluster;
use super::agenda::Event;
use super::allocation::{ClientStatus, Fate};
use super::id::AllocationId;
use super::node::NodeStatus;

impl Cluster {
    pub(super) fn allocation_started(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let reachable = self.nodes.get(&allocation.node).is_some_and(|node| node.status == NodeStatus::Ready);
        if allocation.client != ClientStatus::Pending || allocation.stop || !reachable {
            return;
        }
        allocation.started = Some(self.now);
        let watched = allocation.deployment.is_some();
        self.set_client_status(id, ClientStatus::Running, "Tasks are running");
        self.enter_end(id);
        if watched {
            self.enter_in(self.settings.min_healthy, Event::Healthy(id));
        }
    }

    /// Enters the end that an allocation's fate has for it; at once if it is overdue.
    pub(super) fn enter_end(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        let end: Option<SystemTime> = match allocation.fate {
            Fate::RunsOn => None,
            Fate::Completes(after) | Fate::Fails(after) => allocation.started.map(|started| started + after),
        };
        if let Some(end) = end {
            self.agenda.enter(end.max(self.now), Event::Ended(id));
        }
    }

    pub(super) fn allocation_ended(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        // A client out of sight tells it when it is back.
        if allocation.client != ClientStatus::Running || !self.is_reachable(allocation.node) {
            return;
        }
        if matches!(allocation.fate, Fate::Fails(_)) {
            self.allocation_failed(id);
        } else {
            self.set_client_status(id, ClientStatus::Complete, "All tasks have completed");
        }
    }

    fn allocation_failed(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        let (job, stop) = (allocation.job.clone(), allocation.stop);
        let retries = allocation.spec.reschedule.attempts.is_none_or(|attempts| attempts > 0);
        self.unhealthy(id);
        let deployment = self.allocations.get(&id).and_then(|allocation| allocation.deployment);
        // First the evaluation, so that the job is never taken for dead in between.
        if retries && !stop {
            self.create_evaluation(&job, "alloc-failure", |evaluation| evaluation.deployment = deployment);
        }
        self.set_client_status(id, ClientStatus::Failed, "Failed tasks");
    }

    /// Tells an allocation to stop. Its client takes its time.
    pub(super) fn stop_allocation(&mut self, id: AllocationId, description: &'static str) {
        let index = self.write(Table::Allocations);
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        if allocation.stop {
            return;
        }
        allocation.stop = true;
        allocation.desired_description = description;
        allocation.modify_index = index;
        allocation.modified = now;
        if !allocation.client.is_terminal() {
            self.enter_in(self.settings.stopping, Event::Stopped(id));
        }
    }

    /// An allocation is gone with its node.
    pub(super) fn lose_allocation(&mut self, id: AllocationId) {
        self.stop_allocation(id, "alloc is lost since its node is down");
        // What the client said last stays.
        let description = self.allocations.get(&id).map_or("", |allocation| allocation.client_description);
        self.set_client_status(id, ClientStatus::Lost, description);
    }

    pub(super) fn allocation_stopped(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        if !allocation.client.is_terminal() && self.is_reachable(allocation.node) {
            self.set_client_status(id, ClientStatus::Complete, "All tasks have completed");
        }
    }

    /// The status as the client tells it, with all that depends on it: the node's load, the job's summary and
    /// status, and the evaluations that wait for room.
    pub(super) fn set_client_status(
        &mut self,
        id: AllocationId,
        status: ClientStatus,
        description: &'static str,
    ) {
        let now = self.now;
        let Some(allocation) = self.allocations.get(&id).filter(|allocation| allocation.client != status)
        else {
            return;
        };
        let (old, node, job) = (allocation.client, allocation.node, allocation.job.clone());
        let index = self.write(Table::Allocations);
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        allocation.client = status;
        allocation.client_description = description;
        allocation.modify_index = index;
        allocation.modified = now;
        let ends = status.is_terminal() && !old.is_terminal();
        if ends {
            allocation.finished = Some(now);
        }
        let (group, total) = (allocation.group.clone(), allocation.total);
        if let Some(node) = self.nodes.get_mut(&node) {
            node.last_allocation_index = index;
            if ends {
                node.live.remove(&id);
                node.allocated = node.allocated - total;
            }
        }
        self.count_in_summary(&job, &group, Some(old), status);
        self.refresh_status(&job);
        if ends {
            self.capacity_freed();
        }
    }
}
