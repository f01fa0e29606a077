//! Terms of the drains that go on: one request for each draining node, when it changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::fan_out;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::nomad::api::Node;
use crate::nomad::{Endpoint, Error, Reason, Request};
use crate::snapshot::{Drain, Drains, Nodes, Sections};

/// How many nodes are asked at once.
const CONCURRENCY: usize = 4;

/// Reads the terms of every drain.
pub(in crate::collect) struct DrainsCollector {
    /// Those of the last refresh.
    known: Arc<Drains>,
}

reads!(DrainsCollector: Nodes);

impl Collect for DrainsCollector {
    fn new(_: &Observers) -> Self {
        Self { known: Arc::default() }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let nodes = upstream.need::<Nodes>().await?;
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
        let objects = by_node.len() as u64;
        self.known = Arc::new(Drains { by_node });
        let sections = Sections { drains: Some(self.known.clone()), ..Sections::default() };
        Ok(Refresh { sections, objects, ..Refresh::default() })
    }
}

async fn ask(context: Arc<Context>, id: String, modify_index: u64) -> Result<(String, Option<Drain>), Error> {
    let request = Request::new(Endpoint::Node, format!("/v1/node/{id}"));
    match context.client.object::<Node>(request).await {
        Ok((node, _)) => Ok((id, drain(&node, modify_index))),
        // The node went away since it was listed.
        Err(error) if error.reason() == Reason::NotFound => Ok((id, None)),
        Err(error) => Err(error),
    }
}

/// The terms of the drain of a node that was asked for alone.
pub(in crate::collect) fn drain(node: &Node, node_modify_index: u64) -> Option<Drain> {
    node.drain_strategy.as_ref().map(|strategy| Drain {
        started: strategy.started_at.0,
        deadline: strategy.force_deadline.0,
        ignore_system_jobs: strategy.ignore_system_jobs.unwrap_or_default(),
        node_modify_index,
    })
}
