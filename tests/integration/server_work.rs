//! Cost of a refresh for Nomad's servers: filtered and sent rows, counted by the simulated cluster of size M.
//! Times are not measured.

use nomad_exporter::collect::COLLECTORS;
use nomad_simulator::{Fault, Load, Simulator, Size, Work};

use crate::support::collect::Collector;

/// Collectors that are not read in every interval.
const LIVE: [&str; 6] = [
    "--no-collector.namespaces",
    "--no-collector.token",
    "--no-collector.finished_jobs",
    "--no-collector.finished_allocations",
    "--no-collector.task_states",
    "--no-collector.host_stats",
];
/// Collectors that are not history.
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

/// Returns the requests of one refresh after this number of others, and their cost.
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

/// Returns the number of enabled collectors: all except those with a request per allocation or node, and
/// those that the flags disable.
fn up(arguments: &[&str]) -> f64 {
    (COLLECTORS.len() - 2 - arguments.len()) as f64
}

fn work(filtered: u64, compared: u64, sent: u64) -> Work {
    Work { filtered, compared, sent }
}

/// Jobs and allocations are filtered once each: there are 55,000 of both. Evaluations, one per job and one
/// more per waiting job, are compared with two statuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_refresh_of_a_busy_cluster() {
    let (requests, cost) = cost_after(4, Load::new(Size::M, 1), &LIVE).await;
    assert_eq!(requests, 10);
    assert_eq!(cost, work(55_003 + 55_000, 2 * 55_250, 5_003 + 5_000 + 1_000 + 250 + 1));
}

/// While nothing changes, one row is requested instead of each long list.
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

/// A probe of a changed list costs an additional request: after two of them in a row, there are no more
/// probes until the list is unchanged once.
#[tokio::test(flavor = "multi_thread")]
async fn probes_are_few_where_all_changes() {
    let simulator = Simulator::start(Load::new(Size::S, 1).into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &LIVE);
    // There are few nodes and evaluations in this size, so probes for them depend on response times.
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
    // After the first list of jobs, the exporter also reads the allocations of pending jobs, which changes
    // the second list.
    assert_eq!(so_far, [0, 1, 3, 4, 4, 4, 4]);
    // Once a list is unchanged, it is probed again.
    simulator.faults().set("/v1/", Fault::Index(2_000_000));
    for _ in 0..3 {
        collector.refresh().await;
    }
    assert_eq!(probes(), 6);
}
