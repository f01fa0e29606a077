//! What the collectors told.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    AllocationCounts, Autopilot, Deployments, Drains, Evaluations, FinishedCounts, FinishedJobs, Hosts,
    Leader, LiveAllocations, LiveJobs, Nodes, PlacementDelays, SchedulerSettings, Servers, Specifications,
    Usage,
};

/// What the collectors told, each part as of its own last refresh.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    /// Jobs that are not dead.
    pub jobs: Option<Arc<LiveJobs>>,
    /// Dead jobs that Nomad still retains.
    pub finished_jobs: Option<Arc<FinishedJobs>>,
    /// Nodes.
    pub nodes: Option<Arc<Nodes>>,
    /// The terms of the drains that go on.
    pub drains: Option<Arc<Drains>>,
    /// What clients measure of their hosts.
    pub hosts: Option<Arc<Hosts>>,
    /// Allocations that are not terminal.
    pub allocations: Option<Arc<LiveAllocations>>,
    /// Terminal allocations that Nomad still retains.
    pub finished_allocations: Option<Arc<AllocationCounts>>,
    /// Blocked and pending evaluations.
    pub evaluations: Option<Arc<Evaluations>>,
    /// Names of namespaces.
    pub namespaces: Option<Arc<BTreeSet<String>>>,
    /// Specifications of the jobs with queued instances.
    pub specifications: Option<Arc<Specifications>>,
    /// How long jobs waited for their first allocation.
    pub placements: Option<Arc<PlacementDelays>>,
    /// Jobs that were seen to finish.
    pub completions: Option<Arc<FinishedCounts>>,
    /// Deployments.
    pub deployments: Option<Arc<Deployments>>,
    /// Servers of the region.
    pub servers: Option<Arc<Servers>>,
    /// Who leads them.
    pub leader: Option<Arc<Leader>>,
    /// What autopilot says of them.
    pub autopilot: Option<Arc<Autopilot>>,
    /// What an operator set for their schedulers.
    pub scheduler: Option<Arc<SchedulerSettings>>,
    /// What allocations use.
    pub usage: Option<Arc<Usage>>,
}

impl Sections {
    /// Every namespace that any section names, so that a count of zero can be told from an unknown one.
    pub fn known_namespaces(&self) -> BTreeSet<&str> {
        let listed = self.namespaces.iter().flat_map(|names| names.iter());
        let jobs = self.jobs.iter().flat_map(|jobs| jobs.by_namespace.keys());
        let finished = self.finished_jobs.iter().flat_map(|jobs| jobs.by_namespace.keys());
        let allocations = self.allocations.iter().flat_map(|live| live.counts.by_namespace.keys());
        let terminal = self.finished_allocations.iter().flat_map(|counts| counts.by_namespace.keys());
        let evaluations = self.evaluations.iter().flat_map(|all| all.by_namespace.keys());
        let deployments = self.deployments.iter().flat_map(|all| all.by_namespace.keys());
        let of_jobs = listed.chain(jobs).chain(finished);
        let all = of_jobs.chain(allocations).chain(terminal).chain(evaluations).chain(deployments);
        all.map(String::as_str).collect()
    }

    /// Every node pool that has a node or a live job.
    pub fn known_pools(&self) -> BTreeSet<&str> {
        let of_nodes = self.nodes.iter().flat_map(|nodes| nodes.iter()).map(|node| node.pool.as_str());
        let namespaces = self.jobs.iter().flat_map(|jobs| jobs.by_namespace.values());
        let of_jobs = namespaces.flat_map(|namespace| namespace.queued.keys()).map(String::as_str);
        of_nodes.chain(of_jobs).collect()
    }

    /// The parts that these collectors told, by the name of the collector.
    pub fn of_collectors(&self, collectors: &[&str]) -> Self {
        fn part<T>(section: &Option<Arc<T>>, is_wanted: bool) -> Option<Arc<T>> {
            section.clone().filter(|_| is_wanted)
        }
        let of = |collector: &str| collectors.contains(&collector);
        Self {
            jobs: part(&self.jobs, of("jobs")),
            finished_jobs: part(&self.finished_jobs, of("finished_jobs")),
            nodes: part(&self.nodes, of("nodes")),
            drains: part(&self.drains, of("drains")),
            hosts: part(&self.hosts, of("host_stats")),
            allocations: part(&self.allocations, of("allocations")),
            finished_allocations: part(&self.finished_allocations, of("finished_allocations")),
            evaluations: part(&self.evaluations, of("evaluations")),
            namespaces: part(&self.namespaces, of("namespaces")),
            specifications: part(&self.specifications, of("specifications")),
            placements: part(&self.placements, of("allocations")),
            completions: part(&self.completions, of("finished_jobs")),
            deployments: part(&self.deployments, of("deployments")),
            servers: part(&self.servers, of("servers")),
            leader: part(&self.leader, of("leader")),
            autopilot: part(&self.autopilot, of("autopilot")),
            scheduler: part(&self.scheduler, of("scheduler")),
            usage: part(&self.usage, of("allocation_usage")),
        }
    }

    /// Whether all of it is the very same, and not only equal.
    pub fn is_same(&self, other: &Self) -> bool {
        fn same<T>(one: &Option<Arc<T>>, other: &Option<Arc<T>>) -> bool {
            match (one, other) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            }
        }
        same(&self.jobs, &other.jobs)
            && same(&self.finished_jobs, &other.finished_jobs)
            && same(&self.nodes, &other.nodes)
            && same(&self.drains, &other.drains)
            && same(&self.hosts, &other.hosts)
            && same(&self.allocations, &other.allocations)
            && same(&self.finished_allocations, &other.finished_allocations)
            && same(&self.evaluations, &other.evaluations)
            && same(&self.namespaces, &other.namespaces)
            && same(&self.specifications, &other.specifications)
            && same(&self.placements, &other.placements)
            && same(&self.completions, &other.completions)
            && same(&self.deployments, &other.deployments)
            && same(&self.servers, &other.servers)
            && same(&self.leader, &other.leader)
            && same(&self.autopilot, &other.autopilot)
            && same(&self.scheduler, &other.scheduler)
            && same(&self.usage, &other.usage)
    }
}
