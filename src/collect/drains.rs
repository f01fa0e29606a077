//! Terms of the drains that go on: one request for each draining node, when it changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::fan_out;
use super::report::FetchError;
use super::store::{Refresh, Section};
use crate::nomad::api::Node;
use crate::nomad::{Endpoint, Error, Reason, Request};
use crate::snapshot::{Drain, Drains};

/// How many nodes are asked at once.
const CONCURRENCY: usize = 4;

/// Reads the terms of every drain.
pub(super) async fn fetch(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let sections = context.after(&["nodes"]).await;
    let nodes = sections.nodes.ok_or(FetchError::Needs("nodes"))?;
    let known = sections.drains.unwrap_or_default();
    let mut by_node = HashMap::new();
    let mut unknown = Vec::new();
    for node in nodes.iter().filter(|node| node.draining) {
        match known.by_node.get(&node.id) {
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
    Ok(Refresh { sections: vec![Section::Drains(Drains { by_node })], objects, ..Refresh::default() })
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
pub(super) fn drain(node: &Node, node_modify_index: u64) -> Option<Drain> {
    node.drain_strategy.as_ref().map(|strategy| Drain {
        started: strategy.started_at.0,
        deadline: strategy.force_deadline.0,
        ignore_system_jobs: strategy.ignore_system_jobs.unwrap_or_default(),
        node_modify_index,
    })
}
