//! Permissions of a request's token.

use http::StatusCode;

use crate::answer::Refusal;
use crate::cluster::{Acl, Cluster, Policy, Scope};
use crate::version::{Version, since};

/// Permissions of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access<'a> {
    /// ACLs are disabled, or the token is a management token.
    Full,
    /// The permissions of the token's policy.
    Limited(&'a Policy),
    /// The request has no token.
    Anonymous,
    /// The token does not exist.
    UnknownToken,
}

/// Namespace capabilities.
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

    /// Denies a request that the token's policy does not allow.
    pub(super) fn require(self, version: Version, allows: fn(&Policy) -> bool) -> Result<(), Refusal> {
        match self {
            Access::Full => Ok(()),
            Access::Limited(policy) if allows(policy) => Ok(()),
            Access::Limited(_) | Access::Anonymous => Err(Refusal::forbidden()),
            Access::UnknownToken => Err(unknown_token(version)),
        }
    }

    /// Denies a token that does not exist.
    pub(super) fn require_known(self, version: Version) -> Result<(), Refusal> {
        match self {
            Access::UnknownToken => Err(unknown_token(version)),
            Access::Full | Access::Limited(_) | Access::Anonymous => Ok(()),
        }
    }

    /// Returns whether the token may list objects of a namespace.
    pub(super) fn sees(self, capability: Capability, namespace: &str) -> bool {
        match (self, capability) {
            (Access::Full, _) => true,
            (Access::Limited(policy), capability) => capability.scope(policy).covers(namespace),
            (Access::Anonymous | Access::UnknownToken, _) => false,
        }
    }

    /// Returns whether the token may read the rows of any namespace.
    pub(super) fn sees_any(self, capability: Capability) -> bool {
        match self {
            Access::Full => true,
            Access::Limited(policy) => *capability.scope(policy) != Scope::Nowhere,
            Access::Anonymous | Access::UnknownToken => false,
        }
    }

    /// Denies a list of a namespace that the token does not cover. Denies a list of all namespaces if the
    /// token covers none.
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
            // Older versions return an empty list instead.
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
