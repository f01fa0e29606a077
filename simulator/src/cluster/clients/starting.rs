//! Starting of allocations, from their placement to running tasks.

use std::time::{Duration, SystemTime};

use crate::cluster::Cluster;
use crate::cluster::agenda::Event;
use crate::cluster::allocation::{Fate, MainEnd, Step};
use crate::cluster::id::AllocationId;
use crate::cluster::spec::Lifecycle;
use crate::cluster::task::{Happened, TaskRun};

/// Maximum delay until a client receives an allocation.
const RECEIPT: Duration = Duration::from_millis(100);
/// Interval at which a client checks whether preempted allocations have stopped.
const WAIT_FOR_EVICTED: Duration = Duration::from_millis(500);

fn is_prestart(lifecycle: Option<Lifecycle>) -> bool {
    lifecycle == Some(Lifecycle::Prestart)
}

fn comes_first(lifecycle: Option<Lifecycle>) -> bool {
    matches!(lifecycle, Some(Lifecycle::Prestart | Lifecycle::Sidecar))
}

pub(super) fn is_poststart(lifecycle: Option<Lifecycle>) -> bool {
    lifecycle == Some(Lifecycle::Poststart)
}

impl Cluster {
    /// Sends a new allocation to its client.
    pub(in crate::cluster) fn send_to_client(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        let at = allocation.created + allocation.startup.min(RECEIPT);
        self.plan(id, at, Step::Receive);
    }

    pub(super) fn receive(&mut self, id: AllocationId) {
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let start = allocation.created + allocation.startup;
        let setup_fails = matches!(allocation.fate, Fate::Fails(_, cause) if cause.prevents_setup());
        allocation.tasks.iter_mut().for_each(|task| task.note(now, Happened::Received));
        let staged = allocation.tasks.iter().any(|task| comes_first(task.lifecycle));
        let first = |task: &&mut TaskRun| if staged { comes_first(task.lifecycle) } else { task.is_main() };
        if !setup_fails {
            allocation.tasks.iter_mut().filter(first).for_each(|task| task.set_up(now));
        }
        self.report(id);
        self.plan(id, start, Step::Start);
    }

    /// Starts the first tasks, once preempted allocations have stopped.
    pub(super) fn start(&mut self, id: AllocationId) {
        let now = self.now;
        let Some(allocation) = self.allocations.get(&id) else { return };
        let mut evicted = allocation.preempted.iter().filter_map(|id| self.allocations.get(id));
        if evicted.any(|it| !it.client.is_terminal()) {
            self.plan(id, now + WAIT_FOR_EVICTED, Step::Start);
            return;
        }
        if let Fate::Fails(_, cause) = allocation.fate
            && cause.prevents_setup()
        {
            self.main_ended(id, MainEnd::Failed(0, cause));
            return;
        }
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let mut staged = false;
        for task in allocation.tasks_of(comes_first) {
            task.start(now);
            staged = true;
        }
        match allocation.longest(is_prestart) {
            Some(run_time) => {
                self.has_started(id);
                self.report(id);
                self.plan(id, now + run_time, Step::StartMain);
            }
            None => {
                if staged {
                    self.has_started(id);
                }
                self.start_main(id);
            }
        }
    }

    pub(super) fn prestart_ended(&mut self, id: AllocationId) {
        let now = self.now;
        let failing = self.failing_task(id);
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        if let (Fate::Fails(_, cause), Some(task)) = (allocation.fate, failing)
            && allocation.tasks.get(task).is_some_and(|task| is_prestart(task.lifecycle))
        {
            self.main_ended(id, MainEnd::Failed(task, cause));
            return;
        }
        allocation.tasks_of(is_prestart).for_each(|task| task.complete(now));
        self.start_main(id);
    }

    fn start_main(&mut self, id: AllocationId) {
        let now = self.now;
        let failing = self.failing_task(id);
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let is_main = |task: &usize| allocation.tasks.get(*task).is_some_and(TaskRun::is_main);
        let fails = match (allocation.fate, failing.filter(is_main)) {
            (Fate::Fails(_, cause), Some(task)) if cause.prevents_start() => Some((task, cause)),
            _ => None,
        };
        for (number, task) in allocation.tasks.iter_mut().enumerate().filter(|(_, task)| task.is_main()) {
            match fails {
                Some((failing, _)) if failing == number => task.set_up(now),
                _ => task.start(now),
            }
        }
        if let Some((task, cause)) = fails {
            self.main_ended(id, MainEnd::Failed(task, cause));
            return;
        }
        allocation.tasks_of(is_poststart).for_each(|task| task.start(now));
        self.has_started(id);
        self.report(id);
        self.plan_end(id, now);
    }

    /// Restarts a failed task.
    pub(super) fn restart(&mut self, id: AllocationId) {
        let now = self.now;
        let Some(task) = self.failing_task(id) else { return };
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        if let Fate::Fails(_, cause) = allocation.fate
            && cause.prevents_start()
        {
            self.main_ended(id, MainEnd::Failed(task, cause));
            return;
        }
        if let Some(task) = allocation.tasks.get_mut(task) {
            task.start(now);
        }
        self.report(id);
        self.plan_end(id, now);
    }

    /// Plans the end of an allocation's main tasks.
    fn plan_end(&mut self, id: AllocationId, main_started: SystemTime) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        let watched = allocation.deployment.is_some();
        let end = match allocation.fate {
            Fate::RunsOn => None,
            Fate::Completes(after) | Fate::Fails(after, _) => Some(main_started + after),
        };
        let beside = allocation.tasks.iter().any(|task| is_poststart(task.lifecycle) && task.is_running());
        let poststart = allocation.longest(is_poststart).filter(|_| beside).map(|after| main_started + after);
        if watched {
            self.enter_in(self.settings.min_healthy, Event::Healthy(id));
        }
        match (end, poststart) {
            (_, Some(poststart)) if end.is_none_or(|end| poststart < end) => {
                self.plan(id, poststart, Step::EndPoststart);
            }
            (Some(end), _) => self.plan(id, end, Step::End),
            (None, _) => self.plan_time_out(id),
        }
    }

    pub(super) fn poststart_ended(&mut self, id: AllocationId) {
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        allocation
            .tasks_of(is_poststart)
            .filter(|task| task.is_running())
            .for_each(|task| task.complete(now));
        let end = match allocation.fate {
            Fate::RunsOn => None,
            Fate::Completes(after) | Fate::Fails(after, _) => allocation.main_started().map(|at| at + after),
        };
        self.report(id);
        match end {
            Some(end) => self.plan(id, end, Step::End),
            None => self.plan_time_out(id),
        }
    }

    /// Plans when an endless allocation exceeds `max_run_duration`.
    fn plan_time_out(&mut self, id: AllocationId) {
        if let Some(deadline) = self.deadline(id) {
            self.plan(id, deadline, Step::TimeOut);
        }
    }

    fn has_started(&mut self, id: AllocationId) {
        let now = self.now;
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        if allocation.started.is_none() {
            allocation.started = Some(now);
            self.history.started(allocation, now);
        }
    }

    /// Returns the index of the task that fails, if any.
    pub(super) fn failing_task(&self, id: AllocationId) -> Option<usize> {
        let allocation = self.allocations.get(&id)?;
        let named = allocation.spec.failing_task.as_ref();
        let named = named.and_then(|name| allocation.tasks.iter().position(|task| task.name == *name));
        named.or_else(|| allocation.tasks.iter().position(TaskRun::is_main))
    }
}
