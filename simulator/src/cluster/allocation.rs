//! Allocations: instances of task groups on nodes.

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

/// What the client says of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientStatus {
    /// Placed, not yet started.
    Pending,
    /// Started.
    Running,
    /// Ended well, or stopped.
    Complete,
    /// Ended badly.
    Failed,
    /// Gone with its node.
    Lost,
    /// Out of sight with its node.
    Unknown,
}

impl ClientStatus {
    /// Nomad's word for it.
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

    /// Whether it has ended for good.
    pub fn is_terminal(self) -> bool {
        matches!(self, ClientStatus::Complete | ClientStatus::Failed | ClientStatus::Lost)
    }
}

/// What a client says of an allocation that has lasted as long as it may.
pub(crate) const TIMED_OUT: &str = "allocation exceeded max_run_duration";

/// Why an allocation of a drained node stops.
pub(crate) const MIGRATED: &str = "alloc is being migrated";
/// Why one of a job that wants to be on every node does.
pub(crate) const TAINTED: &str = "alloc not needed as node is tainted";

/// How an allocation ends if nobody stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    RunsOn,
    Completes(Duration),
    Fails(Duration, Cause),
}

/// How the main tasks of an allocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MainEnd {
    Completed,
    /// The task of this number failed.
    Failed(usize, Cause),
}

/// What the client of an allocation does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It hears of it.
    Receive,
    /// It starts the first tasks.
    Start,
    /// It starts the main tasks: those before them have ended.
    StartMain,
    /// The tasks that run beside the main tasks for a while have ended.
    EndPoststart,
    /// The main tasks end as the allocation's fate says.
    End,
    /// It starts a failed task again.
    Restart,
    /// What was told to stop has died.
    Die,
    /// It starts the tasks that come after the main tasks.
    StartPoststop,
    /// Those have ended.
    EndPoststop,
    /// The allocation has lasted as long as it may.
    TimeOut,
}

/// What its deployment knows of an allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    pub(crate) healthy: bool,
    pub(crate) time: SystemTime,
    pub(crate) index: u64,
}

/// An earlier failure that the allocation is the answer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RescheduleEvent {
    pub(crate) time: SystemTime,
    pub(crate) previous: AllocationId,
    pub(crate) previous_node: NodeId,
    pub(crate) delay: Duration,
}

#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) id: AllocationId,
    pub(crate) job: JobKey,
    /// The job as it was when this was placed.
    pub(crate) spec: Arc<JobSpec>,
    pub(crate) version: u64,
    pub(crate) group: String,
    /// The number in its name, from 0.
    pub(crate) slot: u32,
    pub(crate) evaluation: EvaluationId,
    pub(crate) node: NodeId,
    pub(crate) node_name: String,
    /// MHz of a core of that node.
    pub(crate) core_mhz: u64,
    /// The cores of the node reserved by its tasks, in the order of the tasks.
    pub(crate) reserved_cores: Vec<u16>,
    /// The GPUs of the node that its tasks have, in the same order.
    pub(crate) gpus: Vec<u16>,
    pub(crate) total: Resources,
    /// Whether it was told to stop or evicted.
    pub(crate) stop: bool,
    pub(crate) desired_description: Cow<'static, str>,
    pub(crate) client: ClientStatus,
    pub(crate) client_description: &'static str,
    /// A drain wants it elsewhere.
    pub(crate) migrate: bool,
    /// Whether somebody stopped it by hand, and no drain.
    pub(crate) by_hand: bool,
    /// A drain wants it gone and not elsewhere.
    pub(crate) no_replacement: bool,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) health: Option<Health>,
    pub(crate) followup: Option<EvaluationId>,
    pub(crate) previous: Option<AllocationId>,
    pub(crate) next: Option<AllocationId>,
    pub(crate) reschedules: Vec<RescheduleEvent>,
    /// Allocations that were evicted to make room for it.
    pub(crate) preempted: Vec<AllocationId>,
    /// The allocation for which it was evicted.
    pub(crate) preempted_by: Option<AllocationId>,
    pub(crate) fate: Fate,
    /// How long its client takes to start it.
    pub(crate) startup: Duration,
    pub(crate) tasks: Vec<TaskRun>,
    /// What its client does next, and when.
    pub(crate) next_step: Option<(SystemTime, Step)>,
    /// Number of plans its client has made: only the last one holds.
    pub(crate) turn: u32,
    /// How and when its main tasks ended, while its client waits for the others before it reports anything.
    pub(crate) unreported: Option<(SystemTime, MainEnd)>,
    /// Whether it has exceeded `max_run_duration`.
    pub(crate) timed_out: bool,
    /// What made it fail.
    pub(crate) cause: Option<Cause>,
    /// When its job was created and submitted, by index and by time.
    pub(crate) job_created: u64,
    pub(crate) job_submitted: (u64, SystemTime),
    pub(crate) created: SystemTime,
    pub(crate) modified: SystemTime,
    /// When its first task started.
    pub(crate) started: Option<SystemTime>,
    /// When its client first reported its end.
    pub(crate) finished: Option<SystemTime>,
    pub(crate) create_index: u64,
    pub(crate) modify_index: u64,
    /// What its tasks wrote, where a test says so.
    pub(crate) written: BTreeMap<(String, LogStream), Vec<u8>>,
}

impl Allocation {
    pub(crate) fn name(&self) -> String {
        format!("{}.{}[{}]", self.job.id, self.group, self.slot)
    }

    /// Nothing more is expected of it: told to stop or ended.
    pub(crate) fn is_terminal(&self) -> bool {
        self.stop || self.client.is_terminal()
    }

    pub(crate) fn task_group(&self) -> Option<&TaskGroup> {
        self.spec.group(&self.group)
    }

    /// Whether its client has reported anything of its tasks.
    pub(crate) fn is_received(&self) -> bool {
        self.tasks.iter().any(|task| !task.events.is_empty())
    }

    /// Whether any of its tasks runs, whatever its status.
    pub(crate) fn has_running_tasks(&self) -> bool {
        self.tasks.iter().any(TaskRun::is_running)
    }

    /// When its main tasks started last.
    pub(crate) fn main_started(&self) -> Option<SystemTime> {
        self.tasks.iter().filter(|task| task.is_main()).filter_map(|task| task.started).max()
    }

    /// Whether it was told to stop because its node is drained.
    pub(crate) fn is_drained(&self) -> bool {
        self.stop && !self.by_hand && [MIGRATED, TAINTED].contains(&&*self.desired_description)
    }

    pub(super) fn tasks_of(
        &mut self,
        which: impl Fn(Option<Lifecycle>) -> bool,
    ) -> impl Iterator<Item = &mut TaskRun> {
        self.tasks.iter_mut().filter(move |task| which(task.lifecycle))
    }

    /// How long the longest of these tasks runs; `None` if there are none.
    pub(super) fn longest(&self, which: impl Fn(Option<Lifecycle>) -> bool) -> Option<Duration> {
        let tasks = self.task_group().into_iter().flat_map(|group| &group.tasks);
        tasks.filter(|task| which(task.lifecycle)).map(|task| task.run_time).max()
    }

    /// What a client makes of the states of the tasks: one failed task is enough, whatever the others do.
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
