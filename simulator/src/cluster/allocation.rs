//! Allocations: instances of task groups on nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::id::{AllocationId, DeploymentId, EvaluationId, NodeId};
use super::job::JobKey;
use super::logs::LogStream;
use super::resources::Resources;
use super::spec::{JobSpec, TaskGroup};

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

/// How an allocation ends if nobody stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    RunsOn,
    Completes(Duration),
    Fails(Duration),
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
    pub(crate) total: Resources,
    pub(crate) stop: bool,
    pub(crate) desired_description: &'static str,
    pub(crate) client: ClientStatus,
    pub(crate) client_description: &'static str,
    /// A drain wants it elsewhere.
    pub(crate) migrate: bool,
    /// A drain wants it gone and not elsewhere.
    pub(crate) no_replacement: bool,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) health: Option<Health>,
    pub(crate) followup: Option<EvaluationId>,
    pub(crate) previous: Option<AllocationId>,
    pub(crate) next: Option<AllocationId>,
    pub(crate) reschedules: Vec<RescheduleEvent>,
    pub(crate) fate: Fate,
    pub(crate) created: SystemTime,
    pub(crate) modified: SystemTime,
    pub(crate) started: Option<SystemTime>,
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
}
