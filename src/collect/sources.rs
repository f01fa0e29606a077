//! The table of sources.

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
pub struct Source {
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

/// How often a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Every interval: it is small and changes fast.
    Live,
    /// Every history interval: it is large and changes slowly.
    History,
    /// Every client interval: it is a request for each client or allocation.
    Client,
}

impl Source {
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

/// The source of this name.
pub fn source(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name == name)
}

/// Every source there is. One that builds on another stands behind it.
pub const SOURCES: &[Source] = &[
    Source {
        name: "servers",
        help: "servers of the region and what their versions can do",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(servers::fetch(context)),
    },
    Source {
        name: "namespaces",
        help: "names of namespaces, to show zeros where nothing is",
        default_on: true,
        required: false,
        clock: Clock::History,
        fetch: |context| Box::pin(namespaces::fetch(context)),
    },
    Source {
        name: "jobs",
        help: "jobs that are not dead, and their queued instances",
        default_on: true,
        required: true,
        clock: Clock::Live,
        fetch: |context| Box::pin(jobs::fetch_live(context)),
    },
    Source {
        name: "nodes",
        help: "nodes, their states, resources and drivers",
        default_on: true,
        required: true,
        clock: Clock::Live,
        fetch: |context| Box::pin(nodes::fetch(context)),
    },
    Source {
        name: "allocations",
        help: "allocations that are not terminal, and what they hold on each node",
        default_on: true,
        required: true,
        clock: Clock::Live,
        fetch: |context| Box::pin(allocations::fetch_live(context)),
    },
    Source {
        name: "evaluations",
        help: "blocked and pending evaluations, and why they are blocked",
        default_on: true,
        required: true,
        clock: Clock::Live,
        fetch: |context| Box::pin(evaluations::fetch(context)),
    },
    Source {
        name: "specifications",
        help: "what queued instances ask for (a request for each job with queued instances, once)",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(specifications::fetch(context)),
    },
    Source {
        name: "drains",
        help: "terms of the drains that go on (a request for each draining node, when it changed)",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(drains::fetch(context)),
    },
    Source {
        name: "host_stats",
        help: "what clients measure of their hosts (a request for each ready node)",
        default_on: true,
        required: false,
        clock: Clock::Client,
        fetch: |context| Box::pin(host_stats::fetch(context)),
    },
    Source {
        name: "finished_jobs",
        help: "dead jobs that Nomad still retains",
        default_on: true,
        required: false,
        clock: Clock::History,
        fetch: |context| Box::pin(jobs::fetch_finished(context)),
    },
    Source {
        name: "finished_allocations",
        help: "terminal allocations that Nomad still retains",
        default_on: true,
        required: false,
        clock: Clock::History,
        fetch: |context| Box::pin(allocations::fetch_finished(context)),
    },
    Source {
        name: "deployments",
        help: "deployments that Nomad still retains",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(deployments::fetch(context)),
    },
    Source {
        name: "leader",
        help: "who leads the servers",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(servers::fetch_leader(context)),
    },
    Source {
        name: "autopilot",
        help: "what autopilot says of the servers",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(servers::fetch_autopilot(context)),
    },
    Source {
        name: "scheduler",
        help: "whether scheduling is paused or registration refused",
        default_on: true,
        required: false,
        clock: Clock::Live,
        fetch: |context| Box::pin(servers::fetch_scheduler(context)),
    },
    Source {
        name: "allocation_usage",
        help: "what allocations use (a request for each running allocation)",
        default_on: false,
        required: false,
        clock: Clock::Client,
        fetch: |context| Box::pin(usage::fetch(context)),
    },
];
