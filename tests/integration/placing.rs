//! What of the backlog more clients would take, and what none could: on clusters whose answer is plain.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_exporter::commands::{Status, Terminal};
use nomad_exporter::snapshot::Trends;
use nomad_exporter::web::status_page;
use nomad_simulator::Simulator;
use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings};

use crate::support::collect::Collector;
use crate::support::recordings;

/// What is shown of a cluster: its metrics, the screen and the page.
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

/// A cluster of clients with 4 GHz and 8 GiB each, less what a system job takes.
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

/// One build that requests 90 GHz fits nowhere; four that request 2 GHz take two clients. Divisible at will, all of it would
/// take 26.
#[tokio::test(flavor = "multi_thread")]
async fn what_fits_nowhere_takes_no_clients() {
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

/// Free in all is not free on one client.
#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_room_are_no_room() {
    let mut cluster = clients(4);
    cluster.submit(build("most", 3000, 100, 4));
    cluster.advance(Duration::from_secs(20));
    // 4 GHz are free, 1 GHz on each.
    cluster.submit(build("waits", 2000, 100, 2));
    let (metrics, ..) = shown(cluster).await;
    assert_eq!(metrics.value("nomad_pool_clients_missing", &[("node_pool", "default")]), Some(1.0));
}

/// What may run in every pool is counted under its own name, for what the others leave.
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

/// What is not known makes no number: a client's size, or what an allocation requests.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_is_absent() {
    // Of this backlog few specifications were recorded.
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

/// The recorded builds that wait: one is too large, one wants another system, and others wait for room.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_backlog_is_told_apart() {
    let simulator = recordings::replay("2.0.5-outcomes").await;
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    let shown = collector.exposition();
    let unplaceable = |reason| {
        shown.sum("nomad_queued_allocations_unplaceable", &[("namespace", "ci"), ("reason", reason)])
    };
    // `wants-volume` has a constraint of its own: no node has its volume.
    assert_eq!((unplaceable("size"), unplaceable("constraint")), (Some(1.0), Some(2.0)));
    // Five allocations of 1.5 GHz wait, two of which fill a client of 4 GHz, and no client has room for one.
    assert_eq!(shown.value("nomad_pool_clients_missing", &[("node_pool", "default")]), Some(3.0));
}
