//! The fields of `GET /v1/node/:id` that are not in lists.

use serde::Deserialize;

use super::Map;

/// Metadata and attributes of a node.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeDetail {
    /// Metadata, set by the operator.
    pub meta: Option<Map<String>>,
    /// Attributes that the client detected.
    pub attributes: Option<Map<String>>,
    node_max_allocs: Option<i64>,
}

impl NodeDetail {
    /// Returns the maximum number of allocations on the node, if it is limited (Nomad 1.10.2 and later).
    pub fn max_allocations(&self) -> Option<u64> {
        Some(super::count(self.node_max_allocs)).filter(|limit| *limit > 0)
    }
}
