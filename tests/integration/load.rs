//! Large clusters, collected whole.

use nomad_simulator::{Load, Simulator, Size};

use crate::support::collect::Collector;

async fn collected(dead_factor: u64) -> (Simulator, Collector) {
    let simulator = Simulator::start(Load::new(Size::S, dead_factor).into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    (simulator, collector)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_allocation_and_node_is_counted() {
    let (_simulator, collector) = collected(1).await;
    let shown = collector.exposition();
    let sum = |family: &str, labels: &[(&str, &str)]| shown.sum(family, labels);
    assert_eq!(sum("nomad_up", &[]), Some(1.0));
    assert_eq!(sum("nomad_jobs", &[("status", "dead")]), Some(5_000.0));
    assert_eq!(sum("nomad_jobs", &[("status", "pending")]), Some(25.0));
    assert_eq!(sum("nomad_jobs", &[("status", "running")]), Some(475.0));
    assert_eq!(sum("nomad_allocations", &[("client_status", "running")]), Some(500.0));
    assert_eq!(sum("nomad_nodes", &[("state", "active")]), Some(50.0));
    assert_eq!(sum("nomad_node_host_stats_up", &[]), Some(50.0));
}

/// Ten times the dead jobs cost a live refresh nothing, and are no series.
#[tokio::test(flavor = "multi_thread")]
async fn history_is_neither_series_nor_part_of_a_live_refresh() {
    let (_one, few) = collected(1).await;
    let (_ten, many) = collected(10).await;
    let (few, many) = (few.exposition(), many.exposition());
    assert_eq!(many.sum("nomad_jobs", &[("status", "dead")]), Some(50_000.0));
    // The exporter's own series depend on how long requests took.
    assert_eq!(few.sum("nomad_exporter_series", &[]), many.sum("nomad_exporter_series", &[]));
    for source in ["jobs", "allocations", "nodes", "evaluations"] {
        let rows = |shown: &crate::support::exposition::Exposition| {
            shown.sum("nomad_exporter_source_objects", &[("source", source)])
        };
        assert_eq!(rows(&few), rows(&many), "{source}");
    }
}
