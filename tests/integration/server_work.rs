//! Cost of a refresh for Nomad's servers: rows that filters evaluate and rows that are sent, counted by the
//! simulated cluster of size M. No time is measured.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_exporter::collect::COLLECTORS;
use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings};
use nomad_simulator::{Fault, Load, SharedCluster, Simulator, Size, Work};

use crate::ledger::slow_lists;
use crate::support::collect::Collector;

/// Flags that leave only the collectors that run every interval.
const LIVE: [&str; 6] = [
    "--no-collector.namespaces",
    "--no-collector.token",
    "--no-collector.finished_jobs",
    "--no-collector.finished_allocations",
    "--no-collector.task_states",
    "--no-collector.host_stats",
];
/// Flags that leave only the history collectors.
const HISTORY: [&str; 11] = [
    "--no-collector.jobs",
    "--no-collector.nodes",
    "--no-collector.allocations",
    "--no-collector.evaluations",
    "--no-collector.specifications",
    "--no-collector.drains",
    "--no-collector.host_stats",
    "--no-collector.deployments",
    "--no-collector.leader",
    "--no-collector.autopilot",
    "--no-collector.scheduler",
];

/// Returns the number of requests and the cost of one refresh after a number of earlier refreshes.
async fn cost_after(refreshes: usize, load: Load, arguments: &[&str]) -> (usize, Work) {
    let simulator = Simulator::start(load.into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), arguments);
    for _ in 0..refreshes {
        collector.refresh().await;
    }
    simulator.clear_requests();
    collector.refresh().await;
    assert_eq!(collector.exposition().sum("nomad_exporter_collector_up", &[]), Some(up(arguments)));
    (simulator.requests().len(), simulator.work())
}

/// Returns the number of enabled collectors: all except those that send a request per allocation or node and
/// those that the flags disable.
fn up(arguments: &[&str]) -> f64 {
    (COLLECTORS.len() - 2 - arguments.len()) as f64
}

fn work(filtered: u64, compared: u64, sent: u64) -> Work {
    Work { filtered, compared, sent, single: 0 }
}

/// Filters evaluate each job and each allocation once; there are 55,000 of each. Evaluations are compared
/// with two statuses; there is one per job and one more per waiting job.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_refresh_of_a_busy_cluster() {
    let (requests, cost) = cost_after(4, Load::new(Size::M, 1), &LIVE).await;
    assert_eq!(requests, 10);
    assert_eq!(cost, work(55_003 + 55_000, 2 * 55_250, 5_003 + 5_000 + 1_000 + 250 + 1));
}

/// If nothing changes, one row is requested instead of each long list.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_refresh_of_a_cluster_at_rest() {
    let (requests, cost) = cost_after(2, Load::new(Size::M, 1).quiet(), &LIVE).await;
    assert_eq!(requests, 9);
    assert_eq!(cost, work(0, 0, 4 + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn history() {
    let (requests, cost) = cost_after(0, Load::new(Size::M, 1), &HISTORY).await;
    assert_eq!((requests, cost), (6, work(55_003 + 2 * 55_000, 0, 2 * 50_000 + 5_000 + 4)));
    let (requests, cost) = cost_after(1, Load::new(Size::M, 1).quiet(), &HISTORY).await;
    assert_eq!((requests, cost), (6, work(0, 0, 3 + 4)));
}

/// Returns the number of requests and the cost of a minute with 300 builds, in a cluster that retains a few thousand.
async fn minute_of_builds(follow: bool) -> (usize, Work) {
    let mut cluster = Cluster::new(Settings::default());
    cluster.create_namespace("ci");
    for number in 0..40 {
        cluster.register_node(NodeSpec::new(&format!("client-{number}")));
    }
    let build = |number: u64| {
        let build = JobSpec::batch(&format!("build-{number}")).in_namespace("ci").with_resources(200, 64);
        build.running_for(Duration::from_secs(20 + number % 90))
    };
    let mut number = 0;
    let mut builds = |cluster: &mut Cluster, count: u64| {
        for _ in 0..count {
            cluster.submit(build(number));
            number += 1;
            cluster.advance(Duration::from_millis(200));
        }
    };
    // After these, the load is steady.
    builds(&mut cluster, 3000);
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &[&LIVE[..], &["--collect.events=auto"]].concat());
    collector.refresh().await;
    if follow {
        // So that no list is cheaper than the rows of 75 builds.
        slow_lists(&simulator, Duration::from_millis(500));
        collector.follow().await;
    }
    for _ in 0..2 {
        builds(&mut cluster.lock().unwrap(), 75);
        collector.refresh().await;
    }
    simulator.clear_requests();
    for _ in 0..4 {
        builds(&mut cluster.lock().unwrap(), 75);
        collector.refresh().await;
    }
    let (work, requests) = (simulator.work(), simulator.requests().len());
    eprintln!("300 builds in a minute, events: {follow}; {requests} requests, {work:?}");
    (requests, work)
}

/// With events, the cost of a minute depends on the number of builds, and not on the number of existing objects. Rows that
/// a filter evaluates and rows that are sent cost 5 and 14 us, as in docs/performance.md.
#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_builds() {
    let ((_, lists), (mut requests, mut events)) =
        (minute_of_builds(false).await, minute_of_builds(true).await);
    for attempt in 1..3 {
        if (events.filtered, events.compared) == (0, 0) {
            break;
        }
        // On a busy machine, events may come later than a refresh waits for them. Then it requests the list.
        eprintln!("attempt {attempt}: {events:?}");
        (requests, events) = minute_of_builds(true).await;
    }
    let micros = |work: &Work| 5 * work.filtered + 14 * work.sent;
    assert!(lists.filtered > 20_000, "{lists:?}");
    assert!(lists.compared > 20_000, "{lists:?}");
    assert_eq!((events.filtered, events.compared), (0, 0));
    assert!(micros(&events) < micros(&lists) / 2 && requests < 2_000, "{events:?} by {requests} requests");
}

/// A probe that finds a change is an extra request. After two of them in a row, no probes are sent until a
/// list is unchanged.
#[tokio::test(flavor = "multi_thread")]
async fn probes_are_few_where_all_changes() {
    let simulator = Simulator::start(Load::new(Size::S, 1).into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &LIVE);
    // The lists of nodes and evaluations are short in this size. Whether they are probed depends on how long
    // they take.
    let probes = || {
        let requests = simulator.requests().into_iter();
        let long =
            requests.filter(|request| ["/v1/jobs", "/v1/allocations"].contains(&request.path.as_str()));
        long.filter(|request| request.query.contains("per_page=1")).count()
    };
    let mut so_far = Vec::new();
    for _ in 0..7 {
        collector.refresh().await;
        so_far.push(probes());
    }
    // The first list of jobs determines whose allocations to search for, so the second list of allocations
    // cannot be skipped.
    assert_eq!(so_far, [0, 1, 3, 4, 4, 4, 4]);
    // Without changes, an unchanged list enables probes again.
    simulator.faults().set("/v1/", Fault::Index(2_000_000));
    for _ in 0..3 {
        collector.refresh().await;
    }
    assert_eq!(probes(), 6);
}
