//! What the queued instances ask for: how many there are, joined with what one of them needs.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

/// Queued instances by the specification that tells what one of them asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// The oldest, as many as the cap allows.
    pub by_specification: HashMap<SpecificationKey, Queued>,
    /// Instances beyond the cap, by namespace.
    pub untracked: BTreeMap<String, u64>,
}

/// Which version of which job tells. Children of one parent that were started from the same version of it share
/// the parent's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpecificationKey {
    /// The job's namespace.
    pub namespace: String,
    /// The job to read: a job of its own, or the parent of children.
    pub job_id: String,
    /// Its JobModifyIndex, which grows with every version.
    pub modify_index: u64,
}

/// Instances that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The earliest submission among them.
    pub submitted: Option<SystemTime>,
    /// The node pool that they are to run in; empty before Nomad 1.6.
    pub node_pool: String,
    /// How many, by task group.
    pub groups: BTreeMap<String, u64>,
}

/// Specifications that were read; `None` for those that may not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Specifications {
    /// Only those that something queued needs now.
    pub by_key: HashMap<SpecificationKey, Option<Specification>>,
}

/// What one instance asks for, by task group.
pub type Specification = BTreeMap<String, Ask>;

/// What one instance, or several, ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ask {
    /// CPU in hertz. Whole cores are not in it: what they are worth depends on the node.
    pub cpu_hertz: f64,
    /// Memory in bytes.
    pub memory_bytes: f64,
    /// Disk in bytes.
    pub disk_bytes: f64,
    /// Whether whole cores are asked for beside the above.
    pub cores: bool,
}

/// What all queued instances ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// Sums by namespace and node pool.
    pub by_pool: BTreeMap<String, BTreeMap<String, Ask>>,
    /// Instances whose needs are not known, or not all of them, by namespace.
    pub unsized_instances: BTreeMap<String, u64>,
}

impl Demand {
    /// Queued instances times what one of them asks for.
    pub fn new(queue: &Queue, specifications: &Specifications) -> Self {
        let mut demand = Self { unsized_instances: queue.untracked.clone(), ..Self::default() };
        for (key, queued) in &queue.by_specification {
            let specification = specifications.by_key.get(key).and_then(Option::as_ref);
            for (group, count) in queued.groups.iter().filter(|(_, count)| **count > 0) {
                let ask = specification.and_then(|specification| specification.get(group));
                if let Some(ask) = ask {
                    let pools = demand.by_pool.entry(key.namespace.clone()).or_default();
                    pools.entry(queued.node_pool.clone()).or_default().add(ask, *count as f64);
                }
                if ask.is_none_or(|ask| ask.cores) {
                    *demand.unsized_instances.entry(key.namespace.clone()).or_default() += count;
                }
            }
        }
        demand
    }
}

impl Ask {
    fn add(&mut self, ask: &Self, count: f64) {
        self.cpu_hertz += ask.cpu_hertz * count;
        self.memory_bytes += ask.memory_bytes * count;
        self.disk_bytes += ask.disk_bytes * count;
    }
}
