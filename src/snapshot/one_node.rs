//! Details of one node.

use std::time::SystemTime;

use super::Sections;
use crate::terms::ClientStatus;

/// A node and its allocations.
#[derive(Clone, Debug, Default)]
pub struct OneNode {
    /// Sections with only this node.
    pub sections: Sections,
    /// Its non-terminal allocations, up to the limit.
    pub allocations: Vec<NodeAllocation>,
}

/// A non-terminal allocation of a node.
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
    /// Status as last reported by its client.
    pub status: ClientStatus,
    /// When it was placed.
    pub placed: Option<SystemTime>,
}
