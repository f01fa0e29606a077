//! Allocations.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::id::{AllocationId, DeploymentId, EvaluationId, NodeId};
use super::job::JobKey;
use super::logs::LogStream;
use super::resources::Resources;
use super::spec::{Cause, JobSpec, Lifecycle, TaskGroup};
use super::task::{TaskRun, TaskState};

/// Status of an allocation according to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientStatus {
    /// Placed, not yet started.
    Pending,
    /// Started.
    Running,
    /// Succeeded or stopped.
    Complete,
    /// Failed.
    Failed,
    /// Lost with its node.
    Lost,
    /// Its node is disconnected.
    Unknown,
}

impl ClientStatus {
    /// Returns Nomad's name of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            ClientStatus::Pending => "pending",
            ClientStatus::Running => "running",
            ClientStatus::Complete => "complete",
            ClientStatus::Failed => "failed",
            ClientStatus::Lost => "lost",
            ClientStatus::Unknown => "unknown",
        }
    }

    /// Returns whether it has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, ClientStatus::Complete | ClientStatus::Failed | ClientStatus::Lost)
    }
}

/// Description of an allocation that exceeded `max_run_duration`.
pub(crate) const TIMED_OUT: &str = "allocation exceeded max_run_duration";

/// Description of an allocation that a drain stops.
pub(crate) const MIGRATED: &str = "alloc is being migrated";
/// Description of a system allocation that a drain stops.
pub(crate) const TAINTED: &str = "alloc not needed as node is tainted";

/// Planned end of an allocation, unless it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    RunsOn,
    Completes(Duration),
    Fails(Duration, Cause),
}

/// Result of an allocation's main tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MainEnd {
    Completed,
    /// The task of this number failed.
    Failed(usize, Cause),
}

/// The next step of the client with an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It receives the allocation.
    Receive,
    /// It starts the first tasks.
    Start,
    /// It starts the main tasks, because the prestart tasks have ended.
    StartMain,
    /// The poststart tasks have ended.
    EndPoststart,
    /// The main tasks end as planned.
    End,
    /// It restarts a failed task.
    Restart,
    /// The stopped tasks have exited.
    Die,
    /// It starts the poststop tasks.
    StartPoststop,
    /// The poststop tasks have ended.
    EndPoststop,
    /// The allocation exceeds `max_run_duration`.
    TimeOut,
}

/// Health of an allocation in its deployment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    pub(crate) healthy: bool,
    pub(crate) time: SystemTime,
    pub(crate) index: u64,
}

/// An earlier failure after which this allocation was rescheduled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RescheduleEvent {
    pub(crate) time: SystemTime,
    pub(crate) previous: AllocationId,
    pub(crate) previous_node: NodeId,
    pub(crate) delay: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Allocation {
    pub(crate) id: AllocationId,
    pub(crate) job: JobKey,
    /// The job when this was placed.
    pub(crate) spec: Arc<JobSpec>,
    pub(crate) version: u64,
    pub(crate) group: String,
    /// The index in its name, from 0.
    pub(crate) slot: u32,
    pub(crate) evaluation: EvaluationId,
    pub(crate) node: NodeId,
    pub(crate) node_name: String,
    /// MHz of a core of that node.
    pub(crate) core_mhz: u64,
    /// Reserved cores of the node, in the order of the tasks.
    pub(crate) reserved_cores: Vec<u16>,
    /// Allocated GPUs of the node, in the same order.
    pub(crate) gpus: Vec<u16>,
    pub(crate) total: Resources,
    /// Whether it is to be stopped or evicted.
    pub(crate) stop: bool,
    pub(crate) desired_description: Cow<'static, str>,
    pub(crate) client: ClientStatus,
    pub(crate) client_description: &'static str,
    /// Whether a drain migrates it.
    pub(crate) migrate: bool,
    /// Whether it was stopped manually, not by a drain.
    pub(crate) by_hand: bool,
    /// Whether a drain stops it without a replacement.
    pub(crate) no_replacement: bool,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) health: Option<Health>,
    pub(crate) followup: Option<EvaluationId>,
    pub(crate) previous: Option<AllocationId>,
    pub(crate) next: Option<AllocationId>,
    pub(crate) reschedules: Vec<RescheduleEvent>,
    /// Allocations that were preempted for it.
    pub(crate) preempted: Vec<AllocationId>,
    /// The allocation that preempted it.
    pub(crate) preempted_by: Option<AllocationId>,
    pub(crate) fate: Fate,
    /// Time that its client takes to start it.
    pub(crate) startup: Duration,
    pub(crate) tasks: Vec<TaskRun>,
    /// The next step of its client, and when.
    pub(crate) next_step: Option<(SystemTime, Step)>,
    /// Number of its client's plans; only the last one is valid.
    pub(crate) turn: u32,
    /// Result and end of its main tasks, while its client waits for other tasks before it reports them.
    pub(crate) unreported: Option<(SystemTime, MainEnd)>,
    /// Whether it has exceeded `max_run_duration`.
    pub(crate) timed_out: bool,
    /// Cause of its failure.
    pub(crate) cause: Option<Cause>,
    /// Index and time of its job's creation and submission.
    pub(crate) job_created: u64,
    pub(crate) job_submitted: (u64, SystemTime),
    pub(crate) created: SystemTime,
    pub(crate) modified: SystemTime,
    /// When its first task started.
    pub(crate) started: Option<SystemTime>,
    /// When its client first reported that it had ended.
    pub(crate) finished: Option<SystemTime>,
    pub(crate) create_index: u64,
    pub(crate) modify_index: u64,
    /// Output of its tasks, if a test sets it.
    pub(crate) written: BTreeMap<(String, LogStream), Vec<u8>>,
}

