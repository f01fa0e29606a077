//! Stopping of allocations.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::cluster::allocation::{Step, TIMED_OUT};
use crate::cluster::events::Object;
use crate::cluster::id::AllocationId;
use crate::cluster::node::Node;
use crate::cluster::task::{Happened, TaskRun};
use crate::version::since;

/// One in this many drained allocations fails, in Nomad versions in which this was observed.
const DRAINED_FAILS: u64 = 8;

impl Cluster {
    /// Returns how long the tasks of an allocation take to exit.
    pub(super) fn kill_time(&self, id: AllocationId) -> Duration {
        let own = self.allocations.get(&id).and_then(|allocation| allocation.spec.kill_time);
        own.unwrap_or(self.settings.stopping)
    }

    /// Tells the tasks of an allocation to stop, except poststop tasks.
    pub(in crate::cluster) fn kill(&mut self, id: AllocationId) {
        let now = self.now;
        let at = now + self.kill_time(id);
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let timeout = allocation.spec.kill_timeout();
        if allocation.tasks.iter().all(TaskRun::is_dead) {
            return;
        }
        let dies = allocation.unreported.is_some() || allocation.timed_out;
        match allocation.next_step {
            Some((at, step)) if dies || matches!(step, Step::StartPoststop | Step::EndPoststop) => {
                self.plan(id, at.max(now), step);
                return;
            }
            _ => {}
        }
        let reachable = self.nodes.get(&allocation.node).is_some_and(Node::is_ready);
        if allocation.is_received() && reachable {
            let told = allocation.tasks.iter_mut().filter(|task| !task.is_dead() && !task.is_poststop());
            told.for_each(|task| task.be_told_to_stop(now, timeout, None));
            self.touch(Object::Allocation(id));
        }
        self.plan(id, at, Step::Die);
    }

    /// Handles the exit of the stopped tasks.
    pub(super) fn died(&mut self, id: AllocationId) {
        let now = self.now;
        let unreported = self.allocations.get_mut(&id).and_then(|allocation| allocation.unreported.take());
        if let Some((time, end)) = unreported {
            self.note_end(id, time, end);
        }
        let fails = self.version() < since::V1_11 && id.seed().is_multiple_of(DRAINED_FAILS);
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let fails = fails && allocation.is_drained();
        let all = allocation.timed_out;
        for task in allocation.tasks.iter_mut().filter(|task| all || !task.is_poststop()) {
            if task.is_dead() {
                continue;
            }
            if fails && task.is_main() && task.is_running() {
                task.note(now, Happened::DONE);
                task.fail(now);
            } else {
                task.be_killed(now);
            }
        }
        self.after_main(id);
    }

    /// Handles an allocation that exceeds `max_run_duration`. Its client reports it as complete while its
    /// tasks are still exiting.
    pub(super) fn time_out(&mut self, id: AllocationId) {
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let timeout = allocation.spec.kill_timeout();
        allocation.timed_out = true;
        for task in allocation.tasks.iter_mut().filter(|task| !task.is_dead()) {
            task.be_told_to_stop(now, timeout, Some(TIMED_OUT));
        }
        self.report(id);
        self.plan(id, now + self.kill_time(id), Step::Die);
    }
}
