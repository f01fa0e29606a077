//! Schedule of the collectors, with a clock controlled by tests.

use std::time::Duration;

use nomad_exporter::collect;
use nomad_exporter::config::{self, Config};
use nomad_exporter::snapshot::CollectorId;
use nomad_simulator::Fault;

use crate::support::collect::Collector;
use crate::support::recordings;

fn lists(requests: &[nomad_simulator::LoggedRequest], path: &str, filter: &str) -> usize {
    let matches =
        |request: &&nomad_simulator::LoggedRequest| request.path == path && request.query.contains(filter);
    requests.iter().filter(matches).count()
}

/// Live lists are read every interval, history less often, and never twice concurrently.
#[tokio::test]
async fn live_collectors_are_read_more_often_than_history() {
    const INTERVAL: Duration = Duration::from_secs(60);
    let simulator = recordings::replay("2.0.5").await;
    let arguments = [
        "--collect.interval",
        "60s",
        "--collect.history-interval",
        "10m",
        // However long a refresh takes on a busy machine.
        "--collect.history-duty-cycle",
        "1",
        "--nomad.timeout",
        "1h",
        "--no-collector.host_stats",
    ];
    let collector = Collector::new(&simulator.url(), &arguments);
    let running = collector.start().await;
    let live = || lists(&simulator.requests(), "/v1/jobs", "%21%3D");
    let dead = || lists(&simulator.requests(), "/v1/jobs", "%3D%3D");
    // Time passes in steps, with as much real time in between as a refresh needs.
    let mut passed = Duration::ZERO;
    while live() <= 25 {
        tokio::time::pause();
        tokio::time::advance(INTERVAL / 6).await;
        tokio::time::resume();
        passed += INTERVAL / 6;
        assert!(passed < 100 * INTERVAL, "{} live lists in {passed:?}", live());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.abort();
    let at_most = |interval: Duration| passed.div_duration_f64(interval) as usize + 2;
    assert!(live() <= at_most(INTERVAL), "{} live lists in {passed:?}", live());
    assert!((3..=at_most(10 * INTERVAL)).contains(&dead()), "{} lists of dead jobs in {passed:?}", dead());
    assert!(live() > 4 * dead(), "{} live lists, {} of dead jobs", live(), dead());
}

/// Expensive history is read less often: 5 % of the time is 3 s per minute.
#[test]
fn history_stays_within_its_duty_cycle() {
    let args = config::parse(["nomad-exporter"]).unwrap();
    let settings = Config::new(args, &|_| None).unwrap().collect;
    let after = |name, seconds| {
        collect::collector(name).interval_after(Duration::from_secs(seconds), &settings).as_secs()
    };
    let finished = |seconds| after(CollectorId::FinishedJobs, seconds);
    assert_eq!([finished(2), finished(3), finished(9)], [60, 60, 180]);
    assert_eq!([after(CollectorId::Jobs, 9), after(CollectorId::HostStats, 50)], [15, 60]);
}

/// If filters are ignored, one full list serves both.
#[tokio::test(flavor = "multi_thread")]
async fn old_servers_get_one_request_for_live_and_dead_jobs() {
    let simulator = recordings::replay("1.1.18").await;
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    let requests = simulator.requests();
    for path in ["/v1/jobs", "/v1/allocations"] {
        assert_eq!(lists(&requests, path, ""), 1, "{path}");
        assert_eq!(lists(&requests, path, "filter"), 0, "{path}");
    }
    let shown = collector.exposition();
    assert_eq!(shown.sum("nomad_jobs", &[("status", "dead")]), Some(12.0));
    // Evaluations are requested by namespace, because `*` would find none.
    assert_eq!(lists(&requests, "/v1/evaluations", "namespace=ci"), 1);
    assert_eq!(lists(&requests, "/v1/evaluations", "namespace=default"), 1);
}

/// A server that is expected to filter but does not sends a larger response, not a wrong one.
#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_filter_changes_no_number() {
    let old = recordings::replay("1.1.18").await;
    let known = Collector::new(&old.url(), &[]);
    known.refresh().await;
    old.faults().set("/v1/agent/members", Fault::Status { code: 403, body: "Permission denied".into() });
    let unknown = Collector::new(&old.url(), &["--no-collector.servers"]);
    unknown.refresh().await;
    for family in ["nomad_jobs", "nomad_allocations", "nomad_node_allocated_cpu_hertz", "nomad_jobs_finished"]
    {
        let of = |collector: &Collector| collector.exposition().sum(family, &[]);
        assert_eq!(of(&known), of(&unknown), "{family}");
    }
}

/// The settings of a drain are read once, until the node changes.
#[tokio::test(flavor = "multi_thread")]
async fn drains_are_read_when_they_change() {
    let simulator = recordings::replay("2.0.5-drain").await;
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    collector.refresh().await;
    let of_nodes = |ending: &str| {
        let requests = simulator.requests();
        let of_nodes = requests.iter().filter(|request| request.path.starts_with("/v1/node/"));
        of_nodes
            .filter(|request| request.path.ends_with("/allocations") == (ending == "/allocations"))
            .count()
    };
    assert_eq!(of_nodes(""), 1, "the drain's settings are read once");
    assert_eq!(of_nodes("/allocations"), 2, "its allocations are read with every refresh");
    let shown = collector.exposition();
    let started = shown.value("nomad_node_drain_started_timestamp_seconds", &[("node", "client-a")]).unwrap();
    let deadline =
        shown.value("nomad_node_drain_deadline_timestamp_seconds", &[("node", "client-a")]).unwrap();
    assert!((deadline - started - 7200.0).abs() < 2.0, "a drain of two hours");
}
