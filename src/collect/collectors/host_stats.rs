//! Host statistics of clients: one request per ready node.

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

/// Value of the device label for the file system of the allocation directory.
const ALLOC_DIR: &str = "alloc_dir";

/// Collector of host statistics. A client that does not respond is reported as such, and does not delay the
/// others.
pub(in crate::collect) struct HostStatsCollector {
    /// Result of the last refresh.
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
            // Clients that did not respond last time may hang again. They come last, so that they do not
            // delay the others.
            ids.sort_by_key(|id| matches!(hosts.by_node.get(id), Some(None)));
        }
        let mut by_node = HashMap::with_capacity(ids.len());
        let fetch_one = |id: String| {
            let context = context.clone();
            async move { fetch(&context.client, &context.settings, &id).await.map(|host| (id, host)) }
        };
        let done = |(id, host)| drop(by_node.insert(id, host));
        fan_out::each(ids, context.settings.client_concurrency, spread, fetch_one, done).await?;
        let objects = by_node.values().flatten().count() as u64;
        let hosts = Arc::new(Hosts { by_node });
        self.known = Some(hosts.clone());
        let sections = Sections { hosts: Some(hosts), ..Sections::default() };
        Ok(Refresh { sections, objects, ..Refresh::default() })
    }
}

/// Returns whether the client of a node in this state can respond.
pub(in crate::collect) fn is_ready(state: NodeState) -> bool {
    matches!(state, NodeState::Active | NodeState::Draining | NodeState::Ineligible)
}

/// Reads the statistics of one client. Returns `None` if the client does not respond; an error means that the
/// servers cannot be reached or reject the request.
pub(in crate::collect) async fn fetch(
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
    // A client that cannot measure its memory reports 0.
    let memory =
        stats.memory.filter(|memory| memory.total.is_some_and(|total| total > 0)).unwrap_or_default();
    let mut disks: Vec<Disk> = Vec::new();
    let named = stats.disk_stats.into_iter().flatten().flatten();
    let named =
        named.filter_map(|disk| Some((disk.device.clone().filter(|device| !device.is_empty())?, disk)));
    let alloc_dir = stats.alloc_dir_stats.map(|disk| (ALLOC_DIR.to_owned(), disk));
    for (device, disk) in named.chain(alloc_dir) {
        // A device that is mounted twice is listed twice.
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
