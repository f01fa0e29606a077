//! Clients: starting, running, stopping and reporting of allocations.
//!
//! A client has one plan for each allocation: its next step, and when. A new plan replaces the old one. The
//! plan of an unreachable client is carried out when it is back.

mod ending;
mod starting;
mod stopping;

use std::borrow::Cow;
use std::time::SystemTime;

use crate::version::since;

use super::Cluster;
use super::agenda::Event;
use super::allocation::{ClientStatus, Step};
use super::events::{Message, Object};
use super::id::AllocationId;
use super::task::Happened;

impl Cluster {
    /// Takes the next step with an allocation, if the plan is still valid.
    pub(super) fn client_step(&mut self, id: AllocationId, turn: u32) {
        let Some(allocation) = self.allocations.get(&id).filter(|it| it.turn == turn) else { return };
        if !self.is_reachable(allocation.node) {
            return;
        }
        let step = self.allocations.get_mut(&id).and_then(|allocation| allocation.next_step.take());
        match step.map(|(_, step)| step) {
            Some(Step::Receive) => self.receive(id),
            Some(Step::Start) => self.start(id),
            Some(Step::StartMain) => self.prestart_ended(id),
            Some(Step::EndPoststart) => self.poststart_ended(id),
            Some(Step::End) => self.main_ends(id),
            Some(Step::Restart) => self.restart(id),
            Some(Step::Die) => self.died(id),
            Some(Step::StartPoststop) => self.start_poststop(id),
            Some(Step::EndPoststop) => self.poststop_ended(id),
            Some(Step::TimeOut) => self.time_out(id),
            None => {}
        }
    }

    /// Plans the next step, unless the allocation exceeds `max_run_duration` before that.
    pub(super) fn plan(&mut self, id: AllocationId, at: SystemTime, step: Step) {
        let deadline = self.deadline(id);
        let ends = matches!(step, Step::Die | Step::StartPoststop | Step::EndPoststop);
        let next = match deadline.filter(|deadline| *deadline < at && !ends) {
            Some(deadline) => (deadline, Step::TimeOut),
            None => (at, step),
        };
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        allocation.turn += 1;
        allocation.next_step = Some(next);
        self.agenda.enter(next.0.max(now), Event::Client(id, allocation.turn));
    }

    /// Returns when an allocation exceeds `max_run_duration`. Does not apply to stopping allocations.
    fn deadline(&self, id: AllocationId) -> Option<SystemTime> {
        let allocation = self.allocations.get(&id).filter(|it| !it.stop && !it.timed_out)?;
        let longest = allocation.spec.max_run_duration;
        Some(allocation.created + longest.filter(|_| self.version() >= since::MAX_RUN_DURATION)?)
    }

    /// Continues with an allocation of a client that is reachable again. Overdue steps happen at once.
    pub(super) fn resume(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let (unknown, stop) = (allocation.client == ClientStatus::Unknown, allocation.stop);
        if unknown {
            let now = self.now;
            let running = allocation.tasks.iter_mut().filter(|task| task.is_running());
            running.for_each(|task| task.note(now, Happened::Reconnected));
            self.report(id);
        }
        if stop {
            self.kill(id);
        } else if let Some((at, step)) = self.allocations.get(&id).and_then(|it| it.next_step) {
            self.plan(id, at.max(self.now), step);
        }
    }

    /// Reports the task states of an allocation.
    fn report(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        let (status, description) = allocation.client_says();
        let fails = status == ClientStatus::Failed && !allocation.client.is_terminal();
        self.together(Message::AllocationUpdated, |cluster| {
            if fails {
                cluster.allocation_failed(id);
            }
            cluster.set_client_status(id, status, description);
        });
    }

    /// Tells an allocation to stop. Its client stops it later.
    pub(super) fn stop_allocation(&mut self, id: AllocationId, description: impl Into<Cow<'static, str>>) {
        let index = self.write(Message::PlanResult, Object::Allocation(id));
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        if allocation.stop {
            return;
        }
        allocation.stop = true;
        allocation.desired_description = description.into();
        allocation.modify_index = index;
        allocation.modified = now;
        if !allocation.client.is_terminal() {
            self.kill(id);
        }
    }

    /// Marks an allocation as lost with its node.
    pub(super) fn lose_allocation(&mut self, id: AllocationId) {
        self.stop_allocation(id, "alloc is lost since its node is down");
        // The last report of the client remains.
        let description = self.allocations.get(&id).map_or("", |allocation| allocation.client_description);
        self.set_client_status(id, ClientStatus::Lost, description);
    }

    /// Sets the status of an allocation from its task states, and updates everything that depends on it: the
    /// node's load, the job's summary and status, and blocked evaluations.
    pub(super) fn set_client_status(
        &mut self,
        id: AllocationId,
        status: ClientStatus,
        description: &'static str,
    ) {
        let now = self.now;
        let index = self.write(Message::AllocationUpdated, Object::Allocation(id));
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let (old, node, job) = (allocation.client, allocation.node, allocation.job.clone());
        allocation.client = status;
        allocation.client_description = description;
        allocation.modify_index = index;
        allocation.modified = now;
        let ends = status.is_terminal() && !old.is_terminal();
        if ends {
            allocation.finished = Some(now);
        }
        let (group, total, created) = (allocation.group.clone(), allocation.total, allocation.job_created);
        if let Some(node) = self.nodes.get_mut(&node) {
            node.last_allocation_index = index;
            if ends {
                node.live.remove(&id);
                node.allocated = node.allocated - total;
            }
        }
        if self.version().has(since::BATCH_EVAL_GC) {
            self.touch(Object::Node(node));
        }
        if status != old {
            self.count_in_summary(&job, created, &group, Some(old), status);
            self.refresh_status(&job);
        }
        if ends {
            self.capacity_freed();
        }
    }
}
