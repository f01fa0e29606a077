//! Nodes.

use std::ops::Deref;
use std::time::SystemTime;

use super::Devices;
use crate::terms::{DrainStatus, NodeState};

/// Nodes of the cluster, by name and ID.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nodes(Vec<Node>);

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// A UUID.
    pub id: String,
    /// Name; not necessarily unique.
    pub name: String,
    /// Its datacenter.
    pub datacenter: String,
    /// Its node pool; empty before Nomad 1.6.
    pub pool: String,
    /// Class; empty if not set.
    pub class: String,
    /// Version of its agent.
    pub version: String,
    /// Host part of its HTTP address.
    pub address: String,
    /// State.
    pub state: NodeState,
    /// Whether it is eligible; never while it is draining.
    pub eligible: bool,
    /// Whether it is being drained.
    pub draining: bool,
    /// Its last drain, if Nomad reports it (1.1 and later).
    pub last_drain: Option<LastDrain>,
    /// Allocatable resources: total minus reserved.
    pub allocatable: Capacity,
    /// Number of cores that jobs can reserve, if the node reports it.
    pub cores: Option<u64>,
    /// Healthy devices; 0 for a kind without healthy ones.
    pub devices: Devices,
    /// Total CPU of the host in hertz.
    pub cpu_total_hertz: Option<f64>,
    /// Detected drivers and whether they are healthy.
    pub drivers: Vec<(String, bool)>,
    /// While it is draining, an index that increases with every change; otherwise 0. For other nodes it would
    /// change with each of their allocations (Nomad 1.5 and later) without any visible effect.
    pub modify_index: u64,
}

/// Amount of each resource; unknown ones are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Capacity {
    /// CPU in hertz.
    pub cpu_hertz: Option<f64>,
    /// Memory in bytes.
    pub memory_bytes: Option<f64>,
    /// Disk in bytes.
    pub disk_bytes: Option<f64>,
}

/// The last drain of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastDrain {
    /// When it started.
    pub started: Option<SystemTime>,
    /// Whether it is active, complete or cancelled.
    pub status: DrainStatus,
}

impl From<Vec<Node>> for Nodes {
    fn from(mut nodes: Vec<Node>) -> Self {
        // Two rows of one node would be duplicate series; the newer one is kept.
        nodes.sort_by(|one, other| (&one.id, other.modify_index).cmp(&(&other.id, one.modify_index)));
        nodes.dedup_by(|older, younger| older.id == younger.id);
        nodes.sort_unstable_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Self(nodes)
    }
}

impl Deref for Nodes {
    type Target = [Node];

    fn deref(&self) -> &[Node] {
        &self.0
    }
}
