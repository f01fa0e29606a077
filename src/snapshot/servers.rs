//! Servers of the region, their leader, health and scheduler configuration.

use std::time::Duration;

use crate::terms::{ByTerm, ServerState};

/// Servers of the region, according to gossip.
#[derive(Clone, Debug, PartialEq)]
pub struct Servers {
    /// Number by state.
    pub by_state: ByTerm<ServerState, u64>,
    /// Servers by name.
    pub servers: Vec<Server>,
    /// Whether all alive servers support `filter` for lists. Any of them may respond.
    pub filter_lists: bool,
    /// Whether all alive servers support task states in filters.
    pub filter_task_states: bool,
    /// Whether all alive servers can list evaluations and deployments of all namespaces.
    pub list_everywhere: bool,
}

/// Until servers are known, assume a current version.
impl Default for Servers {
    fn default() -> Self {
        Self {
            by_state: ByTerm::default(),
            servers: Vec::new(),
            filter_lists: true,
            filter_task_states: true,
            list_everywhere: true,
        }
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name, with the region as suffix.
    pub name: String,
    /// RPC address, `host:port`.
    pub rpc_address: String,
    /// The host of that address.
    pub address: String,
    /// Its version.
    pub version: String,
    /// Its datacenter.
    pub datacenter: String,
}

/// Leader of the region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// RPC address of the leader; `None` if there is none.
    pub rpc_address: Option<String>,
}

/// Autopilot's health report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Autopilot {
    /// Whether all servers are healthy.
    pub healthy: Option<bool>,
    /// Number of servers that can fail without losing quorum.
    pub failure_tolerance: Option<u64>,
    /// Each server.
    pub servers: Vec<ServerHealth>,
}

/// Autopilot's report on one server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerHealth {
    /// Name, with the region as suffix.
    pub name: String,
    /// Whether it is healthy.
    pub healthy: Option<bool>,
    /// Whether it votes.
    pub voter: Option<bool>,
    /// Time since the last contact with the leader.
    pub last_contact: Option<Duration>,
}

/// Scheduler configuration; unsupported settings are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerSettings {
    /// Whether processing of evaluations is paused.
    pub eval_broker_paused: Option<bool>,
    /// Whether only management tokens can register jobs.
    pub job_registration_rejected: Option<bool>,
}
