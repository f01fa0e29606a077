//! Drains: their terms (one request for each draining node, when it changed), and what still runs on nodes that drain or
//! are drained (one request for each, until nothing runs).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::fan_out;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::nomad::api::{self, Instance, fold_rows};
use crate::nomad::{Client, Endpoint, Error, Reason, Request};
use crate::snapshot::{
    Drain, Drains, LiveAllocations, Node, NodeLoads, NodeTasks, Nodes, Reach, Sections, Servers,
};
use crate::terms::{DesiredStatus, JobType, NodeState};

/// How many nodes are asked at once.
const CONCURRENCY: usize = 4;
/// How many nodes are asked for their own lists in one refresh.
const MAX_NODES: usize = 100;
/// Up to so many nodes, their own lists cost the servers little either way.
const FEW_NODES: usize = 10;
/// How much more a server spends on an allocation of a node's own list, which comes with its job and task states, than on
/// rejecting one by the filter: 57 us and 6.5 us with Nomad 2.0.5.
const ROW_BY_FILTERED: usize = 9;
/// Allocations that are over by their status while a task of them is not.
const LINGERING: &str = r#"(ClientStatus == "complete" or ClientStatus == "failed" or ClientStatus == "lost") and (any TaskStates as name, task { task.State != "dead" })"#;

/// Reads the terms of every drain, and what still runs on nodes that drain or are drained.
pub(in crate::collect) struct DrainsCollector {
    /// What the last refresh read.
    known: Arc<Drains>,
    /// Drained nodes on which nothing runs, by when their drain began: nothing new comes there.
    empty: HashMap<String, Option<SystemTime>>,
    /// Whether nodes were left out the last time.
    is_cut: bool,
}

reads!(DrainsCollector: Servers, Nodes, LiveAllocations, NodeLoads, Reach);

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
        let mut running = HashMap::new();
        let mut asked = Vec::new();
        for node in nodes.iter().filter(|node| node.has_drain() && node.state != NodeState::Down) {
            if !node.draining && self.empty.get(&node.id) == Some(&drain_began(node)) {
                running.insert(node.id.clone(), NodeTasks::default());
            } else {
                asked.push(node.id.clone());
            }
        }
        if !asked.is_empty() {
            // An allocation that was live in that list and is over now is seen here.
            upstream.settled::<LiveAllocations>().await;
            let servers = upstream.get::<Servers>().await.unwrap_or_default();
            if is_one_list_cheaper(asked.len(), nodes.len()) && servers.filter_task_states {
                running.extend(lingering(context, asked).await?);
            } else {
                self.cut(&mut asked);
                let ask = |id| running_on(context.clone(), id);
                let spread = context.settings.client_spread.min(context.settings.interval / 3);
                let spread = if self.known.running.is_empty() { Duration::ZERO } else { spread };
                fan_out::each(asked, CONCURRENCY, spread, ask, |(id, tasks)| {
                    running.extend(tasks.map(|tasks| (id, tasks)))
                })
                .await?;
            }
        }
        // The one list over all allocations leaves out what is live.
        let loads = upstream.get::<NodeLoads>().await;
        let has_live = |node: &Node| {
            let load =
                |loads: &Arc<NodeLoads>| loads.by_node.get(&node.id).is_some_and(|load| !load.is_all_kept());
            loads.as_ref().is_none_or(load)
        };
        let is_empty = |node: &&Node| {
            let tells_none = running.get(&node.id).is_some_and(NodeTasks::is_empty);
            !node.draining && tells_none && !has_live(node) && node.has_drain()
        };
        // What a token does not show may run there all the same, and another token shows it.
        let is_partial = upstream.get::<Reach>().await.is_some_and(|reach| reach.partial().is_some());
        self.empty = nodes
            .iter()
            .filter(|node| !is_partial && is_empty(node))
            .map(|node| (node.id.clone(), drain_began(node)))
            .collect();
        let objects = by_node.len() as u64;
        self.known = Arc::new(Drains { by_node, running });
        let sections = Sections { drains: Some(self.known.clone()), ..Sections::default() };
        Ok(Refresh { sections, objects, ..Refresh::default() })
    }
}

