//! Detailed data of a single node, on request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::collectors::{Amounts, LIVE, add_load, drain, fetch_host, is_ready, node, node_tasks};
use super::context::Settings;
use super::token_permissions::token_permissions;
use crate::nomad::api::{self, Allocation, fold_rows};
use crate::nomad::{Client, Endpoint, Error, Request};
use crate::snapshot::{Drains, Hosts, NodeAllocation, NodeLoad, NodeLoads, OneNode};
use crate::terms::NodeState;

/// Reads one node, its non-terminal allocations and the usage of its host. Returns at most `max_allocations`
/// allocations. If anything other than the node itself cannot be read, it is absent and its error is
/// returned.
pub async fn one_node(
    client: &Client,
    settings: &Settings,
    id: &str,
    max_allocations: usize,
) -> Result<(OneNode, Vec<Error>), Error> {
    let request = Request::new(Endpoint::Node, format!("/v1/node/{}", Request::escape(id)));
    let (mut row, _) = client.object::<api::Node>(request).await?;
    row.id = Some(id.to_owned());
    let terms = drain(&row, row.modify_index.unwrap_or_default());
    let node = node(row).expect("its ID is known");
    let host = async {
        if !is_ready(node.state) {
            return Ok(None);
        }
        fetch_host(client, settings, id).await
    };
    let tasks = async {
        if !node.has_drain() || node.state == NodeState::Down {
            return Ok(None);
        }
        node_tasks(client, id, SystemTime::now()).await.map(Some)
    };
    let live = allocations(client, id, max_allocations);
    let (live, coverage, host, tasks) = tokio::join!(live, token_permissions(client), host, tasks);

    let mut problems = Vec::new();
    let mut known = OneNode::default();
    match live {
        Ok(live) => {
            let by_node = [(id.to_owned(), live.load)].into();
            known.sections.node_loads = Some(Arc::new(NodeLoads { by_node }));
            known.allocations = live.shown;
        }
        Err(error) => problems.push(error),
    }
    match coverage {
        Ok(token) => known.sections.coverage = Some(Arc::new(token.coverage)),
        Err(error) => problems.push(error),
    }
    match host {
        Ok(host) => {
            known.sections.hosts = Some(Arc::new(Hosts { by_node: [(id.to_owned(), host)].into() }));
        }
        Err(error) => problems.push(error),
    }
    let running = match tasks {
        Ok(tasks) => tasks.map(|tasks| (id.to_owned(), tasks)).into_iter().collect(),
        Err(error) => {
            problems.push(error);
            HashMap::new()
        }
    };
    let by_node = terms.map(|terms| (id.to_owned(), terms)).into_iter().collect();
    known.sections.drains = Some(Arc::new(Drains { by_node, running }));
    known.sections.nodes = Some(Arc::new(vec![node].into()));
    Ok((known, problems))
}

/// Non-terminal allocations of one node.
struct Live {
    id: String,
    load: NodeLoad,
    shown: Vec<NodeAllocation>,
    max: usize,
}

/// Reads the non-terminal allocations of a node in all namespaces that the token may read. Servers before
/// Nomad 1.3 send all allocations.
async fn allocations(client: &Client, id: &str, max: usize) -> Result<Live, Error> {
    let request = Request::new(Endpoint::Allocations, "/v1/allocations")
        .query("namespace", "*")
        .query("resources", "true")
        .query("task_states", "false")
        .query("filter", format!(r#"NodeID == "{id}" and {LIVE}"#));
    let live = Live { id: id.to_owned(), load: NodeLoad::default(), shown: Vec::new(), max };
    let ((live, _), _) = client.fetch(request, fold_rows(live, Live::add)).await?;
    Ok(live)
}

impl Live {
    fn add(&mut self, row: Allocation) {
        if row.node_id.as_deref() != Some(self.id.as_str()) || !row.client_status.is_live() {
            return;
        }
        add_load(&mut self.load, &row, Amounts::of(&row));
        if self.shown.len() < self.max {
            self.shown.push(NodeAllocation {
                placed: row.created(),
                status: row.client_status,
                id: row.id.unwrap_or_default(),
                namespace: row.namespace.unwrap_or_default(),
                job_id: row.job_id.unwrap_or_default(),
                task_group: row.task_group.unwrap_or_default(),
            });
        }
    }
}
