//! The part of `GET /v1/node/:id` that no list shows.

use serde::Deserialize;

use super::Map;

/// What is asked of one node alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeDetail {
    /// Set by whoever runs the node.
    pub meta: Option<Map<String>>,
    /// What the client found out about itself.
    pub attributes: Option<Map<String>>,
    node_max_allocs: Option<i64>,
}

impl NodeDetail {
    /// How many allocations the node takes, if that is limited (Nomad 1.10.2 and later).
    pub fn max_allocations(&self) -> Option<u64> {
        Some(super::count(self.node_max_allocs)).filter(|limit| *limit > 0)
    }
}
