//! Capacity of each node pool, and the allocated part of it.

use std::collections::BTreeMap;

use super::{NodeLoad, Sections};
use crate::terms::NodeState;

/// Number of nodes of one pool, and the resources of its active nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoolCapacity {
    /// Number of active nodes.
    pub active_nodes: u64,
    /// Number of other nodes.
    pub other_nodes: u64,
    /// CPU in hertz.
    pub cpu_hertz: PoolResource,
    /// Memory in bytes.
    pub memory_bytes: PoolResource,
}

/// The sums of one resource over the active nodes of a pool. A node counts if both its allocatable and its allocated
/// amount are known, so that the sums can be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoolResource {
    /// The amount that the scheduler can allocate.
    pub allocatable: f64,
    /// The amount that is allocated.
    pub allocated: f64,
    /// The largest amount that is free on one node.
    pub largest_free: f64,
}

impl PoolResource {
    fn add(&mut self, allocatable: Option<f64>, allocated: f64) {
        let Some(allocatable) = allocatable else { return };
        self.allocatable += allocatable;
        self.allocated += allocated;
        self.largest_free = self.largest_free.max(allocatable - allocated);
    }
}

/// Returns the capacity of each pool that has a node. `None` while nodes, or the allocations on them, are unknown.
pub(super) fn capacity(sections: &Sections) -> Option<BTreeMap<String, PoolCapacity>> {
    let (nodes, loads) = (sections.nodes.as_ref()?, sections.node_loads.as_ref()?);
    let mut pools: BTreeMap<String, PoolCapacity> = BTreeMap::new();
    let nothing = NodeLoad::default();
    for node in nodes.iter() {
        // Not the entry API: it would copy a name for every node.
        let pool = match pools.get_mut(&node.pool) {
            Some(pool) => pool,
            None => pools.entry(node.pool.clone()).or_default(),
        };
        if node.state != NodeState::Active {
            pool.other_nodes += 1;
            continue;
        }
        pool.active_nodes += 1;
        let load = loads.by_node.get(&node.id).unwrap_or(&nothing);
        if load.unsized_count == 0 {
            pool.cpu_hertz.add(node.allocatable.cpu_hertz, load.cpu_hertz);
            pool.memory_bytes.add(node.allocatable.memory_bytes, load.memory_bytes);
        }
    }
    Some(pools)
}
