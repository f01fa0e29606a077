//! How full nodes are: what is promised of what they have for jobs, and what their hosts use of what they have.

use super::hosts::Host;
use super::nodes::Node;
use super::{NodeLoad, Sections};
use crate::terms::NodeState;

/// How much of something is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// What is taken.
    pub taken: f64,
    /// All there is.
    pub whole: f64,
}

/// How full one node is, or several; absent where not known. CPU in hertz, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Levels {
    /// CPU promised of what there is for jobs.
    pub cpu: Option<Level>,
    /// Memory promised of what there is for jobs.
    pub memory: Option<Level>,
    /// CPU in use of the host's.
    pub host_cpu: Option<Level>,
    /// Memory in use of the host's.
    pub host_memory: Option<Level>,
}

impl Level {
    fn new(taken: Option<f64>, whole: Option<f64>) -> Option<Self> {
        Some(Self { taken: taken?, whole: whole? })
    }

    /// 0 to 1, and more where more is promised than there is; of nothing it is 0.
    pub fn ratio(&self) -> f64 {
        if self.whole > 0.0 { self.taken / self.whole } else { 0.0 }
    }
}

impl Levels {
    /// The levels of a node that holds this, if that is known, and whose host measures this. Allocations whose size
    /// is not told leave open what is promised.
    pub fn new(node: &Node, load: Option<&NodeLoad>, host: Option<&Host>) -> Self {
        let promised = |of: fn(&NodeLoad) -> f64| load.filter(|load| load.unsized_count == 0).map(of);
        Self {
            cpu: Level::new(promised(|load| load.cpu_hertz), node.allocatable.cpu_hertz),
            memory: Level::new(promised(|load| load.memory_bytes), node.allocatable.memory_bytes),
            host_cpu: Level::new(host.and_then(|host| host.cpu_used_hertz), node.cpu_total_hertz),
            host_memory: Level::new(
                host.and_then(|host| host.memory_used_bytes),
                host.and_then(|host| host.memory_total_bytes),
            ),
        }
    }

    /// The levels of several nodes as one, each over those of which it is known.
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
                sum.taken += level.taken;
                sum.whole += level.whole;
            }
        }
    }
}

impl Sections {
    /// What runs on a node: unknown while allocations are, or while not all namespaces are read.
    pub fn load(&self, node: &Node) -> Option<NodeLoad> {
        Some(self.node_loads.as_ref()?.by_node.get(&node.id).cloned().unwrap_or_default())
    }

    /// How full a node is.
    pub fn levels(&self, node: &Node) -> Levels {
        let host = self.hosts.as_ref().and_then(|hosts| hosts.by_node.get(&node.id)?.as_ref());
        Levels::new(node, self.load(node).as_ref(), host)
    }

    /// How full the active nodes are, which are the capacity.
    pub fn capacity_levels(&self) -> Levels {
        let mut levels = Levels::default();
        let nodes = self.nodes.iter().flat_map(|nodes| nodes.iter());
        nodes.filter(|node| node.state == NodeState::Active).for_each(|node| levels.add(self.levels(node)));
        levels
    }
}
