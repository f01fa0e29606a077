//! Counts and sums of allocations.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use super::{AllocatedByNamespace, CoresAndDevices, Ends};
use crate::terms::{ByTerm, ClientStatus, JobType};

/// Terminal allocations that Nomad still retains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishedAllocations {
    /// Counts.
    pub counts: AllocationCounts,
    /// Outcomes.
    pub ends: Ends,
    /// Number of lists of dead jobs that had been read when this list was started. It contains all retained
    /// allocations of the jobs in those lists.
    pub began_after: u64,
}

/// Number of allocations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllocationCounts {
    /// By namespace.
    pub by_namespace: BTreeMap<String, ByTerm<JobType, ByTerm<ClientStatus, u64>>>,
}

/// Non-terminal allocations: all that are not complete, failed or lost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveAllocations {
    /// Counts.
    pub counts: AllocationCounts,
    /// Outcomes of allocations that are to be stopped.
    pub stopping: Ends,
    /// Counts for jobs with series of their own: by namespace, job and task group.
    pub by_job: BTreeMap<String, BTreeMap<String, GroupAllocations>>,
    /// Allocated resources.
    pub allocated: AllocatedByNamespace,
}

/// Allocations by node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeLoads {
    /// Non-terminal allocations by node ID; nodes without any have no entry.
    pub by_node: HashMap<String, NodeLoad>,
}

/// Allocations by task group and status.
pub type GroupAllocations = BTreeMap<String, ByTerm<ClientStatus, u64>>;

/// Non-terminal allocations of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeLoad {
    /// Number by status.
    pub by_status: ByTerm<ClientStatus, u64>,
    /// Number of allocations of system jobs.
    pub system: u64,
    /// Number of those that are to keep running, because a drain ignores them.
    pub system_kept: u64,
    /// Creation time of the oldest allocation that should run but has not started.
    pub oldest_starting: Option<SystemTime>,
    /// Number of allocations without known resources, so that the sums below are unknown.
    pub unsized_count: u64,
    /// Allocated CPU in hertz.
    pub cpu_hertz: f64,
    /// Allocated memory in bytes.
    pub memory_bytes: f64,
    /// Maximum memory in bytes.
    pub memory_max_bytes: f64,
    /// Allocated disk in bytes.
    pub disk_bytes: f64,
    /// CPU, memory and disk allocated to system jobs that keep running.
    pub system_allocated: [f64; 3],
    /// Cores and devices that are reserved.
    pub cores_and_devices: CoresAndDevices,
}

impl NodeLoad {
    /// Returns the number of non-terminal allocations.
    pub fn count(&self) -> u64 {
        self.by_status.iter().map(|(_, count)| count).sum()
    }

    /// Returns whether all of them belong to system jobs that a drain ignores.
    pub fn is_all_kept(&self) -> bool {
        self.count() == self.system_kept
    }
}
