//! What clients measure of their hosts: one request for each ready node.

use std::collections::HashMap;
use std::sync::Arc;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::{Context, Settings};
use crate::collect::fan_out;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::nomad::api::{HostDisk, HostStats};
use crate::nomad::{Client, Endpoint, Error, Request};
use crate::snapshot::{Disk, Host, Hosts, Nodes, Sections};
use crate::terms::NodeState;

/// The device under which the allocation directory's file system is shown.
const ALLOC_DIR: &str = "alloc_dir";

/// Asks every ready node's client. A client that does not answer is shown as such and delays no other.
pub(in crate::collect) struct HostStatsCollector {
    /// What they answered the last time.
    known: Option<Arc<Hosts>>,
}

reads!(HostStatsCollector: Nodes);

impl Collect for HostStatsCollector {
    fn new(_: &Observers) -> Self {
        Self { known: None }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let nodes = upstream.need::<Nodes>().await?;
        let mut ids: Vec<String> =
            nodes.iter().filter(|node| is_ready(node.state)).map(|node| node.id.clone()).collect();
        let spread = context.client_spread(self.known.is_none());
        if let Some(hosts) = &self.known {
            // Those that did not answer the last time may hang again: they come last, where they hold up no other.
            ids.sort_by_key(|id| matches!(hosts.by_node.get(id), Some(None)));
        }
        let mut by_node = HashMap::with_capacity(ids.len());
        let ask = |id: String| {
            let context = context.clone();
            async move { ask(&context.client, &context.settings, &id).await.map(|host| (id, host)) }
        };
        let done = |(id, host)| drop(by_node.insert(id, host));
        fan_out::each(ids, context.settings.client_concurrency, spread, ask, done).await?;
        let objects = by_node.values().flatten().count() as u64;
        let hosts = Arc::new(Hosts { by_node });
        self.known = Some(hosts.clone());
        let sections = Sections { hosts: Some(hosts), ..Sections::default() };
        Ok(Refresh { sections, objects, ..Refresh::default() })
    }
}

/// Whether a client in this state can be asked.
pub(in crate::collect) fn is_ready(state: NodeState) -> bool {
    matches!(state, NodeState::Active | NodeState::Draining | NodeState::Ineligible)
}

/// Asks one client. It is `None` that a client did not answer; an error tells of Nomad or of our token.
pub(in crate::collect) async fn ask(
    client: &Client,
    settings: &Settings,
    id: &str,
) -> Result<Option<Host>, Error> {
    let request = Request::new(Endpoint::ClientStats, "/v1/client/stats")
        .query("node_id", id)
        .passed_on_within(settings.client_timeout);
    match client.object::<Option<HostStats>>(request).await {
        Ok((stats, _)) => Ok(stats.map(host)),
        Err(error) if error.reason().is_before_the_client() => Err(error),
        Err(error) => {
            tracing::debug!(node_id = id, %error, "cannot read host statistics");
            Ok(None)
        }
    }
}

fn host(stats: HostStats) -> Host {
    let booted = stats.booted();
    // A client that cannot measure its memory says that it has none.
    let memory =
        stats.memory.filter(|memory| memory.total.is_some_and(|total| total > 0)).unwrap_or_default();
    let mut disks: Vec<Disk> = Vec::new();
    let named = stats.disk_stats.into_iter().flatten().flatten();
    let named =
        named.filter_map(|disk| Some((disk.device.clone().filter(|device| !device.is_empty())?, disk)));
    let alloc_dir = stats.alloc_dir_stats.map(|disk| (ALLOC_DIR.to_owned(), disk));
    for (device, disk) in named.chain(alloc_dir) {
        // A device that is mounted twice is one disk.
        if disks.iter().all(|known| known.device != device) {
            disks.push(self::disk(device, &disk));
        }
    }
    Host {
        cpu_used_hertz: stats.cpu_mhz_used.map(|mhz| mhz.max(0.0) * 1e6),
        memory_total_bytes: memory.total.map(|bytes| bytes as f64),
        memory_used_bytes: memory.used.map(|bytes| bytes as f64),
        memory_available_bytes: memory.available.map(|bytes| bytes as f64),
        disks,
        booted,
    }
}

fn disk(device: String, disk: &HostDisk) -> Disk {
    Disk {
        device,
        size_bytes: disk.size.map(|bytes| bytes as f64),
        used_bytes: disk.used.map(|bytes| bytes as f64),
        inodes_used_ratio: disk.inodes_used_percent.map(|percent| percent.clamp(0.0, 100.0) / 100.0),
    }
}
