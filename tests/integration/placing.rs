//! Clients that the backlog needs, and unplaceable allocations, for clusters with obvious results.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_exporter::commands::{Status, Terminal};
use nomad_exporter::snapshot::Trends;
use nomad_exporter::web::status_page;
use nomad_simulator::Simulator;
use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings};

use crate::support::collect::Collector;
use crate::support::recordings;

/// Returns the metrics, the screen and the status page of a cluster.
async fn shown(mut cluster: Cluster) -> (crate::support::exposition::Exposition, String, String) {
    cluster.advance(Duration::from_secs(30));
    let simulator = Simulator::start(Arc::new(Mutex::new(cluster)).into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
    collector.refresh().await;
    let snapshot = collector.snapshot();
    let screen = Status::new(&snapshot).screen(&Terminal::new(None, false));
    (
        collector.exposition(),
        screen,
        status_page(&snapshot, &Trends::new(Duration::from_secs(15)), "/metrics"),
    )
}

/// Returns a cluster of clients with 4 GHz and 8 GiB each, minus a system job.
fn clients(count: usize) -> Cluster {
    let mut cluster = Cluster::new(Settings::default());
    for number in 0..count {
        let node = NodeSpec { cpu: 4000, memory_mb: 8192, ..NodeSpec::new(&format!("client-{number}")) };
        cluster.register_node(node);
    }
    cluster
}

fn build(id: &str, cpu: u64, memory: u64, count: u32) -> JobSpec {
    let build = JobSpec::batch(id).with_resources(cpu, memory).with_count(count);
    build.running_for(Duration::from_secs(9000))
}

/// One build with 90 GHz is unplaceable; four builds with 2 GHz need two clients. By the sums alone, it would
/// be 26 clients.
#[tokio::test(flavor = "multi_thread")]
async fn unplaceable_allocations_need_no_clients() {
    let mut cluster = clients(1);
    cluster.submit(build("fills", 4000, 100, 1));
    cluster.advance(Duration::from_secs(20));
    cluster.submit(build("huge", 90_000, 100, 1));
    cluster.submit(build("windows", 1000, 100, 3).requiring("${attr.kernel.name}", "windows"));
    cluster.submit(build("waits", 2000, 100, 4));
    let (metrics, screen, page) = shown(cluster).await;
    let unplaceable = |reason| {
        let labels = [("namespace", "default"), ("node_pool", "default"), ("reason", reason)];
        metrics.value("nomad_queued_allocations_unplaceable", &labels)
    };
    assert_eq!((unplaceable("size"), unplaceable("constraint")), (Some(1.0), Some(3.0)));
    assert_eq!(metrics.value("nomad_pool_clients_missing", &[("node_pool", "default")]), Some(2.0));
    let row = screen.lines().find(|line| line.starts_with("default")).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words[words.len() - 2..], ["2", "4"], "{screen}");
    assert!(page.contains("<span class=\"bad\">4</span>"), "{page}");
}

/// Free resources on several clients do not help a large allocation.
#[tokio::test(flavor = "multi_thread")]
async fn fragmented_resources_do_not_count() {
    let mut cluster = clients(4);
    cluster.submit(build("most", 3000, 100, 4));
    cluster.advance(Duration::from_secs(20));
    // 4 GHz are free, 1 GHz on each.
    cluster.submit(build("waits", 2000, 100, 2));
    let (metrics, ..) = shown(cluster).await;
    assert_eq!(metrics.value("nomad_pool_clients_missing", &[("node_pool", "default")]), Some(1.0));
}

/// A new client also runs system jobs: two builds of 2 GHz do not fit on 4 GHz, and one build of 4 GHz fits
/// on no client.
#[tokio::test(flavor = "multi_thread")]
async fn system_jobs_take_their_part_of_every_client() {
    let mut cluster = clients(2);
    cluster.submit(JobSpec::system("logs").with_resources(50, 32));
    cluster.advance(Duration::from_secs(20));
    cluster.submit(build("fills", 3000, 100, 2));
    cluster.advance(Duration::from_secs(20));
    cluster.submit(build("waits", 2000, 100, 4));
    cluster.submit(build("whole", 4000, 100, 1));
    let (metrics, ..) = shown(cluster).await;
    assert_eq!(metrics.value("nomad_pool_clients_missing", &[("node_pool", "default")]), Some(4.0));
    assert_eq!(
        metrics.sum("nomad_queued_allocations_unplaceable", &[("reason", "size")]),
        Some(1.0),
        "more clients of this size would not take it"
    );
}

/// Allocations that can run in every pool are counted as the pool `all`, after the other pools' own
/// allocations.
#[tokio::test(flavor = "multi_thread")]
async fn the_pool_of_all_nodes_counts_once() {
    let mut cluster = clients(2);
    cluster.register_node(NodeSpec { node_pool: "other".to_owned(), cpu: 4000, ..NodeSpec::new("other-1") });
    cluster.submit(build("fills", 4000, 100, 3).in_pool("all"));
    cluster.advance(Duration::from_secs(20));
    cluster.submit(build("everywhere", 3000, 100, 2).in_pool("all"));
    cluster.submit(build("too-large", 5000, 100, 1).in_pool("all"));
    let (metrics, ..) = shown(cluster).await;
    let missing = |pool| metrics.value("nomad_pool_clients_missing", &[("node_pool", pool)]);
    assert_eq!((missing("all"), missing("default"), missing("other")), (Some(2.0), Some(0.0), Some(0.0)));
    let labels = [("node_pool", "all"), ("reason", "size")];
    assert_eq!(metrics.sum("nomad_queued_allocations_unplaceable", &labels), Some(1.0));
}

/// Without the size of a client, or the requests of an allocation, there is no number.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_sizes_are_absent() {
    // Few specifications of this backlog were recorded.
    let simulator = recordings::replay("2.0.5-drain").await;
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    let shown = collector.exposition();
    assert_eq!(shown.value("nomad_pool_clients_missing", &[("node_pool", "default")]), None);
    assert!(shown.sum("nomad_queued_allocations_unsized", &[]) > Some(0.0));
    let simulator = recordings::replay("2.0.5-outcomes").await;
    let narrow = Collector::new(&simulator.url(), &["--nomad.namespace", "ci"]);
    narrow.refresh().await;
    let shown = narrow.exposition();
    assert_eq!(
        shown.find("nomad_pool_clients_missing", &[]).count(),
        0,
        "a part of what runs is no free room"
    );
    assert!(shown.find("nomad_queued_allocations_unplaceable", &[]).count() > 0);
}

/// The recorded waiting builds: one is too large, one needs another system, and others wait for capacity.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_backlog_is_split_by_reason() {
    let simulator = recordings::replay("2.0.5-outcomes").await;
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    let shown = collector.exposition();
    let unplaceable = |reason| {
        shown.sum("nomad_queued_allocations_unplaceable", &[("namespace", "ci"), ("reason", reason)])
    };
    // `wants-volume` has a constraint: no node has the volume.
    assert_eq!((unplaceable("size"), unplaceable("constraint")), (Some(1.0), Some(2.0)));
    // Five allocations of 1.5 GHz wait. Two fit on a client of 4 GHz, and no client has room for one.
    assert_eq!(shown.value("nomad_pool_clients_missing", &[("node_pool", "default")]), Some(3.0));
}
