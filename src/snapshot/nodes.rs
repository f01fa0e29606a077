//! Nodes.

use std::ops::Deref;
use std::time::SystemTime;

use super::Devices;
use crate::terms::{DrainStatus, NodeState};

/// The nodes of the cluster, by name and ID.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nodes(Vec<Node>);

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// A UUID.
    pub id: String,
    /// Its name; need not be unique.
    pub name: String,
    /// Its datacenter.
    pub datacenter: String,
    /// Its node pool; empty before Nomad 1.6.
    pub pool: String,
    /// Its class; empty where none was set.
    pub class: String,
    /// The version of its agent.
    pub version: String,
    /// The host part of its HTTP address.
    pub address: String,
    /// Its one state.
    pub state: NodeState,
    /// Whether it takes work; a draining node never does.
    pub eligible: bool,
    /// Whether it is being drained.
    pub draining: bool,
    /// How its last drain stands, where Nomad tells (1.1 and later).
    pub last_drain: Option<LastDrain>,
    /// What it has for jobs: its resources less what is reserved.
    pub allocatable: Capacity,
    /// Number of cores that jobs can reserve, if the node reports it.
    pub cores: Option<u64>,
    /// Healthy devices; a kind of which none is healthy is there with 0.
    pub devices: Devices,
    /// CPU that the host has in all, in hertz.
    pub cpu_total_hertz: Option<f64>,
    /// Detected drivers and whether they are healthy.
    pub drivers: Vec<(String, bool)>,
    /// While it is being drained, what grows with every change of it; else 0. Of other nodes it tells nothing that is
    /// shown, and changes with each of their allocations (Nomad 1.5 and later).
    pub modify_index: u64,
}

/// An amount of each resource; absent where Nomad does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Capacity {
    /// CPU in hertz.
    pub cpu_hertz: Option<f64>,
    /// Memory in bytes.
    pub memory_bytes: Option<f64>,
    /// Disk in bytes.
    pub disk_bytes: Option<f64>,
}

/// How a node's last drain stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastDrain {
    /// When it began.
    pub started: Option<SystemTime>,
    /// Whether it goes on, is complete, or was canceled.
    pub status: DrainStatus,
}

impl From<Vec<Node>> for Nodes {
    fn from(mut nodes: Vec<Node>) -> Self {
        // Two rows of one node would be the same series twice: the younger one counts.
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
