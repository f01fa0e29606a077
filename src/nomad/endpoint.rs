//! The endpoints in use.

/// An endpoint of Nomad's HTTP API. Its name is a label value, so the set is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `GET /v1/jobs`
    Jobs,
    /// `GET /v1/nodes`
    Nodes,
    /// `GET /v1/node/:id`
    Node,
    /// `GET /v1/allocations`
    Allocations,
    /// `GET /v1/evaluations`
    Evaluations,
    /// `GET /v1/namespaces`
    Namespaces,
    /// `GET /v1/client/stats`
    ClientStats,
    /// `GET /v1/agent/members`
    Members,
    /// `GET /v1/job/:id`
    Job,
    /// `GET /v1/deployments`
    Deployments,
    /// `GET /v1/status/leader`
    Leader,
    /// `GET /v1/operator/autopilot/health`
    Autopilot,
    /// `GET /v1/operator/scheduler/configuration`
    Scheduler,
    /// `GET /v1/client/allocation/:id/stats`
    AllocationStats,
    /// `GET /v1/agent/self`
    Agent,
    /// `GET /v1/job/:id/allocations`
    JobAllocations,
    /// `GET /v1/node/:id/allocations`
    NodeAllocations,
    /// `GET /v1/job/:id/evaluations`
    JobEvaluations,
    /// `GET /v1/client/fs/logs/:id`
    Logs,
    /// `GET /v1/acl/token/self`
    AclToken,
    /// `GET /v1/acl/policies`
    AclPolicies,
    /// `GET /v1/acl/policy/:name`
    AclPolicy,
    /// `GET /v1/event/stream`
    EventStream,
    /// `PUT /v1/node/:id/drain`, used only by the drain command.
    Drain,
}

impl Endpoint {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Nodes => "nodes",
            Self::Node => "node",
            Self::Allocations => "allocations",
            Self::Evaluations => "evaluations",
            Self::Namespaces => "namespaces",
            Self::ClientStats => "client_stats",
            Self::Members => "members",
            Self::Job => "job",
            Self::Deployments => "deployments",
            Self::Leader => "leader",
            Self::Autopilot => "autopilot",
            Self::Scheduler => "scheduler",
            Self::AllocationStats => "allocation_stats",
            Self::Agent => "agent",
            Self::JobAllocations => "job_allocations",
            Self::NodeAllocations => "node_allocations",
            Self::JobEvaluations => "job_evaluations",
            Self::Logs => "logs",
            Self::AclToken => "acl_token",
            Self::AclPolicies => "acl_policies",
            Self::AclPolicy => "acl_policy",
            Self::EventStream => "event_stream",
            Self::Drain => "drain",
        }
    }

    /// Returns the capability that an ACL policy must grant for this endpoint, as written in policies.
    pub fn capability(self) -> &'static str {
        match self {
            Self::Jobs => r#"namespace "*" { capabilities = ["list-jobs"] }"#,
            Self::Allocations
            | Self::Evaluations
            | Self::Job
            | Self::JobAllocations
            | Self::NodeAllocations
            | Self::JobEvaluations
            | Self::Deployments
            | Self::EventStream
            | Self::AllocationStats => r#"namespace "*" { capabilities = ["read-job"] }"#,
            Self::Logs => r#"namespace "*" { capabilities = ["read-logs"] }"#,
            Self::Drain => r#"node:write, which is node { policy = "write" }"#,
            Self::Nodes | Self::Node | Self::ClientStats | Self::Members => r#"node { policy = "read" }"#,
            Self::Agent => r#"agent { policy = "read" }"#,
            Self::Autopilot | Self::Scheduler => r#"operator { policy = "read" }"#,
            Self::Namespaces => "any capability in the namespaces to list",
            Self::Leader => "nothing: no permission is needed to read the leader",
            Self::AclToken | Self::AclPolicies | Self::AclPolicy => {
                "nothing: every token may read its own policies"
            }
        }
    }

    /// Returns whether the response is a list of the whole cluster, which may be large and is decoded while
    /// it arrives.
    pub(super) fn is_list(self) -> bool {
        matches!(
            self,
            Self::Jobs
                | Self::Nodes
                | Self::Allocations
                | Self::JobAllocations
                | Self::NodeAllocations
                | Self::Evaluations
                | Self::Deployments
        )
    }

    /// Returns whether the response is a table of Nomad's state, or a part of one, with the table's index.
    pub(super) fn is_table(self) -> bool {
        (self.is_list() && self != Self::JobAllocations) || self == Self::Namespaces
    }

    /// Returns whether the response is an endless stream. It is not compressed, because compression would
    /// delay it.
    pub(super) fn is_stream(self) -> bool {
        matches!(self, Self::Logs | Self::EventStream)
    }

    /// Returns whether a response with this status is read. Autopilot responds with 429 if servers are
    /// unhealthy, with the same JSON body. Other responses with 429 mean too many connections.
    pub(super) fn accepts(self, status: u16, is_json: bool) -> bool {
        status == 200 || (self == Self::Autopilot && status == 429 && is_json)
    }
}
