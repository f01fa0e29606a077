//! What a token may read.

use http::StatusCode;

use crate::answer::Refusal;
use crate::cluster::{Acl, Cluster, Policy, Scope};
use crate::version::{Version, since};

/// The rights of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access<'a> {
    /// There are no ACLs, or the token is a management token.
    Full,
    /// What the token's policy says.
    Limited(&'a Policy),
    /// There is no token.
    Anonymous,
    /// Nobody knows the token.
    UnknownToken,
}

/// The capabilities that hold in namespaces.
#[derive(Clone, Copy, Debug)]
pub(super) enum Capability {
    ListJobs,
    ReadJob,
    ReadLogs,
}

impl Capability {
    fn scope(self, policy: &Policy) -> &Scope {
        match self {
            Capability::ListJobs => &policy.list_jobs,
            Capability::ReadJob => &policy.read_job,
            Capability::ReadLogs => &policy.read_logs,
        }
    }
}

impl<'a> Access<'a> {
    pub(super) fn of(cluster: &'a Cluster, token: Option<&str>) -> Access<'a> {
        let Acl::On(policies) = &cluster.settings.acl else { return Access::Full };
        let Some(token) = token else { return Access::Anonymous };
        match policies.get(token) {
            Some(policy) if policy.management => Access::Full,
            Some(policy) => Access::Limited(policy),
            None => Access::UnknownToken,
        }
    }

    /// Refuses a request whose token does not allow what it asks for.
    pub(super) fn require(self, version: Version, allows: fn(&Policy) -> bool) -> Result<(), Refusal> {
        match self {
            Access::Full => Ok(()),
            Access::Limited(policy) if allows(policy) => Ok(()),
            Access::Limited(_) | Access::Anonymous => Err(Refusal::forbidden()),
            Access::UnknownToken => Err(unknown_token(version)),
        }
    }

    /// Refuses a token that nobody knows.
    pub(super) fn require_known(self, version: Version) -> Result<(), Refusal> {
        match self {
            Access::UnknownToken => Err(unknown_token(version)),
            Access::Full | Access::Limited(_) | Access::Anonymous => Ok(()),
        }
    }

    /// Whether the rows of a namespace may be seen.
    pub(super) fn sees(self, capability: Capability, namespace: &str) -> bool {
        match (self, capability) {
            (Access::Full, _) => true,
            (Access::Limited(policy), capability) => capability.scope(policy).covers(namespace),
            (Access::Anonymous | Access::UnknownToken, _) => false,
        }
    }

    /// Whether the rows of any namespace may be seen.
    pub(super) fn sees_any(self, capability: Capability) -> bool {
        match self {
            Access::Full => true,
            Access::Limited(policy) => *capability.scope(policy) != Scope::Nowhere,
            Access::Anonymous | Access::UnknownToken => false,
        }
    }

    /// Refuses a list of a namespace that the token does not cover, and of all namespaces if it covers none.
    pub(super) fn require_namespace(
        self,
        version: Version,
        capability: Capability,
        namespace: &str,
    ) -> Result<(), Refusal> {
        self.require_known(version)?;
        let scope = match (self, capability) {
            (Access::Full, _) => return Ok(()),
            (Access::Limited(policy), capability) => capability.scope(policy),
            (Access::Anonymous | Access::UnknownToken, _) => &Scope::Nowhere,
        };
        let allowed = if namespace == "*" {
            // Older versions answer with an empty list instead.
            *scope != Scope::Nowhere || version < since::WILDCARD_DENIAL
        } else {
            scope.covers(namespace)
        };
        if allowed { Ok(()) } else { Err(Refusal::forbidden()) }
    }
}

fn unknown_token(version: Version) -> Refusal {
    if version >= since::UNIFORM_DENIAL {
        Refusal::forbidden()
    } else {
        Refusal::new(StatusCode::FORBIDDEN, "ACL token not found")
    }
}
