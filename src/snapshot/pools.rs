//! Node pools: capacity, allocated resources and demand.

use std::collections::BTreeMap;

use super::demand::Demand;
use super::placing::Placing;
use super::pool_capacity::{PoolCapacity, PoolResource};

/// A node pool, with sums over its active nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    /// Number of active nodes.
    pub active_nodes: u64,
    /// Number of other nodes.
    pub other_nodes: u64,
    /// CPU in hertz.
    pub cpu: ResourceTotals,
    /// Memory in bytes.
    pub memory: ResourceTotals,
    /// Number of queued allocations.
    pub queued: u64,
    /// Number of queued allocations with partly or fully unknown requests, so that the requested sums are
    /// incomplete.
    pub unsized_allocations: u64,
    /// Number of queued allocations that fit on no client of the pool.
    pub unplaceable: u64,
    /// Number of additional clients of the most common size that the others need, if known.
    pub missing_clients: Option<u64>,
}

/// Allocatable, allocated and requested amount of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceTotals {
    /// Allocatable amount of the active nodes.
    pub allocatable: f64,
    /// Allocated amount.
    pub allocated: f64,
    /// Amount requested by queued allocations.
    pub requested: f64,
}

impl ResourceTotals {
    /// Returns the free amount.
    pub fn free(&self) -> f64 {
        (self.allocatable - self.allocated).max(0.0)
    }
}

/// Number of additional clients of the most common size that queued allocations need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// This number.
    Clients(u64),
    /// Allocations are queued but there is no active node, so the usual size is unknown.
    All,
    /// The requests are unknown, or nothing is queued and there is no active node.
    Unknown,
}

impl From<&PoolCapacity> for Pool {
    fn from(capacity: &PoolCapacity) -> Self {
        let totals = |sum: PoolResource| ResourceTotals {
            allocatable: sum.allocatable,
            allocated: sum.allocated,
            requested: 0.0,
        };
        Self {
            active_nodes: capacity.active_nodes,
            other_nodes: capacity.other_nodes,
            cpu: totals(capacity.cpu_hertz),
            memory: totals(capacity.memory_bytes),
            ..Self::default()
        }
    }
}

impl Pool {
    /// Returns this pool including the nodes of another one.
    fn with_nodes_of(mut self, other: &Self) -> Self {
        self.active_nodes += other.active_nodes;
        self.other_nodes += other.other_nodes;
        for (totals, other) in [(&mut self.cpu, other.cpu), (&mut self.memory, other.memory)] {
            totals.allocatable += other.allocatable;
            totals.allocated += other.allocated;
        }
        self
    }

    /// Returns whether the requests of queued allocations are at least partly known.
    pub fn is_requested_known(&self) -> bool {
        self.cpu.requested > 0.0 || self.memory.requested > 0.0 || self.unsized_allocations == 0
    }

    /// Returns the number of missing clients.
    pub fn missing(&self) -> Missing {
        match self.missing_clients {
            Some(missing) if missing == 0 || self.active_nodes > 0 => Missing::Clients(missing),
            _ if self.queued > 0 && self.active_nodes == 0 => Missing::All,
            _ => Missing::Unknown,
        }
    }
}

/// The built-in pool of jobs that may run on every node. It is not the pool of any node.
pub(super) const ALL: &str = "all";

/// Returns the pools with a node or queued allocations, by name.
pub(super) fn pools(
    capacity: &BTreeMap<String, PoolCapacity>,
    demand: Option<&Demand>,
    placing: Option<&Placing>,
) -> BTreeMap<String, Pool> {
    let mut pools: BTreeMap<String, Pool> =
        capacity.iter().map(|(name, capacity)| (name.clone(), capacity.into())).collect();
    let by_pool = demand.iter().flat_map(|demand| demand.queued.values().flatten());
    for (name, queued) in by_pool {
        pools.entry(name.clone()).or_default().queued += queued.iter().map(|(_, count)| count).sum::<u64>();
    }
    match demand.and_then(|demand| demand.requested.as_ref()) {
        Some(requested) => {
            for (name, count) in &requested.unknown_by_pool {
                pools.entry(name.clone()).or_default().unsized_allocations += count;
            }
            for (name, request) in requested.by_pool.values().flatten() {
                let pool = pools.entry(name.clone()).or_default();
                pool.cpu.requested += request.cpu_hertz;
                pool.memory.requested += request.memory_bytes;
            }
        }
        None => pools.values_mut().for_each(|pool| pool.unsized_allocations = pool.queued),
    }
    if let Some(everything) = pools.get(ALL).filter(|pool| pool.queued > 0).cloned() {
        let nodes = pools.iter().filter(|(name, _)| *name != ALL).map(|(_, pool)| pool);
        let whole = nodes.fold(everything, Pool::with_nodes_of);
        pools.insert(ALL.to_owned(), whole);
    }
    if let Some(placing) = placing {
        for (name, pool) in &mut pools {
            pool.missing_clients = placing.missing.get(name).copied();
            pool.unplaceable = placing.unplaceable_of(name);
        }
    }
    pools.retain(|_, pool| pool.active_nodes + pool.other_nodes + pool.queued > 0);
    pools
}
