//! HTTP API of the simulated cluster.

mod access;
mod acl;
mod agent;
mod client;
mod events;
mod jobs;
mod lists;
mod logs;
mod nodes;
mod operator;
mod view;
mod writes;

use http::{Method, StatusCode};
use serde_json::Value;

use crate::answer::{Answer, Refusal};
use crate::cluster::Cluster;
use crate::list::Table;
use crate::request::{Request, decode};
use crate::version::{Version, since};
use crate::work::Work;

use access::Access;

pub(crate) use events::{Lines, Subscription};
pub(crate) use logs::{Follow, More};
pub(crate) use view::without_unrequested;
pub(crate) use writes::write;

/// A response, or the error response that ends processing early.
type Reply = Result<Answer, Refusal>;

/// A request, with the cluster and the permissions needed to respond to it.
struct Call<'a> {
    cluster: &'a Cluster,
    request: &'a Request,
    access: Access<'a>,
}

/// Returns the cluster's response to a request.
pub(crate) fn answer(cluster: &Cluster, request: &Request) -> Answer {
    let call = Call { cluster, request, access: Access::of(cluster, request.token.as_deref()) };
    call.route().unwrap_or_else(Answer::from)
}

impl Call<'_> {
    fn route(&self) -> Reply {
        let version = self.version();
        let path: Vec<&str> = self.request.path.trim_start_matches('/').split('/').collect();
        let ["v1", path @ ..] = &path[..] else { return Ok(Answer::no_such_path()) };
        if self.request.method != Method::GET {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Invalid method"));
        }
        match *path {
            ["jobs"] => self.list(Table::Jobs),
            ["nodes"] => self.list(Table::Nodes),
            ["node", "pools"] if version >= since::NODE_POOLS => self.list(Table::NodePools),
            ["allocations"] => self.list(Table::Allocations),
            ["evaluations"] => self.list(Table::Evaluations),
            ["deployments"] => self.list(Table::Deployments),
            ["evaluations", "count"] if version >= since::EVALUATIONS_COUNT => self.evaluations_count(),
            ["evaluation", id] => self.evaluation(id),
            ["job", ref rest @ ..] if !rest.is_empty() => self.job(&decode(&rest.join("/"))),
            ["node", id] => self.node(id),
            ["node", id, "allocations"] => self.node_allocations(id),
            ["namespaces"] => self.namespaces(),
            ["acl", "token", "self"] => self.acl_token(),
            ["acl", "policies"] => self.acl_policies(),
            ["acl", "policy", "self"] if version >= since::WHO_AM_I => self.acl_policies(),
            ["acl", "policy", name] => self.acl_policy(&decode(name)),
            ["acl", "role", id] if version >= since::ACL_ROLES => self.acl_role(&decode(id)),
            ["quotas"] => Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "Nomad Enterprise only endpoint")),
            ["regions"] => Ok(Answer::json(&serde_json::json!([self.cluster.settings.region]))),
            ["status", "leader"] => self.leader(),
            ["status", "peers"] => self.peers(),
            ["agent", "members"] => self.agent_members(),
            ["agent", "self"] => self.agent_self(),
            ["agent", "health"] => self.agent_health(),
            ["operator", "autopilot", "health"] => self.autopilot_health(),
            ["operator", "scheduler", "configuration"] => self.scheduler_configuration(),
            ["event", "stream"] if version >= since::EVENT_STREAM => self.event_stream(),
            ["client", "stats"] => self.client_stats(),
            ["client", "fs", "logs", id] => self.log(id),
            ["client", "allocation", id, "stats"] => self.allocation_stats(id),
            _ => Ok(Answer::no_such_path()),
        }
    }

    fn version(&self) -> Version {
        self.cluster.version()
    }

    /// Returns whether the request accepts stale data, so that any server may respond, not only the leader.
    fn is_stale(&self) -> bool {
        let query = &self.request.query;
        let bool_like = self.version().has(since::STALE_IS_BOOL);
        query.has("stale") && (!bool_like || query.get("stale").is_none() || query.is_true("stale"))
    }

    /// Rejects a request that needs a leader if there is none.
    fn check_leader(&self) -> Result<(), Refusal> {
        if self.cluster.servers.leader.is_none() && !self.is_stale() {
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "No cluster leader"));
        }
        Ok(())
    }

    /// Returns a response from the servers' state at an index.
    fn read(&self, index: u64, value: &Value) -> Answer {
        // Without a filter, the rows are only sent, not examined.
        let sent = value.as_array().map_or(1, |rows| rows.len() as u64);
        self.with_meta(index, Answer::json(value).costing(Work { sent, ..Work::default() }))
    }

    fn with_meta(&self, index: u64, answer: Answer) -> Answer {
        answer.meta(index, self.cluster.servers.leader.is_some(), self.cluster.last_contact())
    }

    /// Returns status 404, with the headers of a read.
    fn not_found(&self, table: Table, message: &str) -> Answer {
        self.with_meta(self.cluster.table_index(table), Answer::error(StatusCode::NOT_FOUND, message))
    }
}
