//! The end of an allocation's main tasks, and the tasks after them.

use std::time::{Duration, SystemTime};

use crate::cluster::Cluster;
use crate::cluster::allocation::{Fate, MainEnd, Step};
use crate::cluster::id::AllocationId;
use crate::cluster::spec::{Cause, Lifecycle};
use crate::cluster::task::{Happened, TaskRun};

use super::starting::is_poststart;

/// Delay before poststop tasks start.
const BEFORE_POSTSTOP: Duration = Duration::from_millis(250);

fn is_poststop(lifecycle: Option<Lifecycle>) -> bool {
    lifecycle == Some(Lifecycle::Poststop)
}

impl Cluster {
    /// Ends the main tasks as planned.
    pub(super) fn main_ends(&mut self, id: AllocationId) {
        let failing = self.failing_task(id);
        let Some(allocation) = self.allocations.get(&id) else { return };
        let end = match (allocation.fate, failing) {
            // A failing poststop task does not affect the main tasks.
            (Fate::Fails(_, cause), Some(task))
                if !allocation.tasks.get(task).is_some_and(TaskRun::is_poststop) =>
            {
                MainEnd::Failed(task, cause)
            }
            _ => MainEnd::Completed,
        };
        self.main_ended(id, end);
    }

    /// Handles the end of the main tasks. The client first stops other running tasks, and reports the end
    /// after they have exited.
    pub(super) fn main_ended(&mut self, id: AllocationId, end: MainEnd) {
        let now = self.now;
        if let MainEnd::Failed(task, cause) = end
            && self.starts_again(id, task, cause)
        {
            return;
        }
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let goes_on = |number: usize, task: &TaskRun| match end {
            MainEnd::Completed => task.lifecycle == Some(Lifecycle::Sidecar),
            MainEnd::Failed(failed, _) => number != failed && !task.is_poststop(),
        };
        let mut tasks = allocation.tasks.iter().enumerate();
        if tasks.any(|(number, task)| task.is_running() && goes_on(number, task)) {
            allocation.unreported = Some((now, end));
            let kill_time = self.kill_time(id);
            self.plan(id, now + kill_time, Step::Die);
        } else {
            self.note_end(id, now, end);
            self.after_main(id);
        }
    }

    /// Returns whether the client restarts a failed task instead of failing its allocation.
    fn starts_again(&mut self, id: AllocationId, task: usize, cause: Cause) -> bool {
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return false };
        let policy = allocation.spec.restarts;
        let failed = allocation.tasks.get_mut(task).filter(|task| policy.allow(task.restarts));
        let Some(task) = failed.filter(|_| !cause.prevents_setup()) else { return false };
        Happened::of_failure(cause).into_iter().for_each(|what| task.note(now, what));
        task.wait_for_restart(now, policy.delay);
        let name = task.name.clone();
        self.history.restarted(allocation, &name, cause);
        self.report(id);
        self.plan(id, now + policy.delay, Step::Restart);
        true
    }

    /// Records how the main tasks ended, and when.
    pub(super) fn note_end(&mut self, id: AllocationId, time: SystemTime, end: MainEnd) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let timeout = allocation.spec.kill_timeout();
        let unhealthy = allocation.deployment.is_some() && allocation.health.is_none();
        let (failed, cause) = match end {
            MainEnd::Completed => {
                let ends = |task: &&mut TaskRun| {
                    (task.is_main() || is_poststart(task.lifecycle)) && task.is_running()
                };
                allocation.tasks.iter_mut().filter(ends).for_each(|task| task.complete(time));
                for task in allocation.tasks.iter_mut().filter(|task| task.is_running()) {
                    task.note(time, Happened::MainTasksDead);
                    task.be_told_to_stop(time, timeout, None);
                }
                return;
            }
            MainEnd::Failed(failed, cause) => (failed, cause),
        };
        allocation.cause = Some(cause);
        if cause.prevents_setup() {
            for task in &mut allocation.tasks {
                task.note(time, Happened::FailedBy(cause));
                task.failed = true;
                task.die(time);
            }
            return;
        }
        let Some(task) = allocation.tasks.get_mut(failed) else { return };
        let name = task.name.clone();
        Happened::of_failure(cause).into_iter().for_each(|what| task.note(time, what));
        task.fail(time);
        if unhealthy {
            task.note(time, Happened::Unhealthy);
        }
        let siblings = allocation.tasks.iter_mut().filter(|task| !task.is_dead() && !task.is_poststop());
        for sibling in siblings {
            sibling.note(time, Happened::SiblingFailed(name.clone()));
            sibling.be_told_to_stop(time, timeout, None);
            if !sibling.is_running() {
                sibling.die(time);
            }
        }
        self.history.task_failed(allocation, &name, cause);
    }

    /// Schedules the start of poststop tasks, because the end of the main tasks was reported.
    pub(super) fn after_main(&mut self, id: AllocationId) {
        self.report(id);
        let Some(allocation) = self.allocations.get(&id) else { return };
        if allocation.tasks.iter().any(|task| task.is_poststop() && !task.is_dead()) {
            self.plan(id, self.now + BEFORE_POSTSTOP, Step::StartPoststop);
        }
    }

    pub(super) fn start_poststop(&mut self, id: AllocationId) {
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        allocation.tasks_of(is_poststop).filter(|task| !task.is_dead()).for_each(|task| task.start(now));
        let run_time = allocation.longest(is_poststop).unwrap_or_default();
        self.report(id);
        self.plan(id, now + run_time, Step::EndPoststop);
    }

    pub(super) fn poststop_ended(&mut self, id: AllocationId) {
        let now = self.now;
        let failing = self.failing_task(id);
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let fate = allocation.fate;
        for (number, task) in allocation.tasks.iter_mut().enumerate() {
            match fate {
                _ if !task.is_poststop() || task.is_dead() => {}
                Fate::Fails(_, cause) if failing == Some(number) => {
                    Happened::of_failure(cause).into_iter().for_each(|what| task.note(now, what));
                    task.fail(now);
                    allocation.cause = Some(cause);
                }
                _ => task.complete(now),
            }
        }
        self.report(id);
    }

    /// Counts a failed allocation in its deployment, and evaluates its job if it may be rescheduled.
    pub(super) fn allocation_failed(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        self.history.allocation_failed(allocation);
        let (job, stop) = (allocation.job.clone(), allocation.stop);
        let tried = u32::try_from(allocation.reschedules.len()).unwrap_or(u32::MAX);
        let retries = allocation.spec.reschedule.attempts.is_none_or(|attempts| tried < attempts);
        self.unhealthy(id);
        let deployment = self.allocations.get(&id).and_then(|allocation| allocation.deployment);
        // The evaluation comes first, so that the job is never dead in between.
        if retries && !stop {
            self.create_evaluation(&job, "alloc-failure", |evaluation| evaluation.deployment = deployment);
        }
    }
}
