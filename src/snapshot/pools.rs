//! What a node pool has, what of it is promised, and what waits for it.

use std::collections::BTreeMap;

use super::Sections;
use super::demand::Demand;
use super::placing::Placing;
use crate::terms::NodeState;

/// One node pool: sums over its active nodes, which are its capacity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    /// How many active nodes it has.
    pub active_nodes: u64,
    /// How many others.
    pub other_nodes: u64,
    /// CPU for jobs, in hertz.
    pub cpu: Share,
    /// Memory for jobs, in bytes.
    pub memory: Share,
    /// Instances that wait for it.
    pub queued: u64,
    /// How many of them ask for something that is not known, so that what is asked for is a part only.
    pub unsized_instances: u64,
    /// How many of them no client of the pool could take.
    pub unplaceable: u64,
    /// How many more clients of its most common size it needs for the others, if that is known.
    pub missing_clients: Option<u64>,
}

/// How much there is of something, what is promised, and what is asked for beyond that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// What the active nodes have for jobs.
    pub allocatable: f64,
    /// What of it is promised.
    pub allocated: f64,
    /// What queued instances ask for.
    pub asked: f64,
}

impl Share {
    /// What could still be promised.
    pub fn free(&self) -> f64 {
        (self.allocatable - self.allocated).max(0.0)
    }
}

/// How many clients of a pool's most common size are missing for what is queued to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// So many.
    Clients(u64),
    /// Something waits and there is no active node, which would tell the usual size.
    All,
    /// What is asked for is not known, or nothing waits where there is no active node.
    Unknown,
}

impl Pool {
    /// This pool with another one's nodes beside its own.
    fn with_nodes_of(mut self, other: &Self) -> Self {
        self.active_nodes += other.active_nodes;
        self.other_nodes += other.other_nodes;
        for (share, other) in [(&mut self.cpu, other.cpu), (&mut self.memory, other.memory)] {
            share.allocatable += other.allocatable;
            share.allocated += other.allocated;
        }
        self
    }

    /// Whether it is known what the queued instances ask for, or a part of it.
    pub fn is_asked_known(&self) -> bool {
        self.cpu.asked > 0.0 || self.memory.asked > 0.0 || self.unsized_instances == 0
    }

    /// How many clients are missing.
    pub fn missing(&self) -> Missing {
        match self.missing_clients {
            Some(missing) if missing == 0 || self.active_nodes > 0 => Missing::Clients(missing),
            _ if self.queued > 0 && self.active_nodes == 0 => Missing::All,
            _ => Missing::Unknown,
        }
    }
}

/// The built-in pool of jobs that may run on every node. No node names it as its own.
pub(super) const ALL: &str = "all";

/// The pools by name: those that have a node, or for which something is queued. `None` while nodes, or what
/// runs on them, are unknown.
pub(super) fn pools(
    sections: &Sections,
    demand: Option<&Demand>,
    placing: Option<&Placing>,
) -> Option<BTreeMap<String, Pool>> {
    let (nodes, loads) = (sections.nodes.as_ref()?, sections.node_loads.as_ref()?);
    let mut pools: BTreeMap<String, Pool> = BTreeMap::new();
    for node in nodes.iter() {
        let pool = pools.entry(node.pool.clone()).or_default();
        if node.state != NodeState::Active {
            pool.other_nodes += 1;
            continue;
        }
        pool.active_nodes += 1;
        pool.cpu.allocatable += node.allocatable.cpu_hertz.unwrap_or_default();
        pool.memory.allocatable += node.allocatable.memory_bytes.unwrap_or_default();
        if let Some(load) = loads.by_node.get(&node.id) {
            pool.cpu.allocated += load.cpu_hertz;
            pool.memory.allocated += load.memory_bytes;
        }
    }
    let by_pool = demand.iter().flat_map(|demand| demand.queued.values().flatten());
    for (name, queued) in by_pool {
        pools.entry(name.clone()).or_default().queued += queued.iter().map(|(_, count)| count).sum::<u64>();
    }
    match demand.and_then(|demand| demand.requested.as_ref()) {
        Some(requested) => {
            for (name, count) in &requested.unknown_by_pool {
                pools.entry(name.clone()).or_default().unsized_instances += count;
            }
            for (name, ask) in requested.by_pool.values().flatten() {
                let pool = pools.entry(name.clone()).or_default();
                pool.cpu.asked += ask.cpu_hertz;
                pool.memory.asked += ask.memory_bytes;
            }
        }
        None => pools.values_mut().for_each(|pool| pool.unsized_instances = pool.queued),
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
    Some(pools)
}
