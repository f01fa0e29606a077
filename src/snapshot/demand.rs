//! Queued allocations and their requested resources.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use super::{CoresAndDevices, Evaluations, GroupSpecification, SpecificationKey, Specifications};
use crate::terms::{ByTerm, JobKey, JobType, at};

/// Queued allocations according to the summaries of jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// By the specification with their requests: the oldest ones, up to the limit.
    pub by_specification: HashMap<SpecificationKey, Queued>,
    /// Queued allocations beyond the limit, whose specification is not read.
    pub untracked: BTreeMap<String, BTreeMap<String, ByTerm<JobType, Vec<QueuedGroup>>>>,
}

/// Queued allocations of the jobs with one specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Earliest submission.
    pub submitted: Option<SystemTime>,
    /// Node pool; empty before Nomad 1.6.
    pub node_pool: String,
    /// Job type.
    pub job_type: JobType,
    /// Task groups of the jobs.
    pub groups: Vec<QueuedGroup>,
}

/// Queued allocations of one task group of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedGroup {
    /// The job.
    pub job: JobKey,
    /// The ID for series of their own, if any: that of the job or its parent.
    pub named: Option<Box<str>>,
    /// The task group.
    pub group: Box<str>,
    /// Number of queued allocations.
    pub count: u64,
    /// Raft index of the summary with this number.
    pub summary_index: Option<u64>,
}

/// Resources requested by one or several allocations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceRequest {
    /// CPU in hertz. Excludes reserved cores, because their frequency depends on the node.
    pub cpu_hertz: f64,
    /// Memory in bytes.
    pub memory_bytes: f64,
    /// Disk in bytes.
    pub disk_bytes: f64,
    /// Whether reserved cores are requested in addition.
    pub cores: bool,
}

/// Queued allocations and their requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// Queued allocations by namespace and node pool.
    pub queued: BTreeMap<String, BTreeMap<String, ByTerm<JobType, u64>>>,
    /// Queued allocations of jobs with series of their own: by namespace, job and task group.
    pub queued_by_job: BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>,
    /// Requested resources; `None` if specifications are unknown.
    pub requested: Option<Requested>,
}

/// Resources requested by queued allocations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requested {
    /// Sums by namespace and node pool.
    pub by_pool: BTreeMap<String, BTreeMap<String, ResourceRequest>>,
    /// Cores and devices by namespace and node pool.
    pub cores_and_devices_by_pool: BTreeMap<String, BTreeMap<String, CoresAndDevices>>,
    /// Number of allocations with unknown or partly unknown requests, by namespace.
    pub unsized_by_namespace: BTreeMap<String, u64>,
    /// Number of allocations with unknown requests, by node pool.
    pub unknown_by_pool: BTreeMap<String, u64>,
    /// Number of allocations by size, by namespace and node pool.
    pub sizes: BTreeMap<String, BTreeMap<String, HashMap<QueuedSize, u64>>>,
}

/// Resources requested by one queued allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueuedSize {
    /// CPU in hertz, memory and disk in bytes; `None` if unknown, or if it reserves cores.
    pub request: Option<[u64; 3]>,
    /// Whether constraints exclude every node.
    pub constrained: bool,
}

impl Demand {
    /// Joins the queued counts of summaries with evaluations, which confirm them, and specifications, which
    /// have the requests.
    ///
    /// Summaries keep the queued count of removed task groups, and of allocations that were queued before an
    /// evaluation failed. Therefore an allocation counts only if an evaluation of its job waits, and if the
    /// current specification has its group. If either is unknown, it counts.
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
                let specified = specification.and_then(|groups| groups.get(&*group.group));
                // The specification is known, and does not have this group.
                if specification.is_some() && specified.is_none() {
                    continue;
                }
                let place = (key.namespace.as_str(), queued.node_pool.as_str(), queued.job_type);
                demand.add(place, group, specified, is_constrained(group));
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
        specified: Option<&GroupSpecification>,
        constrained: bool,
    ) {
        let (count, request) = (group.count, specified.map(|specified| &specified.request));
        at(at(&mut self.queued, namespace), pool)[job_type] += count;
        if let Some(named) = &group.named {
            *at(at(at(&mut self.queued_by_job, namespace), named), &group.group) += count;
        }
        let Some(requested) = &mut self.requested else { return };
        let sizes = at(at(&mut requested.sizes, namespace), pool);
        *sizes
            .entry(QueuedSize { request: request.and_then(ResourceRequest::size), constrained })
            .or_default() += count;
        match request {
            Some(request) => at(at(&mut requested.by_pool, namespace), pool).add(request, count as f64),
            None => *at(&mut requested.unknown_by_pool, pool) += count,
        }
        if request.is_none_or(|request| request.cores) {
            *at(&mut requested.unsized_by_namespace, namespace) += count;
        }
        let cores_and_devices =
            specified.map(|specified| &specified.cores_and_devices).filter(|it| !it.is_empty());
        if let Some(amount) = cores_and_devices {
            at(at(&mut requested.cores_and_devices_by_pool, namespace), pool).add(amount, count);
        }
    }
}

impl ResourceRequest {
    /// Returns CPU, memory and disk, if nothing else is requested.
    fn size(&self) -> Option<[u64; 3]> {
        let size = [self.cpu_hertz, self.memory_bytes, self.disk_bytes];
        (!self.cores).then(|| size.map(|amount| amount as u64))
    }

    fn add(&mut self, request: &Self, count: f64) {
        self.cpu_hertz += request.cpu_hertz * count;
        self.memory_bytes += request.memory_bytes * count;
        self.disk_bytes += request.disk_bytes * count;
    }
}
