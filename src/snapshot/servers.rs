//! Servers of the region, and what leads and schedules them.

use std::time::Duration;

use crate::terms::{ByTerm, ServerState};

/// The servers of the region, as gossip knows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Servers {
    /// How many.
    pub by_state: ByTerm<ServerState, u64>,
    /// Each of them, by name.
    pub servers: Vec<Server>,
    /// Whether every living one honours `filter` on lists. Any may be the one that answers.
    pub filter_lists: bool,
    /// Whether the filter of every living one looks into the states of tasks.
    pub filter_task_states: bool,
    /// Whether every living one can list evaluations and deployments over all namespaces.
    pub list_everywhere: bool,
}

/// Nothing is known: then they are taken for current.
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
    /// Its name, with the region at the end.
    pub name: String,
    /// Where other servers reach it, `host:port`.
    pub rpc_address: String,
    /// The host of that address.
    pub address: String,
    /// Its version.
    pub version: String,
    /// Its datacenter.
    pub datacenter: String,
}

/// Who leads the region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// The leader's RPC address; `None` while there is none.
    pub rpc_address: Option<String>,
}

/// What autopilot says of the servers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Autopilot {
    /// Whether all is well.
    pub healthy: Option<bool>,
    /// How many servers may fail before the region has no quorum.
    pub failure_tolerance: Option<u64>,
    /// Each server.
    pub servers: Vec<ServerHealth>,
}

/// What autopilot says of one server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerHealth {
    /// Its name, with the region at the end.
    pub name: String,
    /// Whether it is well.
    pub healthy: Option<bool>,
    /// Whether it votes.
    pub voter: Option<bool>,
    /// How long ago it heard the leader.
    pub last_contact: Option<Duration>,
}

/// What an operator set for all schedulers; a field is absent in versions that do not know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerSettings {
    /// Whether no evaluation is processed at all.
    pub eval_broker_paused: Option<bool>,
    /// Whether nobody but a management token can register jobs.
    pub job_registration_rejected: Option<bool>,
}
