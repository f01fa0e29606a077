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
        }
    }

    /// What an ACL policy must grant for this endpoint, in the words of a policy file.
    pub fn capability(self) -> &'static str {
        match self {
            Self::Jobs => r#"namespace "*" { capabilities = ["list-jobs"] }"#,
            Self::Allocations | Self::Evaluations => r#"namespace "*" { capabilities = ["read-job"] }"#,
            Self::Nodes | Self::Node | Self::ClientStats | Self::Members => r#"node { policy = "read" }"#,
            Self::Namespaces => r#"any capability in the namespaces to be listed"#,
        }
    }

    /// Whether the answer is a list over the whole cluster, which may be large and is decoded as it comes.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::Jobs | Self::Nodes | Self::Allocations | Self::Evaluations)
    }
}
