//! The table of collectors.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::context::{Context, Settings};
use super::report::FetchError;
use super::store::Refresh;
use super::{
    allocations, deployments, drains, evaluations, host_stats, jobs, namespaces, nodes, servers,
    specifications, usage,
};

/// One thing that is read from Nomad.
pub struct Collector {
    /// Its name: a label value, and the name of its flag.
    pub name: &'static str,
    /// What it reads, for `--help`.
    pub help: &'static str,
    /// Whether it is on unless switched off.
    pub default_on: bool,
    /// Whether the exporter is of little use without it.
    pub required: bool,
    /// How often it is read.
    pub clock: Clock,
    /// Reads it once.
    pub(super) fetch: fn(Arc<Context>) -> Fetch,
}

/// A refresh under way.
pub(super) type Fetch = Pin<Box<dyn Future<Output = Result<Refresh, FetchError>> + Send>>;

/// How often a collector is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Every interval: it is small and changes fast.
    Live,
    /// Every history interval: it is large and changes slowly.
    History,
    /// Every client interval: it is a request for each client or allocation.
    Client,
}

impl Collector {
    /// How often it is read.
    pub fn interval(&self, settings: &Settings) -> Duration {
        match self.clock {
            Clock::Live => settings.interval,
            Clock::History => settings.history_interval,
            Clock::Client => settings.client_interval,
        }
    }

    /// How often it is read where a refresh takes this long: history that costs much is read less often.
    pub fn interval_after(&self, took: Duration, settings: &Settings) -> Duration {
        let interval = self.interval(settings);
        match self.clock {
            Clock::History => interval.max(took.div_f64(settings.history_duty_cycle)),
            Clock::Live | Clock::Client => interval,
        }
    }
}

/// The collector of this name.
pub fn collector(name: &str) -> Option<&'static Collector> {
    COLLECTORS.iter().find(|collector| collector.name == name)
}

/// Every collector there is. One that builds on another stands behind it.
pub const COLLECTORS: &[Collector] = &[
    Collector {
        name: "servers",
        help: "servers of the region and what their versions can do",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(servers::fetch(context)),
    },
    Collector {
        name: "namespaces",
        help: "names of namespaces, to show zeros where nothing is",
        default_on: true,
        required: false,
        clock: Clock::History,
        fetch: |context| Box::pin(namespaces::fetch(context)),
    },
    Collector {
        name: "jobs",
        help: "jobs that are not dead, and their queued instances",
        default_on: true,
        required: true,
        clock: Clock::Live,
        fetch: |context| Box::pin(jobs::fetch_live(context)),
    },
    Collector {
        name: "nodes",
        help: "nodes, their states, resources and drivers",
        default_on: true,
        required: true,
        clock: Clock::Live,
        fetch: |context| Box::pin(nodes::fetch(context)),
    },
    Collector {
        name: "allocations",
        help: "allocations that are not terminal, and what they hold on each node",
        default_on: true,
        required: true,
        clock: Clock::Live,
        fetch: |context| Box::pin(allocations::fetch_live(context)),
    },
    Collector {
        name: "evaluations",
        help: "blocked and pending evaluations, and why they are blocked",
        default_on: true,
        required: true,
        clock: Clock::Live,
        fetch: |context| Box::pin(evaluations::fetch(context)),
    },
    Collector {
        name: "specifications",
        help: "what queued instances ask for (a request for each job with queued instances, once)",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(specifications::fetch(context)),
    },
    Collector {
        name: "drains",
        help: "terms of the drains that go on (a request for each draining node, when it changed)",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(drains::fetch(context)),
    },
    Collector {
        name: "host_stats",
        help: "what clients measure of their hosts (a request for each ready node)",
        default_on: true,
        required: false,
        clock: Clock::Client,
        fetch: |context| Box::pin(host_stats::fetch(context)),
    },
    Collector {
        name: "finished_jobs",
        help: "dead jobs that Nomad still retains",
        default_on: true,
        required: false,
        clock: Clock::History,
        fetch: |context| Box::pin(jobs::fetch_finished(context)),
    },
    Collector {
        name: "finished_allocations",
        help: "terminal allocations that Nomad still retains",
        default_on: true,
        required: false,
        clock: Clock::History,
        fetch: |context| Box::pin(allocations::fetch_finished(context)),
    },
    Collector {
        name: "deployments",
        help: "deployments that Nomad still retains",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(deployments::fetch(context)),
    },
    Collector {
        name: "leader",
        help: "who leads the servers",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(servers::fetch_leader(context)),
    },
    Collector {
        name: "autopilot",
        help: "what autopilot says of the servers",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(servers::fetch_autopilot(context)),
    },
    Collector {
        name: "scheduler",
        help: "whether scheduling is paused or registration refused",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(servers::fetch_scheduler(context)),
    },
    Collector {
        name: "allocation_usage",
        help: "what allocations use (a request for each running allocation)",
        default_on: false,
        required: false,
        clock: Clock::Client,
        fetch: |context| Box::pin(usage::fetch(context)),
    },
];
