//! What the queued instances ask for: how many there are, joined with what one of them needs.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use super::{Evaluations, SpecificationKey, Specifications, Whole};
use crate::terms::{ByTerm, JobKey, JobType, at};

/// What jobs' summaries call queued.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// By the specification that tells what one allocation requests: the oldest, as many as the cap allows.
    pub by_specification: HashMap<SpecificationKey, Queued>,
    /// What the cap cut: its specification is not read.
    pub untracked: BTreeMap<String, BTreeMap<String, ByTerm<JobType, Vec<QueuedGroup>>>>,
}

/// What is queued of the jobs of one specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The earliest submission among them.
    pub submitted: Option<SystemTime>,
    /// The node pool that they are to run in; empty before Nomad 1.6.
    pub node_pool: String,
    /// Their scheduler.
    pub job_type: JobType,
    /// Each task group of each job.
    pub groups: Vec<QueuedGroup>,
}

/// What is queued of one task group of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedGroup {
    /// The job.
    pub job: JobKey,
    /// The ID under which it has series of its own, if it has: its own or its parent's.
    pub named: Option<Box<str>>,
    /// The task group.
    pub group: Box<str>,
    /// How many allocations are queued.
    pub count: u64,
    /// The Raft index of the summary that says so.
    pub summary_index: Option<u64>,
}

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

/// What is queued, and what it requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// Queued allocations by namespace and node pool.
    pub queued: BTreeMap<String, BTreeMap<String, ByTerm<JobType, u64>>>,
    /// Queued allocations of jobs that have series of their own: by namespace, job and task group.
    pub queued_by_job: BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>,
    /// What they request; `None` if specifications are not known.
    pub requested: Option<Requested>,
}

/// What the queued allocations request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requested {
    /// Sums by namespace and node pool.
    pub by_pool: BTreeMap<String, BTreeMap<String, Ask>>,
    /// Cores and devices by namespace and node pool.
    pub whole_by_pool: BTreeMap<String, BTreeMap<String, Whole>>,
    /// Allocations whose requests are not known, or not all of them, by namespace.
    pub unsized_by_namespace: BTreeMap<String, u64>,
    /// Allocations whose requests are not known, by node pool.
    pub unknown_by_pool: BTreeMap<String, u64>,
    /// Allocations by what one of them requests, by namespace and node pool.
    pub sizes: BTreeMap<String, BTreeMap<String, HashMap<QueuedSize, u64>>>,
}

/// What one queued allocation requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueuedSize {
    /// CPU in hertz, memory and disk in bytes; `None` if it is not known, or requests whole cores.
    pub ask: Option<[u64; 3]>,
    /// Whether constraints rule out every node for it.
    pub constrained: bool,
}

impl Demand {
    /// Joins what summaries call queued with evaluations, which confirm it, and with specifications, which size it.
    ///
    /// Summaries keep what a removed task group had queued, and what was queued before an evaluation failed. So an
    /// allocation counts only if an evaluation of its job waits, and if the job's present specification has its group.
    /// What is not known refutes nothing.
    pub(super) fn join(
        queue: &Queue,
        evaluations: Option<&Evaluations>,
        specifications: Option<&Specifications>,
    ) -> Self {
        let mut demand = Self { requested: specifications.map(|_| Requested::default()), ..Self::default() };
        let is_confirmed = |queued: &QueuedGroup| {
            evaluations.is_none_or(|known| known.confirms(queued.job, queued.summary_index))
        };
        let is_constrained = |queued: &QueuedGroup| {
            evaluations.is_some_and(|known| known.is_constrained(queued.job, &queued.group))
        };
        for (key, queued) in &queue.by_specification {
            let specification = specifications.and_then(|known| known.get(key));
            for group in queued.groups.iter().filter(|group| is_confirmed(group)) {
                let ask = specification.map(|groups| groups.get(&*group.group).map(|group| &group.ask));
                // The specification is known, and has no such group.
                if ask == Some(None) {
                    continue;
                }
                let place = (key.namespace.as_str(), queued.node_pool.as_str(), queued.job_type);
                demand.add(place, group, ask.flatten(), is_constrained(group));
                if let Some(specified) = specification.and_then(|groups| groups.get(&*group.group)) {
                    demand.add_whole(place, group.count, &specified.whole);
                }
            }
        }
        for (namespace, pools) in &queue.untracked {
            for (pool, by_type) in pools {
                for (job_type, groups) in by_type.iter() {
                    let groups = groups.iter().filter(|group| is_confirmed(group));
                    groups.for_each(|group| {
                        demand.add((namespace, pool, job_type), group, None, is_constrained(group));
                    });
                }
            }
        }
        demand
    }

    fn add(
        &mut self,
        (namespace, pool, job_type): (&str, &str, JobType),
        group: &QueuedGroup,
        ask: Option<&Ask>,
        constrained: bool,
    ) {
        let count = group.count;
        at(at(&mut self.queued, namespace), pool)[job_type] += count;
        if let Some(named) = &group.named {
            *at(at(at(&mut self.queued_by_job, namespace), named), &group.group) += count;
        }
        let Some(requested) = &mut self.requested else { return };
        let sizes = at(at(&mut requested.sizes, namespace), pool);
        *sizes.entry(QueuedSize { ask: ask.and_then(Ask::size), constrained }).or_default() += count;
        match ask {
            Some(ask) => at(at(&mut requested.by_pool, namespace), pool).add(ask, count as f64),
            None => *at(&mut requested.unknown_by_pool, pool) += count,
        }
        if ask.is_none_or(|ask| ask.cores) {
            *at(&mut requested.unsized_by_namespace, namespace) += count;
        }
    }
}

impl Demand {
    fn add_whole(&mut self, (namespace, pool, _): (&str, &str, JobType), count: u64, whole: &Whole) {
        if let Some(requested) = self.requested.as_mut().filter(|_| !whole.is_empty()) {
            at(at(&mut requested.whole_by_pool, namespace), pool).add(whole, count);
        }
    }
}

impl Ask {
    /// CPU, memory and disk, if they are all that is requested.
    fn size(&self) -> Option<[u64; 3]> {
        let size = [self.cpu_hertz, self.memory_bytes, self.disk_bytes];
        (!self.cores).then(|| size.map(|amount| amount as u64))
    }

    fn add(&mut self, ask: &Self, count: f64) {
        self.cpu_hertz += ask.cpu_hertz * count;
        self.memory_bytes += ask.memory_bytes * count;
        self.disk_bytes += ask.disk_bytes * count;
    }
}
