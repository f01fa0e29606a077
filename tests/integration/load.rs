//! Collections of large clusters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use allocation_counter::measure;
use nomad_exporter::exposition::{Encoding, Format, Rendered};
use nomad_simulator::{Load, Simulator, Size};

use crate::support::collect::Collector;

/// Collects a cluster of this size once. On a busy machine, long lists and fifty clients need more time than the defaults,
/// and data may be minutes old until it is rendered.
async fn collected(size: Size, dead_factor: u64) -> (Simulator, Collector) {
    let simulator = Simulator::start(Load::new(size, dead_factor).into()).await.unwrap();
    let patient = ["--nomad.timeout=60s", "--collect.client-timeout=60s", "--collect.max-age-intervals=60"];
    let collector = Collector::new(&simulator.url(), &patient);
    collector.refresh().await;
    let shown = collector.exposition();
    let up: Vec<_> = shown.find("nomad_exporter_collector_up", &[]).collect();
    assert!(up.iter().all(|up| up.value == 1.0), "{up:?}");
    (simulator, collector)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_allocation_and_node_is_counted() {
    let (_simulator, collector) = collected(Size::S, 1).await;
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

/// Ten times the dead jobs cost a live refresh nothing, and add no series.
#[tokio::test(flavor = "multi_thread")]
async fn history_adds_no_series_and_no_cost_to_a_live_refresh() {
    let (_one, few) = collected(Size::S, 1).await;
    let (_ten, many) = collected(Size::S, 10).await;
    let (few, many) = (few.exposition(), many.exposition());
    assert_eq!(many.sum("nomad_jobs", &[("status", "dead")]), Some(50_000.0));
    // The exporter's own series depend on request durations.
    assert_eq!(few.sum("nomad_exporter_series", &[]), many.sum("nomad_exporter_series", &[]));
    for collector in ["jobs", "allocations", "nodes", "evaluations"] {
        let rows = |shown: &crate::support::exposition::Exposition| {
            shown.sum("nomad_exporter_collector_objects", &[("collector", collector)])
        };
        assert_eq!(rows(&few), rows(&many), "{collector}");
    }
}

/// While nothing changes in the cluster, nodes and live allocations are requested but not decoded; their
/// metrics stay fresh.
#[tokio::test(flavor = "multi_thread")]
async fn unchanged_lists_are_not_decoded_again() {
    let simulator = Simulator::start(Load::new(Size::S, 1).quiet().into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    let (before, first) = (collector.snapshot().sections, collector.exposition());
    collector.refresh().await;
    collector.refresh().await;
    let (after, shown) = (collector.snapshot().sections, collector.exposition());
    assert!(Arc::ptr_eq(before.nodes.as_ref().unwrap(), after.nodes.as_ref().unwrap()));
    assert!(Arc::ptr_eq(before.allocations.as_ref().unwrap(), after.allocations.as_ref().unwrap()));
    for family in ["nomad_nodes", "nomad_node_allocations", "nomad_allocations", "nomad_jobs"] {
        assert_eq!(first.sum(family, &[]), shown.sum(family, &[]), "{family}");
    }
    for collector in ["nodes", "allocations"] {
        let of = |family| shown.sum(family, &[("collector", collector)]);
        assert_eq!(of("nomad_exporter_collector_up"), Some(1.0));
        assert_eq!(
            of("nomad_exporter_collector_objects"),
            first.sum("nomad_exporter_collector_objects", &[("collector", collector)])
        );
    }
}

/// The ages of pending jobs grow even while no job changes and no list of jobs is sent.
#[tokio::test(flavor = "multi_thread")]
async fn pending_jobs_grow_old_without_a_list() {
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let clock = || SystemTime::now() + Duration::from_secs(PASSED.load(Ordering::Relaxed));
    let simulator = Simulator::start(Load::new(Size::S, 1).quiet().into()).await.unwrap();
    let collector = Collector::with_clock(&simulator.url(), &[], clock);
    let over_an_hour = || {
        let shown = collector.exposition();
        let count = |bound| shown.sum("nomad_pending_jobs_age_seconds_bucket", &[("le", bound)]).unwrap();
        count("+Inf") - count("3600.0")
    };
    // The first list causes the exporter to read the allocations of pending jobs; the second has nothing new.
    collector.refresh().await;
    collector.refresh().await;
    assert_eq!(over_an_hour(), 0.0);
    simulator.clear_requests();
    PASSED.store(2 * 3600, Ordering::Relaxed);
    collector.refresh().await;
    let of_jobs = simulator.requests().into_iter().filter(|request| request.path == "/v1/jobs");
    assert!(of_jobs.into_iter().all(|request| request.query.contains("per_page=1")));
    assert_eq!(over_an_hour(), 25.0);
}

/// Rendering writes into one buffer, so its allocations do not grow with the number of nodes.
#[tokio::test(flavor = "multi_thread")]
async fn rendering_allocates_no_more_for_more_nodes() {
    let mut allocations = Vec::new();
    for size in [Size::S, Size::M] {
        let (_simulator, collector) = collected(size, 1).await;
        let first = collector.render();
        first.bytes(Format::OpenMetrics, Encoding::Identity);
        let (snapshot, own) = (Arc::new(collector.snapshot()), collector.own());
        let selection = nomad_exporter::metrics::Selection::default();
        let counted = measure(|| drop(Rendered::new(snapshot, own, selection, Some(&first))));
        allocations.push(counted.count_total);
    }
    let [small, large] = allocations[..] else { panic!("two sizes") };
    // A few per metric; a metric with allocations per node would add a thousand.
    let families = nomad_exporter::metrics::families().count();
    assert!(small <= 7 * families as u64, "{small} allocations for {families} metrics");
    assert!(small.abs_diff(large) <= 20, "{small} and, with twenty times the nodes, {large} allocations");
}