impl DrainsCollector {
    /// The terms of the drains that go on: one request for each draining node, when it changed.
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
        let ask = |(id, modify_index)| ask(context.clone(), id, modify_index);
        fan_out::each(unknown, CONCURRENCY, Duration::ZERO, ask, |(id, drain)| {
            by_node.extend(drain.map(|drain| (id, drain)))
        })
        .await?;
        Ok(by_node)
    }

    /// Leaves out nodes beyond the cap, and says so when that begins.
    fn cut(&mut self, asked: &mut Vec<String>) {
        let left_out = asked.len().saturating_sub(MAX_NODES);
        asked.truncate(MAX_NODES);
        if left_out > 0 && !self.is_cut {
            tracing::warn!(
                asked = MAX_NODES,
                left_out,
                "too many nodes drain at once; the state of the other drains is unknown"
            );
        }
        self.is_cut = left_out > 0;
    }
}

/// Whether one list with a filter over all allocations costs the servers less than the own lists of so many nodes out of
/// all. Beyond the cap it is asked for whatever it costs, since it leaves out none.
fn is_one_list_cheaper(asked: usize, nodes: usize) -> bool {
    asked > MAX_NODES || (asked > FEW_NODES && asked * ROW_BY_FILTERED >= nodes)
}

/// What tells one drain of a node from the next.
fn drain_began(node: &Node) -> Option<SystemTime> {
    node.last_drain.and_then(|drain| drain.started)
}

/// What still runs on one node, told by its own list.
async fn running_on(context: Arc<Context>, id: String) -> Result<(String, Option<NodeTasks>), Error> {
    match node_tasks(&context.client, &id, (context.now)()).await {
        Ok(tasks) => Ok((id, Some(tasks))),
        // The node went away since it was listed.
        Err(error) if error.reason() == Reason::NotFound => Ok((id, None)),
        Err(error) => Err(error),
    }
}

/// What still runs on a node.
pub(in crate::collect) async fn node_tasks(
    client: &Client,
    id: &str,
    now: SystemTime,
) -> Result<NodeTasks, Error> {
    let path = format!("/v1/node/{}/allocations", Request::escape(id));
    let add = move |tasks: &mut NodeTasks, row: Instance| count(tasks, &row, now);
    let request = Request::new(Endpoint::NodeAllocations, path);
    let ((tasks, _), _) = client.fetch(request, fold_rows(NodeTasks::default(), add)).await?;
    Ok(tasks)
}

fn count(tasks: &mut NodeTasks, row: &Instance, now: SystemTime) {
    let is_system = row.job_type() == JobType::System;
    if row.lingers(now) {
        tasks.lingering += 1;
        tasks.lingering_system += u64::from(is_system);
    } else if row.client_status.is_live() && !(is_system && row.desired_status == DesiredStatus::Run) {
        tasks.live += 1;
    }
}

/// What lingers on these nodes, told by one list over all allocations; what is live there is known.
async fn lingering(context: &Context, nodes: Vec<String>) -> Result<HashMap<String, NodeTasks>, Error> {
    let now = (context.now)();
    let running = nodes.into_iter().map(|id| (id, NodeTasks::default())).collect();
    let add = move |running: &mut HashMap<String, NodeTasks>, row: Instance| {
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

async fn ask(context: Arc<Context>, id: String, modify_index: u64) -> Result<(String, Option<Drain>), Error> {
    let request = Request::new(Endpoint::Node, format!("/v1/node/{id}"));
    match context.client.object::<api::Node>(request).await {
        Ok((node, _)) => Ok((id, drain(&node, modify_index))),
        // The node went away since it was listed.
        Err(error) if error.reason() == Reason::NotFound => Ok((id, None)),
        Err(error) => Err(error),
    }
}

/// The terms of the drain of a node that was asked for alone.
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
            // Drain, of how many nodes, one list.
            (1, 1, false),
            (10, 12, false),
            (11, 12, true),
            (30, 270, true),
            (30, 271, false),
            (100, 1_000, false),
            (100, 900, true),
            (101, 10_000, true),
        ];
        for (asked, nodes, wanted) in table {
            assert_eq!(is_one_list_cheaper(asked, nodes), wanted, "{asked} of {nodes}");
        }
    }
}
