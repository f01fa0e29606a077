//! Single nodes.

use http::StatusCode;
use serde_json::Value;

use crate::answer::Refusal;
use crate::cluster::{Node, NodeId};
use crate::list::Table;

use super::access::Capability;
use super::{Call, Reply, view};

impl Call<'_> {
    pub(super) fn node(&self, id: &str) -> Reply {
        self.access.require(self.version(), |policy| policy.node)?;
        self.check_leader()?;
        if id.len() != 36 {
            let message = "node lookup failed: index error: UUID must be 36 characters";
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message));
        }
        let Some(node) = self.find_node(id) else {
            return Ok(self.not_found(Table::Nodes, "node not found"));
        };
        Ok(self.read(node.modify_index, &view::node(node, self.version())))
    }

    pub(super) fn node_allocations(&self, id: &str) -> Reply {
        self.access.require(self.version(), |policy| policy.node)?;
        self.check_leader()?;
        let node = self.find_node(id).map(|node| node.id);
        let on_node = self.cluster.allocations.values().filter(|allocation| Some(allocation.node) == node);
        let visible =
            on_node.filter(|allocation| self.access.sees(Capability::ReadJob, &allocation.job.namespace));
        let full = |allocation| view::allocation(allocation, self.cluster, self.version());
        let rows = Value::Array(visible.map(full).collect());
        Ok(self.read(self.cluster.table_index(Table::Allocations), &rows))
    }

    pub(super) fn find_node(&self, id: &str) -> Option<&Node> {
        let id: NodeId = id.parse().ok()?;
        self.cluster.nodes.get(&id)
    }
}
