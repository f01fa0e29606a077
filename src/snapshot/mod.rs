//! What is known of the cluster at one moment: plain values, replaced whole, never changed in place.
//!
//! Each section is what one source last read. A section is absent when its source is off, not permitted, or too
//! long without success: what is not known is not shown.

mod allocations;
mod demand;
mod deployments;
mod drains;
mod evaluations;
mod hosts;
mod jobs;
mod levels;
mod named;
mod nodes;
mod observed;
mod one_node;
mod pools;
mod servers;
mod source;
mod totals;
mod usage;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

pub use allocations::{AllocationCounts, GroupAllocations, LiveAllocations, NodeLoad};
pub use demand::{Ask, Demand, Queue, Queued, Specification, SpecificationKey, Specifications};
pub use deployments::Deployments;
pub use drains::{Drain, DrainState, Drains, drains};
pub use evaluations::{Evaluations, NamespaceEvaluations};
pub use hosts::{Disk, Host, Hosts};
pub use jobs::{AGE_BOUNDS_SECONDS, FinishedJobs, FinishedNamespace, LiveJobs, NamespaceJobs, PendingJob};
pub use levels::{Level, Levels};
pub use named::{GroupCounts, JobInfo, NamedJob, NamedJobs};
pub use nodes::{Capacity, LastDrain, Node, Nodes};
pub use observed::{DELAY_BOUNDS_SECONDS, FinishedCounts, Histogram, PlacementDelays};
pub use one_node::{NodeAllocation, OneNode};
pub use pools::{Missing, Pool, Share, pools};
pub use servers::{Autopilot, Leader, SchedulerSettings, Server, ServerHealth, Servers};
pub use source::SourceState;
pub use totals::Totals;
pub use usage::{AllocationUsage, Usage};

/// Everything that one rendering shows.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: SystemTime,
    /// How each source stands, in the order of their table.
    pub sources: Vec<SourceState>,
    /// What the sources told.
    pub sections: Sections,
}

/// What the sources told, each part as of its own last refresh.
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

impl Snapshot {
    /// Whether the last refresh of every required source succeeded.
    pub fn is_up(&self) -> bool {
        self.required().all(|source| source.up == Some(true))
    }

    /// Whether it is worth scraping: every required source was tried, and not all of them are stale.
    pub fn is_ready(&self) -> bool {
        self.required().all(|source| source.up.is_some()) && self.required().any(|source| source.fresh)
    }

    fn required(&self) -> impl Iterator<Item = &SourceState> {
        self.sources.iter().filter(|source| source.required)
    }
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
}
