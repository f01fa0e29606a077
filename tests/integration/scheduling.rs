//! Schedule of the collectors, with a clock controlled by tests.

use std::time::{Duration, Instant};

use nomad_exporter::collect;
use nomad_exporter::config::{self, Config};
use nomad_exporter::snapshot::CollectorId;
use nomad_simulator::{Fault, Load, Simulator, Size};

use crate::support::collect::{Collector, only};
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
        // Refreshes can take long on a busy machine.
        "--collect.duty-cycle",
        "1",
        "--nomad.timeout",
        "1h",
        "--no-collector.host_stats",
        // Before a stream, the index of the namespaces is requested.
        "--collect.events=off",
    ];
    let collector = Collector::new(&simulator.url(), &arguments);
    let running = collector.start().await;
    let live = || lists(&simulator.requests(), "/v1/nodes", "");
    let history = || lists(&simulator.requests(), "/v1/namespaces", "");
    // Simulated time advances in steps, with enough real time for a refresh between them.
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
    assert!((3..=at_most(10 * INTERVAL)).contains(&history()), "{} of history in {passed:?}", history());
    assert!(live() > 4 * history(), "{} live lists, {} of history", live(), history());
}

/// An expensive collector is read less often: 5 % of the time are 3 s of every minute.
#[test]
fn collectors_stay_within_their_duty_cycle() {
    let args = config::parse(["nomad-exporter"]).unwrap();
    let settings = Config::new(args, &|_| None).unwrap().collect;
    let after = |name, seconds| {
        collect::collector(name).interval_after(Duration::from_secs(seconds), &settings).as_secs()
    };
    let finished = |seconds| after(CollectorId::FinishedJobs, seconds);
    assert_eq!([finished(2), finished(3), finished(9)], [60, 60, 180]);
    assert_eq!([after(CollectorId::Jobs, 0), after(CollectorId::Jobs, 3)], [15, 60]);
    assert_eq!(after(CollectorId::HostStats, 50), 60, "what is spread over the interval");
}

/// A live list that the servers respond to slowly is read less often, and the interval metric shows it. A
/// single slow response does not count.
#[tokio::test(flavor = "multi_thread")]
async fn live_lists_that_take_the_servers_long_are_read_less_often() {
    // The lists always change, so no probe saves a request.
    let simulator = Simulator::start(Load::new(Size::S, 1).into()).await.unwrap();
    let others_off = only(&["servers", "jobs", "allocations"]);
    let others_off: Vec<_> = others_off.iter().map(String::as_str).collect();
    let collector = Collector::new(&simulator.url(), &others_off);
    let interval = || {
        let labels = [("collector", "allocations")];
        collector.exposition().value("nomad_exporter_collector_interval_seconds", &labels).unwrap()
    };
    collector.refresh().await;
    simulator.faults().set("/v1/allocations", Fault::Delay(Duration::from_secs(1)));
    let began = Instant::now();
    collector.refresh().await;
    let last = began.elapsed().as_secs_f64();
    assert_eq!(interval(), 15.0, "it may never come again");
    let began = Instant::now();
    collector.refresh().await;
    // The response took at least 1 s, and at most as long as the refresh, which may be long on a busy machine.
    let longest = began.elapsed().as_secs_f64().max(last) / 0.05;
    assert!((20.0..=longest).contains(&interval()), "1 s and a little are 5 % of {} s", interval());
    simulator.faults().clear();
    collector.refresh().await;
    assert_eq!(interval(), 15.0, "it is over");
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

/// A server that ignores the parameter `status` sends everything twice; it must be counted once.
#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_status_changes_no_number() {
    let old = recordings::replay("1.1.18").await;
    let of = async |arguments: &[&str]| {
        let collector = Collector::new(&old.url(), &[&["--nomad.namespace", "ci"], arguments].concat());
        collector.refresh().await;
        let shown = collector.exposition();
        let families =
            ["nomad_blocked_evaluations", "nomad_pending_evaluations", "nomad_delayed_evaluations"];
        families.map(|family| shown.sum(family, &[]))
    };
    let known = of(&[]).await;
    old.clear_requests();
    let unknown = of(&["--no-collector.servers"]).await;
    assert_eq!(lists(&old.requests(), "/v1/evaluations", "status="), 2);
    assert_eq!(known, unknown);
    assert!(known.iter().flatten().sum::<f64>() > 0.0, "{known:?}");
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
