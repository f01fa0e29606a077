//! Allocations, counted and summed.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use super::{Ends, Holdings, Whole};
use crate::terms::{ByTerm, ClientStatus, JobType};

/// Terminal allocations that Nomad still retains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishedAllocations {
    /// How many.
    pub counts: AllocationCounts,
    /// How they ended.
    pub ends: Ends,
    /// How many lists of dead jobs had been read to their end when this one was begun: the allocations of every job that
    /// those show are in it, if Nomad retains them.
    pub began_after: u64,
}

/// How many allocations there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllocationCounts {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, ByTerm<JobType, ByTerm<ClientStatus, u64>>>,
}

/// Allocations that hold resources: all that are not complete, failed or lost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveAllocations {
    /// How many.
    pub counts: AllocationCounts,
    /// How those end that the servers want to stop.
    pub stopping: Ends,
    /// How many they are of each job that has series of its own: by namespace, job and task group.
    pub by_job: BTreeMap<String, BTreeMap<String, GroupAllocations>>,
    /// What is allocated to them.
    pub holdings: Holdings,
}

/// What runs on each node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeLoads {
    /// Live allocations by node ID; a node without any has no entry.
    pub by_node: HashMap<String, NodeLoad>,
}

/// Allocations by task group and status.
pub type GroupAllocations = BTreeMap<String, ByTerm<ClientStatus, u64>>;

/// The live allocations of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeLoad {
    /// How many.
    pub by_status: ByTerm<ClientStatus, u64>,
    /// How many belong to system jobs.
    pub system: u64,
    /// How many of those the servers want to go on: a drain left them in peace.
    pub system_kept: u64,
    /// When the oldest was created that is wanted and has not started.
    pub oldest_starting: Option<SystemTime>,
    /// How many came without what they were promised, so that the sums below are not known.
    pub unsized_count: u64,
    /// CPU promised, in hertz.
    pub cpu_hertz: f64,
    /// Memory promised, in bytes.
    pub memory_bytes: f64,
    /// Memory that they may grow to, in bytes.
    pub memory_max_bytes: f64,
    /// Disk promised, in bytes.
    pub disk_bytes: f64,
    /// Cores and devices that are reserved.
    pub whole: Whole,
}

impl NodeLoad {
    /// Live allocations in all.
    pub fn count(&self) -> u64 {
        self.by_status.iter().map(|(_, count)| count).sum()
    }

    /// Whether they all belong to system jobs that a drain left in peace.
    pub fn is_all_kept(&self) -> bool {
        self.count() == self.system_kept
    }
}
