//! Drains: their settings (one request per draining node, if it has changed), and the running tasks on
//! draining and drained nodes (one request per node, until nothing runs there).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::fan_out;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::nomad::api::{self, AllocationSummary, fold_rows};
use crate::nomad::{Client, Endpoint, Error, Request, found};
use crate::snapshot::{
    Drain, Drains, LiveAllocations, NamespaceCoverage, Node, NodeLoad, NodeLoads, NodeTasks, Nodes, Sections,
    Servers,
};
use crate::terms::{DesiredStatus, JobType, NodeState};

/// Maximum number of concurrent requests.
const CONCURRENCY: usize = 4;
/// Maximum number of nodes per refresh whose own lists are requested.
const MAX_NODES: usize = 100;
/// Number of nodes up to which their own lists are always requested. They cost the servers little in any
/// case.
const FEW_NODES: usize = 10;
/// Cost of an allocation in a node's own list, which includes its job and task states, relative to the cost
/// of an allocation that the filter rejects: 57 us and 6.5 us with Nomad 2.0.5.
const ROW_BY_FILTERED: usize = 9;
/// Filter for terminal allocations with a task that is not dead.
const LINGERING: &str = r#"(ClientStatus == "complete" or ClientStatus == "failed" or ClientStatus == "lost") and (any TaskStates as name, task { task.State != "dead" })"#;

/// Collector of the drain settings, and of the running tasks on draining and drained nodes.
pub(in crate::collect) struct DrainsCollector {
    /// Result of the last refresh.
    known: Arc<Drains>,
    /// Drained nodes without running tasks that a drain waits for.
    empty: HashMap<String, Emptied>,
    /// Whether nodes were left out in the last refresh.
    is_cut: bool,
}

/// A drained node without running tasks that a drain waits for. As long as this stays the same, nothing runs there: no new
/// allocations are placed on it, and those of system jobs that the drain ignored have not ended. A node that was down
/// and is back may still run what Nomad called lost.
#[derive(PartialEq)]
struct Emptied {
    /// Distinguishes this drain from other drains of the node.
    drain_started: Option<SystemTime>,
    node_modify_index: u64,
    /// Number of non-terminal allocations.
    allocations: u64,
}

reads!(DrainsCollector: Servers, Nodes, LiveAllocations, NodeLoads, NamespaceCoverage);

impl Collect for DrainsCollector {
    fn new(_: &Observers) -> Self {
        Self { known: Arc::default(), empty: HashMap::new(), is_cut: false }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let nodes = upstream.need::<Nodes>().await?;
        let by_node = self.terms(context, &nodes).await?;
        let with_drains: Vec<&Node> =
            nodes.iter().filter(|node| node.has_drain() && node.state != NodeState::Down).collect();
        if !with_drains.is_empty() {
            // Wait for that list, so that an allocation that was non-terminal in it and has ended since is
            // read here.
            upstream.settled::<LiveAllocations>().await;
        }
        let loads = upstream.get::<NodeLoads>().await;
        let load = |node: &Node| loads.as_ref().and_then(|loads| loads.by_node.get(&node.id));
        let emptied = |node: &Node| Emptied {
            drain_started: node.last_drain.and_then(|drain| drain.started),
            node_modify_index: node.modify_index,
            allocations: load(node).map_or(0, NodeLoad::count),
        };
        let mut running = HashMap::new();
        let mut requested = Vec::new();
        for node in &with_drains {
            if !node.draining && self.empty.get(&node.id) == Some(&emptied(node)) {
                running.insert(node.id.clone(), NodeTasks::default());
            } else {
                requested.push(node.id.clone());
            }
        }
        if !requested.is_empty() {
            let servers = upstream.get::<Servers>().await.unwrap_or_default();
            if is_one_list_cheaper(requested.len(), nodes.len()) && servers.filter_task_states {
                running.extend(lingering(context, requested).await?);
            } else {
                self.cut(&mut requested);
                let fetch_one = |id| running_on(context.clone(), id);
                let spread = context.settings.client_spread.min(context.settings.interval / 3);
                let spread = if self.known.running.is_empty() { Duration::ZERO } else { spread };
                fan_out::each(requested, CONCURRENCY, spread, fetch_one, |(id, tasks)| {
                    running.extend(tasks.map(|tasks| (id, tasks)))
                })
                .await?;
            }
        }
        // The filtered list of all allocations does not contain non-terminal ones.
        let is_empty = |node: &Node| {
            let tells_none = running.get(&node.id).is_some_and(NodeTasks::is_empty);
            !node.draining && tells_none && loads.is_some() && load(node).is_none_or(NodeLoad::is_all_kept)
        };
        // Allocations that are hidden from the token may still be running, and a new token may show them.
        let is_partial =
            upstream.get::<NamespaceCoverage>().await.is_some_and(|coverage| coverage.partial().is_some());
        self.empty = with_drains
            .iter()
            .filter(|node| !is_partial && is_empty(node))
            .map(|node| (node.id.clone(), emptied(node)))
            .collect();
        let objects = by_node.len() as u64;
        self.known = Arc::new(Drains { by_node, running });
        let sections = Sections { drains: Some(self.known.clone()), ..Sections::default() };
        Ok(Refresh { sections, objects, ..Refresh::default() })
    }
}

