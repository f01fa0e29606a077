//! The collectors, one file each or one for those of a subject, and their table.

mod allocations;
mod causes;
mod deployments;
mod drains;
mod evaluations;
mod finished_allocations;
mod finished_jobs;
mod host_stats;
mod jobs;
mod live_jobs;
mod named_jobs;
mod namespaces;
mod nodes;
mod reasons;
mod servers;
mod specifications;
mod task_states;
mod token;
mod transitions;
mod usage;

pub(super) use allocations::{LIVE, add_load};
pub(super) use drains::{drain, node_tasks};
pub(super) use finished_allocations::FinishedAllocationsFold;
pub(super) use finished_jobs::FinishedJobsFold;
pub(super) use host_stats::{ask as ask_host, is_ready};
pub(super) use nodes::node;
pub use reasons::block_reason;

use super::table::{Clock, Collector};
use crate::snapshot::CollectorId;
use crate::terms::Term;

/// Every collector there is, in the order of [`CollectorId`]. One that reads sections of another stands behind it.
pub static COLLECTORS: [Collector; CollectorId::ALL.len()] = {
    use Clock::{Client, History, Live, SlowHistory};
    use CollectorId::*;
    [
        Collector::of::<servers::ServersCollector>(
            Servers,
            Live,
            "servers of the region and what their versions can do",
        ),
        Collector::of::<namespaces::NamespacesCollector>(
            Namespaces,
            History,
            "names of namespaces, to show zeros where nothing is",
        ),
        Collector::of::<token::TokenCollector>(
            Token,
            History,
            "what the token may read: without all namespaces, sums over the allocations of a node are left out",
        ),
        Collector::of::<jobs::JobsCollector>(
            Jobs,
            Live,
            "jobs that are not dead, and their queued instances",
        )
        .required(),
        Collector::of::<nodes::NodesCollector>(Nodes, Live, "nodes, their states, resources and drivers")
            .required(),
        Collector::of::<allocations::AllocationsCollector>(
            Allocations,
            Live,
            "allocations that are not terminal, and what they hold on each node",
        )
        .required(),
        Collector::of::<evaluations::EvaluationsCollector>(
            Evaluations,
            Live,
            "blocked and pending evaluations, and why they are blocked",
        )
        .required(),
        Collector::of::<finished_jobs::FinishedJobsCollector>(
            FinishedJobs,
            History,
            "dead jobs that Nomad still retains",
        ),
        Collector::of::<specifications::SpecificationsCollector>(
            Specifications,
            Live,
            "what queued allocations request and how many are desired (a request for each version of a job that has \
             queued allocations or series of its own, once)",
        ),
        Collector::of::<drains::DrainsCollector>(
            Drains,
            Live,
            "drains, and what still runs on their nodes (requests for each node that drains or is drained)",
        ),
        Collector::of::<host_stats::HostStatsCollector>(
            HostStats,
            Client,
            "what clients measure of their hosts (a request for each ready node)",
        ),
        Collector::of::<finished_allocations::FinishedAllocationsCollector>(
            FinishedAllocations,
            History,
            "terminal allocations that Nomad still retains",
        ),
        Collector::of::<task_states::TaskStatesCollector>(
            TaskStates,
            SlowHistory,
            "allocations whose tasks failed or were restarted, and why (Nomad 1.4.14 and later)",
        ),
        Collector::of::<deployments::DeploymentsCollector>(
            Deployments,
            Live,
            "deployments that Nomad still retains",
        ),
        Collector::of::<servers::LeaderCollector>(Leader, Live, "who leads the servers"),
        Collector::of::<servers::AutopilotCollector>(Autopilot, Live, "what autopilot says of the servers"),
        Collector::of::<servers::SchedulerCollector>(
            Scheduler,
            Live,
            "whether scheduling is paused or registration refused",
        ),
        Collector::of::<usage::UsageCollector>(
            AllocationUsage,
            Client,
            "what allocations use (a request for each running allocation)",
        )
        .off(),
    ]
};

/// The row of a collector.
pub fn collector(id: CollectorId) -> &'static Collector {
    &COLLECTORS[id.index()]
}

/// The table is in order, and its graph has no circle: a collector reads only of those before it.
const _: () = {
    let mut row = 0;
    while row < COLLECTORS.len() {
        let Collector { id, upstream, .. } = &COLLECTORS[row];
        assert!(*id as usize == row, "the table is not in the order of CollectorId");
        let mut place = 0;
        while place < upstream.len() {
            assert!(
                (upstream[place] as usize) < row,
                "a collector reads of one that does not stand before it"
            );
            place += 1;
        }
        row += 1;
    }
};
