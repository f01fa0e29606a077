//! Usage levels of nodes: allocated relative to allocatable resources, and used relative to installed
//! resources of the host.

use super::hosts::Host;
use super::nodes::Node;
use super::{NodeLoad, Sections};
use crate::terms::NodeState;

/// Used or allocated amount of a resource, and the total.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// Used or allocated amount.
    pub amount: f64,
    /// Total amount.
    pub total: f64,
}

/// Levels of one or several nodes; unknown ones are absent. CPU in hertz, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Levels {
    /// Allocated CPU of the allocatable CPU.
    pub cpu: Option<Level>,
    /// Allocated memory of the allocatable memory.
    pub memory: Option<Level>,
    /// Used CPU of the host.
    pub host_cpu: Option<Level>,
    /// Used memory of the host.
    pub host_memory: Option<Level>,
}

impl Level {
    fn new(amount: Option<f64>, total: Option<f64>) -> Option<Self> {
        Some(Self { amount: amount?, total: total? })
    }

    /// Returns the ratio, which may exceed 1; 0 if the total is 0.
    pub fn ratio(&self) -> f64 {
        if self.total > 0.0 { self.amount / self.total } else { 0.0 }
    }
}

impl Levels {
    /// Calculates the levels of a node from its allocations and its host statistics. If the resources of an
    /// allocation are unknown, so are the allocated levels.
    pub fn new(node: &Node, load: Option<&NodeLoad>, host: Option<&Host>) -> Self {
        let allocated = |of: fn(&NodeLoad) -> f64| load.filter(|load| load.unsized_count == 0).map(of);
        Self {
            cpu: Level::new(allocated(|load| load.cpu_hertz), node.allocatable.cpu_hertz),
            memory: Level::new(allocated(|load| load.memory_bytes), node.allocatable.memory_bytes),
            host_cpu: Level::new(host.and_then(|host| host.cpu_used_hertz), node.cpu_total_hertz),
            host_memory: Level::new(
                host.and_then(|host| host.memory_used_bytes),
                host.and_then(|host| host.memory_total_bytes),
            ),
        }
    }

    /// Adds the levels of another node, as far as they are known.
    fn add(&mut self, other: Self) {
        let pairs = [
            (&mut self.cpu, other.cpu),
            (&mut self.memory, other.memory),
            (&mut self.host_cpu, other.host_cpu),
            (&mut self.host_memory, other.host_memory),
        ];
        for (sum, level) in pairs {
            if let Some(level) = level {
                let sum = sum.get_or_insert_default();
                sum.amount += level.amount;
                sum.total += level.total;
            }
        }
    }
}

impl Sections {
    /// Returns the allocations of a node; unknown if allocations are, or if not all namespaces are read.
    pub fn load(&self, node: &Node) -> Option<NodeLoad> {
        Some(self.node_loads.as_ref()?.by_node.get(&node.id).cloned().unwrap_or_default())
    }

    /// Returns the levels of a node.
    pub fn levels(&self, node: &Node) -> Levels {
        let host = self.hosts.as_ref().and_then(|hosts| hosts.by_node.get(&node.id)?.as_ref());
        Levels::new(node, self.load(node).as_ref(), host)
    }

    /// Returns the levels of all active nodes.
    pub fn capacity_levels(&self) -> Levels {
        let mut levels = Levels::default();
        let nodes = self.nodes.iter().flat_map(|nodes| nodes.iter());
        nodes.filter(|node| node.state == NodeState::Active).for_each(|node| levels.add(self.levels(node)));
        levels
    }
}