impl Allocation {
    pub(crate) fn name(&self) -> String {
        format!("{}.{}[{}]", self.job.id, self.group, self.slot)
    }

    /// Returns whether it has ended or is to be stopped.
    pub(crate) fn is_terminal(&self) -> bool {
        self.stop || self.client.is_terminal()
    }

    pub(crate) fn task_group(&self) -> Option<&TaskGroup> {
        self.spec.group(&self.group)
    }

    /// Returns whether its client has reported any task.
    pub(crate) fn is_received(&self) -> bool {
        self.tasks.iter().any(|task| !task.events.is_empty())
    }

    /// Returns whether any of its tasks runs, whatever its status.
    pub(crate) fn has_running_tasks(&self) -> bool {
        self.tasks.iter().any(TaskRun::is_running)
    }

    /// Returns when its main tasks last started.
    pub(crate) fn main_started(&self) -> Option<SystemTime> {
        self.tasks.iter().filter(|task| task.is_main()).filter_map(|task| task.started).max()
    }

    /// Returns whether it was stopped by a drain.
    pub(crate) fn is_drained(&self) -> bool {
        self.stop && !self.by_hand && [MIGRATED, TAINTED].contains(&&*self.desired_description)
    }

    pub(super) fn tasks_of(
        &mut self,
        which: impl Fn(Option<Lifecycle>) -> bool,
    ) -> impl Iterator<Item = &mut TaskRun> {
        self.tasks.iter_mut().filter(move |task| which(task.lifecycle))
    }

    /// Returns the longest run time of these tasks; `None` if there are none.
    pub(super) fn longest(&self, which: impl Fn(Option<Lifecycle>) -> bool) -> Option<Duration> {
        let tasks = self.task_group().into_iter().flat_map(|group| &group.tasks);
        tasks.filter(|task| which(task.lifecycle)).map(|task| task.run_time).max()
    }

    /// Derives the client status from the task states: one failed task makes it failed.
    pub(super) fn client_says(&self) -> (ClientStatus, &'static str) {
        let any = |is: &dyn Fn(&TaskRun) -> bool| self.tasks.iter().any(is);
        if self.timed_out {
            (ClientStatus::Complete, TIMED_OUT)
        } else if any(&|task| task.failed && task.is_dead()) {
            (ClientStatus::Failed, "Failed tasks")
        } else if any(&TaskRun::is_running) {
            (ClientStatus::Running, "Tasks are running")
        } else if any(&|task| task.state == TaskState::Pending) {
            (ClientStatus::Pending, "No tasks have started")
        } else {
            (ClientStatus::Complete, "All tasks have completed")
        }
    }
}
