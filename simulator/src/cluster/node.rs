//! Nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use super::id::{AllocationId, NodeId};
use super::resources::Resources;

/// Nomad keeps this number of events per node.
const EVENTS_KEPT: usize = 10;

/// A node at registration.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Its datacenter.
    pub datacenter: String,
    /// Its pool.
    pub node_pool: String,
    /// Its class.
    pub node_class: String,
    /// Total CPU in MHz.
    pub cpu: u64,
    /// Number of cores.
    pub cores: u64,
    /// Total memory in MiB.
    pub memory_mb: u64,
    /// Total disk in MiB.
    pub disk_mb: u64,
    /// Number of healthy and of unhealthy GPUs.
    pub gpus: (u64, u64),
    /// Resources reserved for the system.
    pub reserved: Resources,
    /// Metadata.
    pub meta: BTreeMap<String, String>,
    /// Maximum number of allocations; 0 without limit.
    pub max_allocations: usize,
    /// Additional attributes, such as those of its cloud.
    pub attributes: BTreeMap<String, String>,
}

impl NodeSpec {
    /// Creates a node of 4 cores and 8 GiB in `dc1` and the default pool.
    pub fn new(name: &str) -> NodeSpec {
        NodeSpec {
            name: name.to_owned(),
            datacenter: "dc1".to_owned(),
            node_pool: "default".to_owned(),
            node_class: "linux".to_owned(),
            cpu: 10_000,
            cores: 4,
            memory_mb: 8192,
            disk_mb: 100_000,
            gpus: (0, 0),
            reserved: Resources::default(),
            meta: BTreeMap::new(),
            max_allocations: 0,
            attributes: BTreeMap::new(),
        }
    }

    /// Returns the MHz of one core.
    pub(crate) fn core_mhz(&self) -> u64 {
        self.cpu.checked_div(self.cores).unwrap_or_default()
    }

    /// Returns the cores that jobs can reserve: the first ones are reserved for the system.
    pub(crate) fn reservable_cores(&self) -> std::ops::Range<u16> {
        let number = |cores| u16::try_from(cores).unwrap_or(u16::MAX);
        number(self.reserved.cores)..number(self.cores)
    }

    /// Returns the allocatable resources.
    pub(crate) fn allocatable(&self) -> Resources {
        let all = Resources {
            cpu: self.cpu,
            memory_mb: self.memory_mb,
            memory_max_mb: self.memory_mb,
            disk_mb: self.disk_mb,
            cores: self.cores,
            gpus: self.gpus.0,
        };
        all - self.reserved
    }

    /// Returns the computed class. Nodes of one class are equal for the scheduler.
    pub(crate) fn computed_class(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (
            &self.datacenter,
            &self.node_pool,
            &self.node_class,
            self.cpu,
            self.cores,
            self.memory_mb,
            self.gpus,
        )
            .hash(&mut hasher);
        format!("v1:{}", hasher.finish())
    }

    /// Returns the value of `${attr.kernel.name}`, `${node.class}` and the like.
    pub(crate) fn attribute(&self, interpolation: &str) -> Option<&str> {
        match interpolation.trim_start_matches("${").trim_end_matches('}') {
            "attr.kernel.name" => Some("linux"),
            "attr.cpu.arch" => Some("amd64"),
            "node.class" => Some(&self.node_class),
            "node.datacenter" => Some(&self.datacenter),
            "node.pool" => Some(&self.node_pool),
            "node.unique.name" => Some(&self.name),
            _ => None,
        }
    }
}

/// Status of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeStatus {
    /// It responds.
    Ready,
    /// It does not respond.
    Down,
    /// It does not respond, but some of its allocations tolerate that.
    Disconnected,
}

impl NodeStatus {
    /// Returns Nomad's name of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeStatus::Ready => "ready",
            NodeStatus::Down => "down",
            NodeStatus::Disconnected => "disconnected",
        }
    }
}

/// Settings of an active drain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrainStrategy {
    pub(crate) deadline: Option<Duration>,
    pub(crate) ignore_system_jobs: bool,
    pub(crate) started: SystemTime,
    /// When it stops the remaining allocations.
    pub(crate) force_deadline: Option<SystemTime>,
}

/// The last drain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastDrain {
    pub(crate) started: SystemTime,
    pub(crate) updated: SystemTime,
    /// `draining`, `complete` or `canceled`.
    pub(crate) status: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct NodeEvent {
    pub(crate) message: &'static str,
    pub(crate) subsystem: &'static str,
    pub(crate) time: SystemTime,
    pub(crate) create_index: u64,
    pub(crate) deadline_reached: bool,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) spec: NodeSpec,
    pub(crate) class: String,
    pub(crate) http_port: u16,
    pub(crate) status: NodeStatus,
    pub(crate) eligible: bool,
    pub(crate) drain: Option<DrainStrategy>,
    pub(crate) last_drain: Option<LastDrain>,
    pub(crate) events: Vec<NodeEvent>,
    /// Allocations that have not ended.
    pub(crate) live: BTreeSet<AllocationId>,
    pub(crate) allocated: Resources,
    pub(crate) registered: SystemTime,
    pub(crate) status_updated: SystemTime,
    pub(crate) create_index: u64,
    pub(crate) modify_index: u64,
    pub(crate) last_allocation_index: u64,
    pub(crate) last_missed_heartbeat_index: u64,
}

impl Node {
    /// Returns a copy without the allocations that run on it.
    pub(super) fn alone(&self) -> Node {
        Node {
            spec: self.spec.clone(),
            class: self.class.clone(),
            events: self.events.clone(),
            live: BTreeSet::new(),
            ..*self
        }
    }

    /// Returns whether it responds.
    pub(crate) fn is_ready(&self) -> bool {
        self.status == NodeStatus::Ready
    }

    /// Returns whether the scheduler may place allocations on it.
    pub(crate) fn is_schedulable(&self) -> bool {
        self.is_ready() && self.eligible && self.drain.is_none()
    }

    pub(crate) fn push_event(&mut self, event: NodeEvent) {
        self.events.push(event);
        let excess = self.events.len().saturating_sub(EVENTS_KEPT);
        self.events.drain(..excess);
    }
}
