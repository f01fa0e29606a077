//! What is known of the cluster at one moment: plain values, replaced whole, never changed in place.
//!
//! Each section is what a collector last read. A section is absent if its collector is off, not permitted, or too
//! long without success. Joins are made of several sections.

mod allocations;
mod chosen;
mod collector;
mod demand;
mod deployments;
mod drains;
mod ends;
mod evaluations;
mod failures;
mod holdings;
mod hosts;
mod jobs;
mod joins;
mod levels;
mod named;
mod namespaces;
mod nodes;
mod observed;
mod one_node;
mod outcomes;
mod packing;
mod pending;
mod periodic;
mod placing;
mod pools;
mod reach;
mod running;
mod sections;
mod servers;
mod specifications;
mod totals;
mod trends;
mod usage;
mod whole;

use std::sync::Arc;
use std::time::SystemTime;

use crate::terms::{Term, TermSet};

pub use allocations::{
    AllocationCounts, FinishedAllocations, GroupAllocations, LiveAllocations, NodeLoad, NodeLoads,
};
pub use chosen::{Chosen, NodeDetail, NodeDetails};
pub use collector::CollectorState;
pub use demand::{Ask, Demand, Queue, Queued, QueuedGroup, QueuedSize, Requested};
pub use deployments::Deployments;
pub use drains::{Drain, DrainState, Drains, NodeTasks};
pub use ends::{AllocationEnd, Ends};
pub use evaluations::{Evaluations, JobEvaluations, NamespaceEvaluations};
pub use failures::{ByCause, FailedAllocations, JobTaskCounts, TaskCount, TaskCounts};
pub use holdings::{Holding, Holdings};
pub use hosts::{Disk, Host, Hosts};
pub use jobs::{
    AGE_BOUNDS_SECONDS, DeadJob, FinishedJobs, FinishedNamespace, LiveJobs, NamespaceJobs, PendingJob,
    PendingJobs,
};
pub use joins::{Joins, Names};
pub use levels::{Level, Levels};
pub use named::{GroupCounts, Groups, JobInfo, NamedJob, NamedJobs};
pub use namespaces::Namespaces;
pub use nodes::{Capacity, LastDrain, Node, Nodes};
pub use observed::{DELAY_BOUNDS_SECONDS, FinishedCounts, Histogram, PlacementDelays};
pub use one_node::{NodeAllocation, OneNode};
pub use outcomes::Outcomes;
pub use pending::Pending;
pub use periodic::{LastRuns, PeriodicJobs, PeriodicRuns};
pub use placing::{Placing, Unplaceable};
pub use pools::{Missing, Pool, Share};
pub use reach::{Reach, Scope, listed};
pub use running::{
    RUNNING_BOUNDS_SECONDS, RunningAges, RunningBuild, RunningSince, StartDelays, Stopping, Transitions,
};
pub use sections::Section;
pub use servers::{Autopilot, Leader, SchedulerSettings, Server, ServerHealth, Servers};
pub use specifications::{GroupSpecification, Specification, SpecificationKey, Specifications};
pub use totals::Totals;
pub use trends::{TrendPoint, Trends};
pub use usage::{AllocationUsage, Usage};
pub use whole::{DeviceKind, Devices, Whole};

