//! What is known of the cluster at one moment: plain values, replaced whole, never changed in place.
//!
//! Each section is what one collector last read. A section is absent when its collector is off, not permitted, or too
//! long without success: what is not known is not shown.

mod allocations;
mod collector;
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
mod sections;
mod servers;
mod totals;
mod usage;

use std::time::SystemTime;

pub use allocations::{AllocationCounts, GroupAllocations, LiveAllocations, NodeLoad};
pub use collector::CollectorState;
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
pub use sections::Sections;
pub use servers::{Autopilot, Leader, SchedulerSettings, Server, ServerHealth, Servers};
pub use totals::Totals;
pub use usage::{AllocationUsage, Usage};

/// Everything that one rendering shows.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: SystemTime,
    /// How each collector stands, in the order of their table.
    pub collectors: Vec<CollectorState>,
    /// What the collectors told.
    pub sections: Sections,
}

impl Snapshot {
    /// Whether the last refresh of every required collector succeeded.
    pub fn is_up(&self) -> bool {
        self.required().all(|collector| collector.up == Some(true))
    }

    /// Whether it is worth scraping: every required collector was tried, and not all of them are stale.
    pub fn is_ready(&self) -> bool {
        self.required().all(|collector| collector.up.is_some())
            && self.required().any(|collector| collector.fresh)
    }

    fn required(&self) -> impl Iterator<Item = &CollectorState> {
        self.collectors.iter().filter(|collector| collector.required)
    }
}
