//! State of the cluster at one time, as immutable values.
//!
//! A section is the data of a collector's last refresh. It is absent if the collector is disabled, not
//! permitted, or has not succeeded for too long. Joins are calculated from several sections.

mod allocated;
mod allocations;
mod chosen;
mod collector;
mod cores_and_devices;
mod coverage;
mod demand;
mod deployments;
mod drains;
mod ends;
mod evaluations;
mod failures;
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
mod pool_capacity;
mod pools;
mod running;
mod sections;
mod servers;
mod specifications;
mod totals;
mod trends;
mod usage;

use std::sync::Arc;
use std::time::SystemTime;

use crate::terms::{Term, TermSet};

pub use allocated::{AllocatedByNamespace, AllocatedTotal};
pub use allocations::{
    AllocationCounts, FinishedAllocations, GroupAllocations, LiveAllocations, NodeLoad, NodeLoads,
};
pub use chosen::{Chosen, NodeDetail, NodeDetails};
pub use collector::CollectorState;
pub use cores_and_devices::{CoresAndDevices, DeviceKind, Devices};
pub use coverage::{NamespaceCoverage, Scope, listed};
pub use demand::{Demand, Queue, Queued, QueuedGroup, QueuedSize, Requested, ResourceRequest};
pub use deployments::Deployments;
pub use drains::{Drain, DrainState, Drains, NodeTasks};
pub use ends::{AllocationEnd, Ends};
pub use evaluations::{Evaluations, JobEvaluations, NamespaceEvaluations};
pub use failures::{ByCause, FailedAllocations, JobTaskCounts, TaskCount, TaskCounts};
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
pub use pool_capacity::{PoolCapacity, PoolResource};
pub use pools::{Missing, Pool, ResourceTotals};
pub use running::{
    RUNNING_BOUNDS_SECONDS, RunningAges, RunningBuild, RunningSince, StartDelays, Stopping, Transitions,
};
pub use sections::Section;
pub use servers::{Autopilot, Leader, SchedulerSettings, Server, ServerHealth, Servers};
pub use specifications::{GroupSpecification, Specification, SpecificationKey, Specifications};
pub use totals::Totals;
pub use trends::{TrendPoint, Trends};
pub use usage::{AllocationUsage, Usage};

// All collectors with their sections, then the sections that are calculated from those of several collectors.
// A collector comes after those whose sections it reads.
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
            /// Permissions of the token.
            coverage: NamespaceCoverage,
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
            /// Allocations by node; absent unless all namespaces are read.
            node_loads: NodeLoads,
            /// Starting and stopping allocations, and the longest running builds.
            transitions: Transitions,
            /// Ages of running allocations.
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
            /// Specifications of jobs with queued allocations or series of their own.
            specifications: Specifications,
        }
        Drains = "drains" {
            /// Active and completed drains.
            drains: Drains,
        }
        HostStats = "host_stats" {
            /// Host statistics, as measured by clients.
            hosts: Hosts,
        }
        NodeDetails = "node_details" {
            /// Metadata and attributes of nodes that are exposed as labels.
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
            /// The leader of the servers.
            leader: Leader,
        }
        Autopilot = "autopilot" {
            /// Autopilot's health report.
            autopilot: Autopilot,
        }
        Scheduler = "scheduler" {
            /// Scheduler configuration.
            scheduler: SchedulerSettings,
        }
        AllocationUsage = "allocation_usage" {
            /// Usage of allocations.
            usage: Usage,
        }
    }
    several {
        /// Delay from submission to first allocation.
        placements: PlacementDelays = Jobs & Allocations,
        /// Jobs that were seen to finish.
        completions: FinishedCounts = FinishedJobs,
        /// Last outcomes of periodic jobs.
        periodic: PeriodicRuns = FinishedJobs & FinishedAllocations,
        /// Start delays of allocations.
        starts: StartDelays = Allocations,
        /// Counted task events.
        task_counts: TaskCounts = TaskStates,
    }
}

/// All data of one rendering.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: SystemTime,
    /// State of each collector, in the order of their table.
    pub collectors: Vec<CollectorState>,
    /// Data of the collectors.
    pub sections: Sections,
    /// Values calculated from several sections.
    pub joins: Joins,
}

impl Snapshot {
    /// Creates a snapshot of these sections, if all namespaces are configured.
    pub fn new(taken_at: SystemTime, collectors: Vec<CollectorState>, sections: Sections) -> Self {
        Self::within(&Scope::default(), taken_at, collectors, sections)
    }

    /// Creates a snapshot of these sections, if these namespaces are configured. Allocations by node are
    /// dropped unless all namespaces are known to be read, because a part of them would be misleading.
    pub fn within(
        scope: &Scope,
        taken_at: SystemTime,
        collectors: Vec<CollectorState>,
        mut sections: Sections,
    ) -> Self {
        let on = collectors.iter().map(|collector| collector.id).collect();
        let coverage = scope.with_token(sections.coverage.as_deref());
        let is_asked = |state: &CollectorState| state.id != CollectorId::Token || state.up.is_some();
        if coverage.partial().is_some() || !collectors.iter().all(is_asked) {
            sections.node_loads = None;
        }
        Self { taken_at, collectors, joins: Joins::new(&sections, on, coverage), sections }
    }

    /// Returns whether the last refresh of every required collector succeeded.
    pub fn is_up(&self) -> bool {
        self.required().all(|collector| collector.up == Some(true))
    }

    /// Returns whether it is worth scraping: every required collector was tried, and not all of them are
    /// stale.
    pub fn is_ready(&self) -> bool {
        self.required().all(|collector| collector.up.is_some())
            && self.required().any(|collector| collector.fresh)
    }

    /// Returns the required collectors without data.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        self.required().filter(|collector| !collector.fresh).map(|collector| collector.id.as_str())
    }

    fn required(&self) -> impl Iterator<Item = &CollectorState> {
        self.collectors.iter().filter(|collector| collector.required)
    }
}