// What the collectors read: a collector and its sections, then the sections that are made of several collectors. A
// collector that reads sections of another one stands behind it.
sections::sections! {
    one {
        Servers = "servers" {
            /// Servers of the region.
            servers: Servers,
        }
        Namespaces = "namespaces" {
            /// Names of namespaces.
            namespaces: Namespaces,
        }
        Token = "token" {
            /// What the token may read.
            reach: Reach,
        }
        Jobs = "jobs" {
            /// Jobs that are not dead.
            jobs: LiveJobs,
        }
        Nodes = "nodes" {
            /// Nodes.
            nodes: Nodes,
        }
        Allocations = "allocations" {
            /// Allocations that are not terminal.
            allocations: LiveAllocations,
            /// What they are on each node; left out while not all namespaces are read.
            node_loads: NodeLoads,
            /// Those of them that start or stop, and the builds that have run longest.
            transitions: Transitions,
            /// How long those that run have run.
            running_ages: RunningAges,
        }
        Evaluations = "evaluations" {
            /// Blocked and pending evaluations.
            evaluations: Evaluations,
        }
        FinishedJobs = "finished_jobs" {
            /// Dead jobs that Nomad still retains.
            finished_jobs: FinishedJobs,
        }
        Specifications = "specifications" {
            /// Specifications of the jobs with queued allocations, and of those that have series of their own.
            specifications: Specifications,
        }
        Drains = "drains" {
            /// Drains that go on or are over.
            drains: Drains,
        }
        HostStats = "host_stats" {
            /// What clients measure of their hosts.
            hosts: Hosts,
        }
        NodeDetails = "node_details" {
            /// Metadata and attributes of nodes that were chosen as labels.
            node_details: NodeDetails,
        }
        FinishedAllocations = "finished_allocations" {
            /// Terminal allocations that Nomad still retains.
            finished_allocations: FinishedAllocations,
        }
        TaskStates = "task_states" {
            /// Failed allocations that Nomad still retains, by cause.
            failed: FailedAllocations,
        }
        Deployments = "deployments" {
            /// Deployments that Nomad still retains.
            deployments: Deployments,
        }
        Leader = "leader" {
            /// Who leads the servers.
            leader: Leader,
        }
        Autopilot = "autopilot" {
            /// What autopilot reports of the servers.
            autopilot: Autopilot,
        }
        Scheduler = "scheduler" {
            /// What an operator set for the schedulers.
            scheduler: SchedulerSettings,
        }
        AllocationUsage = "allocation_usage" {
            /// What allocations use.
            usage: Usage,
        }
    }
    several {
        /// How long jobs waited for their first allocation.
        placements: PlacementDelays = Jobs & Allocations,
        /// Jobs that were seen to finish.
        completions: FinishedCounts = FinishedJobs,
        /// How the runs of periodic jobs ended.
        periodic: PeriodicRuns = FinishedJobs & FinishedAllocations,
        /// How long allocations took to start.
        starts: StartDelays = Allocations,
        /// What was seen to happen to tasks.
        task_counts: TaskCounts = TaskStates,
    }
}

/// Everything that one rendering shows.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: SystemTime,
    /// How each collector stands, in the order of their table.
    pub collectors: Vec<CollectorState>,
    /// What the collectors read.
    pub sections: Sections,
    /// What is made of several sections.
    pub joins: Joins,
}

impl Snapshot {
    /// A snapshot of these sections, joined, where all namespaces are to be read.
    pub fn new(taken_at: SystemTime, collectors: Vec<CollectorState>, sections: Sections) -> Self {
        Self::within(&Scope::default(), taken_at, collectors, sections)
    }

    /// A snapshot of these sections, joined, where these namespaces are to be read. A part of what runs on a node is no
    /// answer to what runs on it, so it is left out while other namespaces are not read, or that was not asked yet.
    pub fn within(
        scope: &Scope,
        taken_at: SystemTime,
        collectors: Vec<CollectorState>,
        mut sections: Sections,
    ) -> Self {
        let on = collectors.iter().map(|collector| collector.id).collect();
        let reach = scope.with_token(sections.reach.as_deref());
        let is_asked = |state: &CollectorState| state.id != CollectorId::Token || state.up.is_some();
        if reach.partial().is_some() || !collectors.iter().all(is_asked) {
            sections.node_loads = None;
        }
        Self { taken_at, collectors, joins: Joins::new(&sections, on, reach), sections }
    }

    /// Whether the last refresh of every required collector succeeded.
    pub fn is_up(&self) -> bool {
        self.required().all(|collector| collector.up == Some(true))
    }

    /// Whether it is worth scraping: every required collector was tried, and not all of them are stale.
    pub fn is_ready(&self) -> bool {
        self.required().all(|collector| collector.up.is_some())
            && self.required().any(|collector| collector.fresh)
    }

    /// The required collectors that have no data to show.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        self.required().filter(|collector| !collector.fresh).map(|collector| collector.id.as_str())
    }

    fn required(&self) -> impl Iterator<Item = &CollectorState> {
        self.collectors.iter().filter(|collector| collector.required)
    }
}
