//! The endpoints in use.

/// An endpoint of Nomad's HTTP API. The set is closed: its names are label values.
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
    /// `PUT /v1/node/:id/drain`, which only the drain command sends.
    Drain,
}

impl Endpoint {
    /// The label value.
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
            Self::Drain => "drain",
        }
    }

    /// What an ACL policy must grant for this endpoint, in the words of a policy file.
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

    /// Whether the answer is a list over the whole cluster, which may be large and is decoded as it comes.
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

    /// Whether the answer is a whole table of Nomad's state, or a part of one, with the table's index.
    pub(super) fn is_table(self) -> bool {
        (self.is_list() && self != Self::JobAllocations) || self == Self::Namespaces
    }

    /// Whether the answer may go on for ever, a little at a time: then it is not compressed, which would hold it back.
    pub(super) fn is_stream(self) -> bool {
        self == Self::Logs
    }

    /// Whether an answer of this status is to be read. Autopilot says with 429 that the servers are not well; the
    /// body is the same, and JSON, unlike that of a connection that was refused because there are too many.
    pub(super) fn accepts(self, status: u16, is_json: bool) -> bool {
        status == 200 || (self == Self::Autopilot && status == 429 && is_json)
    }
}
