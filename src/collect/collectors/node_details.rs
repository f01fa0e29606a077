//! Metadata and attributes of nodes: one request per new node, and one per node every ten minutes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::collect::chosen::chosen;
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::fan_out;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::nomad::api;
use crate::nomad::{Endpoint, Error, Request, found};
use crate::snapshot::{NodeDetail, NodeDetails, Nodes, Sections};
use crate::terms::hash_of;

/// Maximum number of concurrent requests.
const CONCURRENCY: usize = 4;
/// Maximum number of nodes requested per refresh.
const MAX_NODES: usize = 1_000;
/// Interval after which a node is requested again, because attributes can change, and `nomad node meta apply`
/// changes metadata.
const EVERY: Duration = Duration::from_secs(600);

/// Collector of the details of new nodes, and of those that were read long ago.
pub(in crate::collect) struct NodeDetailsCollector {
    known: HashMap<String, Known>,
}

/// Details of a node, and when to request them again.
struct Known {
    detail: NodeDetail,
    until: Instant,
}

reads!(NodeDetailsCollector: Nodes);

impl Collect for NodeDetailsCollector {
    fn new(_: &Observers) -> Self {
        Self { known: HashMap::new() }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let nodes = upstream.need::<Nodes>().await?;
        let ids: HashSet<&str> = nodes.iter().map(|node| node.id.as_str()).collect();
        self.known.retain(|id, _| ids.contains(id.as_str()));
        let spread = context.client_spread(self.known.is_empty());
        let due = self.due(&nodes);
        let fetch_one = |id| fetch(context.clone(), id);
        let known = &mut self.known;
        // Keep these details even if a later request fails.
        let done = |(id, detail): (String, Option<NodeDetail>)| {
            if let Some(detail) = detail {
                let until = next_reading(&id, known.contains_key(&id));
                known.insert(id, Known { detail, until });
            }
        };
        fan_out::each(due, CONCURRENCY, spread, fetch_one, done).await?;
        let settings = &context.settings.labels;
        let details = NodeDetails {
            by_node: self.known.iter().map(|(id, known)| (id.clone(), known.detail.clone())).collect(),
            meta_labels: settings.node_meta.labels().to_vec(),
            attribute_labels: settings.node_attributes.labels().to_vec(),
        };
        let objects = details.by_node.len() as u64;
        let sections = Sections { node_details: Some(Arc::new(details)), ..Sections::default() };
        Ok(Refresh { sections, objects, ..Refresh::default() })
    }
}

impl NodeDetailsCollector {
    /// Returns the nodes to request now: new ones first, then those that have been due longest.
    fn due(&self, nodes: &Nodes) -> Vec<String> {
        let now = Instant::now();
        let mut due: Vec<(Option<Instant>, &str)> = nodes
            .iter()
            .map(|node| (self.known.get(&node.id).map(|known| known.until), node.id.as_str()))
            .filter(|(until, _)| until.is_none_or(|until| until <= now))
            .collect();
        due.sort_unstable();
        due.into_iter().take(MAX_NODES).map(|(_, id)| id.to_owned()).collect()
    }
}

/// Returns when to request a node again. The first time depends on its ID, so that nodes that were first
/// read together are not all requested at once again.
fn next_reading(id: &str, was_known: bool) -> Instant {
    let share = if was_known { 1.0 } else { (hash_of(id) % 1_000) as f64 / 1_000.0 };
    Instant::now() + EVERY.mul_f64(share)
}

/// Requests one node. Returns `None` if it was removed after it was listed.
async fn fetch(context: Arc<Context>, id: String) -> Result<(String, Option<NodeDetail>), Error> {
    let request = Request::new(Endpoint::Node, format!("/v1/node/{}", Request::escape(&id)));
    let node = found(context.client.object::<Option<api::NodeDetail>>(request).await)?;
    Ok((id, node.map(|(node, _)| detail(&context, &node.unwrap_or_default()))))
}

fn detail(context: &Context, node: &api::NodeDetail) -> NodeDetail {
    let settings = &context.settings.labels;
    NodeDetail {
        meta: chosen(&settings.node_meta, settings.max_length, node.meta.as_ref()),
        attributes: chosen(&settings.node_attributes, settings.max_length, node.attributes.as_ref()),
        max_allocations: node.max_allocations(),
    }
}
