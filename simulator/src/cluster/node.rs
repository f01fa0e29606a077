//! Nodes: the machines that run allocations.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use super::id::{AllocationId, NodeId};
use super::resources::Resources;

/// Nomad keeps this many events of a node.
const EVENTS_KEPT: usize = 10;

/// A node as it registers.
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
    /// All its CPU, in MHz.
    pub cpu: u64,
    /// How many cores those MHz are.
    pub cores: u64,
    /// All its memory, in MiB.
    pub memory_mb: u64,
    /// All its disk, in MiB.
    pub disk_mb: u64,
    /// How many GPUs work, and how many are broken.
    pub gpus: (u64, u64),
    /// What of it is not for jobs.
    pub reserved: Resources,
    /// What whoever runs it says of it.
    pub meta: BTreeMap<String, String>,
    /// How many allocations it takes; 0 without limit.
    pub max_allocations: usize,
    /// What it found out about itself beside what every client does, such as its cloud.
    pub attributes: BTreeMap<String, String>,
}

impl NodeSpec {
    /// A node of 4 cores and 8 GiB in `dc1` and the default pool.
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

    /// MHz of one core.
    pub(crate) fn core_mhz(&self) -> u64 {
        self.cpu.checked_div(self.cores).unwrap_or_default()
    }

    /// The cores that jobs can reserve: the first ones are reserved for the system.
    pub(crate) fn reservable_cores(&self) -> std::ops::Range<u16> {
        let number = |cores| u16::try_from(cores).unwrap_or(u16::MAX);
        number(self.reserved.cores)..number(self.cores)
    }

    /// What jobs can have of it.
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

    /// Nodes of one computed class are alike to the scheduler.
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

    /// The value of `${attr.kernel.name}`, `${node.class}` and the like.
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

/// What the servers know of a node's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeStatus {
    /// It answers.
    Ready,
    /// It does not answer.
    Down,
    /// It does not answer, but some of its allocations may wait for it.
    Disconnected,
}

impl NodeStatus {
    /// Nomad's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeStatus::Ready => "ready",
            NodeStatus::Down => "down",
            NodeStatus::Disconnected => "disconnected",
        }
    }
}

/// How a node is being drained.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrainStrategy {
    pub(crate) deadline: Option<Duration>,
    pub(crate) ignore_system_jobs: bool,
    pub(crate) started: SystemTime,
    /// When it stops whatever is left.
    pub(crate) force_deadline: Option<SystemTime>,
}

/// What became of the last drain.
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
    /// What runs on it or has yet to end.
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
    /// Whether it answers.
    pub(crate) fn is_ready(&self) -> bool {
        self.status == NodeStatus::Ready
    }

    /// Whether the scheduler may place on it.
    pub(crate) fn is_schedulable(&self) -> bool {
        self.is_ready() && self.eligible && self.drain.is_none()
    }

    pub(crate) fn push_event(&mut self, event: NodeEvent) {
        self.events.push(event);
        let excess = self.events.len().saturating_sub(EVENTS_KEPT);
        self.events.drain(..excess);
    }
}
