//! Counts of deployments.

use std::collections::BTreeMap;

use crate::terms::{ByTerm, DeploymentStatus};

/// Deployments that Nomad still retains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deployments {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, ByTerm<DeploymentStatus, u64>>,
}
