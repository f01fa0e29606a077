//! Clients that the backlog needs, and allocations that no client can take.

use std::collections::{BTreeMap, HashMap};

use super::packing::{Resources, clients_missing};
use super::pools::ALL;
use super::{Capacity, Demand, Node, NodeLoad, NodeLoads, Nodes, Requested};
use crate::terms::{NodeState, at};

/// Maximum number of packing steps: sizes of a pool times its clients. Beyond it, the result is unknown.
const MAX_STEPS: usize = 20_000_000;

/// Placement of queued allocations, from nodes, allocations and demand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placing {
    /// Queued allocations that fit on no client of their pool, by namespace and pool.
    pub unplaceable: BTreeMap<String, BTreeMap<String, Unplaceable>>,
    /// Number of additional clients of the most common size that each pool needs; absent if unknown.
    pub missing: BTreeMap<String, u64>,
}

/// Queued allocations that no client of their pool could run, even if only system jobs ran on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unplaceable {
    /// They request more than the largest client has left after its system jobs.
    pub size: u64,
    /// Constraints exclude every client.
    pub constraint: u64,
}

impl Unplaceable {
    /// Returns their number.
    pub fn count(&self) -> u64 {
        self.size + self.constraint
    }
}

/// A client that is eligible for allocations.
struct Client {
    /// Its resources without those of system jobs, which run on every client.
    total: Resources,
    /// Free resources, if it is eligible; `None` if unknown.
    free: Option<Option<Resources>>,
}

/// Placeable queued allocations of one pool: requests of one, and their number.
type Placeable = Option<Vec<(Resources, u64)>>;

impl Placing {
    /// Joins queued allocations with the existing clients. Allocations by node are absent unless all
    /// namespaces are read.
    pub(super) fn join(nodes: &Nodes, loads: Option<&NodeLoads>, demand: &Demand) -> Option<Self> {
        let requested = demand.requested.as_ref()?;
        // A down client may never come back.
        let live = nodes.iter().filter(|node| node.state != NodeState::Down);
        let mut clients: BTreeMap<&str, Vec<Client>> = BTreeMap::new();
        for node in live {
            clients.entry(node.pool.as_str()).or_default().push(Client::new(node, loads));
        }
        let mut placing = Self::default();
        let mut placeable = placing.sort_out(requested, &clients);
        if loads.is_some() {
            placing.pack(&mut placeable, clients);
        }
        Some(placing)
    }