impl DrainsCollector {
    /// Returns the settings of the active drains, with one request per draining node if it has changed.
    async fn terms(
        &self,
        context: &Arc<Context>,
        nodes: &Nodes,
    ) -> Result<HashMap<String, Drain>, FetchError> {
        let mut by_node = HashMap::new();
        let mut unknown = Vec::new();
        for node in nodes.iter().filter(|node| node.draining) {
            match self.known.by_node.get(&node.id) {
                Some(drain) if drain.node_modify_index == node.modify_index => {
                    by_node.insert(node.id.clone(), *drain);
                }
                _ => unknown.push((node.id.clone(), node.modify_index)),
            }
        }
        let fetch_one = |(id, modify_index)| fetch(context.clone(), id, modify_index);
        fan_out::each(unknown, CONCURRENCY, Duration::ZERO, fetch_one, |(id, drain)| {
            by_node.extend(drain.map(|drain| (id, drain)))
        })
        .await?;
        Ok(by_node)
    }

    /// Leaves out nodes above the limit, and logs a warning when that begins.
    fn cut(&mut self, requested: &mut Vec<String>) {
        let left_out = requested.len().saturating_sub(MAX_NODES);
        requested.truncate(MAX_NODES);
        if left_out > 0 && !self.is_cut {
            tracing::warn!(
                requested = MAX_NODES,
                left_out,
                "too many nodes drain at once; the state of the other drains is unknown"
            );
        }
        self.is_cut = left_out > 0;
    }
}

/// Returns whether one filtered list of all allocations costs the servers less than the own lists of `requested`
/// nodes. Above the limit it is always used, because it covers all nodes.
fn is_one_list_cheaper(requested: usize, nodes: usize) -> bool {
    requested > MAX_NODES || (requested > FEW_NODES && requested * ROW_BY_FILTERED >= nodes)
}

/// Reads the running tasks of one node from its own list. Returns `None` if the node no longer exists.
async fn running_on(context: Arc<Context>, id: String) -> Result<(String, Option<NodeTasks>), Error> {
    let tasks = found(node_tasks(&context.client, &id, (context.now)()).await)?;
    Ok((id, tasks))
}

/// Reads the running tasks of a node.
pub(in crate::collect) async fn node_tasks(
    client: &Client,
    id: &str,
    now: SystemTime,
) -> Result<NodeTasks, Error> {
    let path = format!("/v1/node/{}/allocations", Request::escape(id));
    let add = move |tasks: &mut NodeTasks, row: AllocationSummary| count(tasks, &row, now);
    let request = Request::new(Endpoint::NodeAllocations, path);
    let ((tasks, _), _) = client.fetch(request, fold_rows(NodeTasks::default(), add)).await?;
    Ok(tasks)
}

fn count(tasks: &mut NodeTasks, row: &AllocationSummary, now: SystemTime) {
    let is_system = row.job_type() == JobType::System;
    if row.lingers(now) {
        tasks.lingering += 1;
        tasks.lingering_system += u64::from(is_system);
    } else if row.client_status.is_live() && !(is_system && row.desired_status == DesiredStatus::Run) {
        tasks.live += 1;
    }
}

/// Reads the terminal allocations with a running task on these nodes from one filtered list. Their
/// non-terminal allocations are already known.
async fn lingering(context: &Context, nodes: Vec<String>) -> Result<HashMap<String, NodeTasks>, Error> {
    let now = (context.now)();
    let running = nodes.into_iter().map(|id| (id, NodeTasks::default())).collect();
    let add = move |running: &mut HashMap<String, NodeTasks>, row: AllocationSummary| {
        if let Some(tasks) = row.node_id.as_ref().and_then(|id| running.get_mut(id)) {
            count(tasks, &row, now);
        }
    };
    let request = Request::new(Endpoint::Allocations, "/v1/allocations")
        .query("namespace", "*")
        .query("filter", LINGERING);
    let ((running, _), _) = context.client.fetch(request, fold_rows(running, add)).await?;
    Ok(running)
}

async fn fetch(
    context: Arc<Context>,
    id: String,
    modify_index: u64,
) -> Result<(String, Option<Drain>), Error> {
    let request = Request::new(Endpoint::Node, format!("/v1/node/{id}"));
    let node = found(context.client.object::<api::Node>(request).await)?;
    Ok((id, node.and_then(|(node, _)| drain(&node, modify_index))))
}

/// Returns the drain settings of a node that was requested by ID, if it is draining.
pub(in crate::collect) fn drain(node: &api::Node, node_modify_index: u64) -> Option<Drain> {
    node.drain_strategy.as_ref().map(|strategy| Drain {
        started: strategy.started_at.0,
        deadline: strategy.force_deadline.0,
        ignore_system_jobs: strategy.ignore_system_jobs.unwrap_or_default(),
        node_modify_index,
    })
}

#[cfg(test)]
mod tests {
    use super::is_one_list_cheaper;

    #[test]
    fn own_lists_are_asked_for_while_they_cost_less() {
        let table = [
            // Nodes with a drain, all nodes, whether one list is used.
            (1, 1, false),
            (10, 12, false),
            (11, 12, true),
            (30, 270, true),
            (30, 271, false),
            (100, 1_000, false),
            (100, 900, true),
            (101, 10_000, true),
        ];
        for (requested, nodes, wanted) in table {
            assert_eq!(is_one_list_cheaper(requested, nodes), wanted, "{requested} of {nodes}");
        }
    }
}
