//! The collectors and their table. Related collectors share a file.

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
mod node_details;
mod nodes;
mod reasons;
mod servers;
mod specifications;
mod task_states;
mod token;
mod transitions;
mod usage;

pub(super) use allocations::{Amounts, LIVE, add_load};
pub(super) use drains::{drain, node_tasks};
pub(super) use finished_allocations::FinishedAllocationsFold;
pub(super) use finished_jobs::FinishedJobsFold;
pub(super) use host_stats::{fetch as fetch_host, is_ready};
pub(super) use nodes::node;
pub use reasons::block_reason;

use super::table::{Clock, Collector};
use crate::snapshot::CollectorId;
use crate::terms::Term;

/// All collectors, in the order of [`CollectorId`]. A collector comes after those whose sections it reads.
pub static COLLECTORS: [Collector; CollectorId::ALL.len()] = {
    use Clock::{Client, History, Live, SlowHistory};
    use CollectorId::*;
    [
        Collector::of::<servers::ServersCollector>(
            Servers,
            Live,
            "the servers of the region and their versions",
        ),
        Collector::of::<namespaces::NamespacesCollector>(
            Namespaces,
            History,
            "the names of namespaces, to expose zeros for empty ones",
        ),
        Collector::of::<token::TokenCollector>(
            Token,
            History,
            "the permissions of the token: unless it can read all namespaces, sums over the allocations of a node are \
             absent",
        ),
        Collector::of::<jobs::JobsCollector>(
            Jobs,
            Live,
            "jobs that are not dead, and their queued allocations",
        )
        .required(),
        Collector::of::<nodes::NodesCollector>(Nodes, Live, "nodes, their states, resources and drivers")
            .required(),
        Collector::of::<allocations::AllocationsCollector>(
            Allocations,
            Live,
            "non-terminal allocations, and the resources allocated to them on each node",
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
            "the resources that queued allocations request, and desired counts (one request for each version of a job \
             that has queued allocations or series of its own)",
        ),
        Collector::of::<drains::DrainsCollector>(
            Drains,
            Live,
            "drains, and the tasks that still run on their nodes (requests for each draining or drained node)",
        ),
        Collector::of::<host_stats::HostStatsCollector>(
            HostStats,
            Client,
            "the host statistics of clients (one request per ready node)",
        ),
        Collector::of::<node_details::NodeDetailsCollector>(
            NodeDetails,
            Client,
            "metadata and attributes of nodes (a request for each node every ten minutes), if --metrics.node-meta or \
             --metrics.node-attributes is given",
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
        Collector::of::<servers::LeaderCollector>(Leader, Live, "the leader of the servers"),
        Collector::of::<servers::AutopilotCollector>(
            Autopilot,
            Live,
            "autopilot's health report of the servers",
        ),
        Collector::of::<servers::SchedulerCollector>(
            Scheduler,
            Live,
            "whether scheduling is paused or job registration is rejected",
        ),
        Collector::of::<usage::UsageCollector>(
            AllocationUsage,
            Client,
            "the resource usage of allocations (one request per running allocation)",
        )
        .off(),
    ]
};

/// Returns the row of a collector.
pub fn collector(id: CollectorId) -> &'static Collector {
    &COLLECTORS[id.index()]
}

/// Checks that the table is in order, and that the dependencies have no cycle: a collector only reads
/// sections of earlier ones.
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