    /// Separates placeable from unplaceable allocations.
    fn sort_out<'a>(
        &mut self,
        requested: &'a Requested,
        clients: &BTreeMap<&str, Vec<Client>>,
    ) -> BTreeMap<&'a str, Placeable> {
        let mut placeable: BTreeMap<&str, Placeable> = BTreeMap::new();
        for (namespace, pools) in &requested.sizes {
            for (pool, sizes) in pools {
                let of_pool: Vec<&Client> = match pool.as_str() {
                    ALL => clients.values().flatten().collect(),
                    pool => clients.get(pool).into_iter().flatten().collect(),
                };
                let unplaceable = at(at(&mut self.unplaceable, namespace), pool);
                let waiting = placeable.entry(pool).or_insert_with(|| Some(Vec::new()));
                for (size, count) in sizes {
                    let request = size.request.map(Resources::from);
                    let fits = |request: &Resources| {
                        of_pool.is_empty() || of_pool.iter().any(|it| it.total.fits(request))
                    };
                    match request {
                        _ if size.constrained => unplaceable.constraint += count,
                        Some(request) if !fits(&request) => unplaceable.size += count,
                        Some(request) => {
                            waiting.iter_mut().for_each(|waiting| waiting.push((request, *count)))
                        }
                        None => *waiting = None,
                    }
                }
            }
        }
        placeable
    }

    /// Packs placeable allocations into the free resources. Allocations that may run in all pools come last,
    /// on what the others leave.
    fn pack(&mut self, placeable: &mut BTreeMap<&str, Placeable>, clients: BTreeMap<&str, Vec<Client>>) {
        let everywhere = placeable.remove(ALL).unwrap_or_else(|| Some(Vec::new()));
        let (mut all_free, mut all_sizes, mut is_known) = (Vec::new(), Vec::new(), true);
        for (pool, clients) in clients {
            let sizes: Vec<Resources> = clients.iter().map(|client| client.total).collect();
            let free: Option<Vec<Resources>> = clients.into_iter().filter_map(|client| client.free).collect();
            let waiting = placeable.remove(pool).unwrap_or_else(|| Some(Vec::new()));
            match (free, waiting) {
                (Some(mut free), Some(mut waiting)) if waiting.len() * free.len() <= MAX_STEPS => {
                    if let Some(usual) = most_common(&sizes) {
                        self.missing.insert(pool.to_owned(), clients_missing(&mut waiting, &mut free, usual));
                    }
                    all_free.extend(free);
                }
                _ => is_known = false,
            }
            all_sizes.extend(sizes);
        }
        if let (Some(mut waiting), Some(usual)) = (everywhere, most_common(&all_sizes))
            && is_known
            && !waiting.is_empty()
            && waiting.len() * all_free.len() <= MAX_STEPS
        {
            self.missing.insert(ALL.to_owned(), clients_missing(&mut waiting, &mut all_free, usual));
        }
    }

    /// Returns the number of unplaceable allocations of a pool in all namespaces.
    pub fn unplaceable_of(&self, pool: &str) -> u64 {
        self.unplaceable.values().filter_map(|pools| pools.get(pool)).map(Unplaceable::count).sum()
    }
}

impl Client {
    fn new(node: &Node, loads: Option<&NodeLoads>) -> Self {
        let none = NodeLoad::default();
        let load = loads.map(|loads| loads.by_node.get(&node.id).unwrap_or(&none));
        let allocatable = Resources::from(node.allocatable);
        let is_sized = node.allocatable.cpu_hertz.is_some() && node.allocatable.memory_bytes.is_some();
        let free = || {
            let load = load.filter(|load| is_sized && load.unsized_count == 0)?;
            Some(allocatable.without([load.cpu_hertz, load.memory_bytes, load.disk_bytes]))
        };
        let total = load.map_or(allocatable, |load| allocatable.without(load.system_allocated));
        Self { total, free: (node.state == NodeState::Active).then(free) }
    }
}

impl From<[u64; 3]> for Resources {
    fn from([cpu, memory, disk]: [u64; 3]) -> Self {
        Self { cpu_hertz: cpu as f64, memory_bytes: memory as f64, disk_bytes: disk as f64 }
    }
}

impl From<Capacity> for Resources {
    /// Unknown resources of a client are not a limit.
    fn from(capacity: Capacity) -> Self {
        let known = |amount: Option<f64>| amount.unwrap_or(f64::INFINITY);
        Self {
            cpu_hertz: known(capacity.cpu_hertz),
            memory_bytes: known(capacity.memory_bytes),
            disk_bytes: known(capacity.disk_bytes),
        }
    }
}

/// Returns the size that most clients have; the largest, if there are several.
fn most_common(sizes: &[Resources]) -> Option<Resources> {
    let key =
        |size: &Resources| [size.cpu_hertz, size.memory_bytes, size.disk_bytes].map(|amount| amount as u64);
    let mut counts: HashMap<[u64; 3], (u64, Resources)> = HashMap::new();
    for size in sizes.iter().filter(|size| size.cpu_hertz.is_finite() && size.memory_bytes.is_finite()) {
        // Disk sizes of identical machines differ a little, because they are the free space.
        let mut key = key(size);
        key[2] = 0;
        let entry = counts.entry(key).or_insert((0, *size));
        entry.0 += 1;
        entry.1.disk_bytes = entry.1.disk_bytes.min(size.disk_bytes);
    }
    counts.into_iter().max_by_key(|(key, (count, _))| (*count, *key)).map(|(_, (_, size))| size)
}
