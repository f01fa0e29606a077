//! What is known of the cluster at one moment: plain values, replaced whole, never changed in place.
//!
//! Each section is what one source last read. A section is absent when its source is off, not permitted, or too
//! long without success: what is not known is not shown.

mod age;
mod allocations;
mod drains;
mod evaluations;
mod hosts;
mod jobs;
mod nodes;
mod servers;
mod source;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

pub use age::{AGE_BOUNDS_SECONDS, AgeHistogram};
pub use allocations::{AllocationCounts, LiveAllocations, NodeLoad};
pub use drains::{Drain, Drains};
pub use evaluations::{Evaluations, NamespaceEvaluations};
pub use hosts::{Disk, Host, Hosts};
pub use jobs::{FinishedJobs, FinishedNamespace, LiveJobs, NamespaceJobs, PendingJob};
pub use nodes::{Capacity, LastDrain, Node, Nodes};
pub use servers::Servers;
pub use source::SourceState;

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
    /// Servers of the region.
    pub servers: Option<Arc<Servers>>,
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
        let all = listed.chain(jobs).chain(finished).chain(allocations).chain(terminal).chain(evaluations);
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
