//! One node, looked at closely.

use std::time::SystemTime;

use super::Sections;
use crate::terms::ClientStatus;

/// One node and what lives on it.
#[derive(Clone, Debug, Default)]
pub struct OneNode {
    /// The sections that tell of it, and of it alone.
    pub sections: Sections,
    /// Its live allocations, as many as the cap allows.
    pub allocations: Vec<NodeAllocation>,
}

/// A live allocation of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAllocation {
    /// Its ID.
    pub id: String,
    /// Its job's namespace.
    pub namespace: String,
    /// Its job.
    pub job_id: String,
    /// Its task group.
    pub task_group: String,
    /// What its client last said of it.
    pub status: ClientStatus,
    /// When it was placed.
    pub placed: Option<SystemTime>,
}
