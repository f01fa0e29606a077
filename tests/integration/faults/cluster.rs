//! Faults of the cluster: no leader, restarts, hanging clients.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings};
use nomad_simulator::{Fault, SharedCluster, Simulator};

use super::driver::{SOON, Watched, blocking, is_well, lines};
use crate::support::collect::Collector;
use crate::support::exposition::Exposition;
use crate::support::process::wait_until;
use crate::support::recordings;
use crate::support::scrape::{metrics, status};

fn cluster(clients: usize, builds: usize) -> Cluster {
    let mut cluster = Cluster::new(Settings::default());
    for number in 1..=clients {
        cluster.register_node(NodeSpec::new(&format!("client-{number}")));
    }
    for number in 0..builds {
        cluster.submit(JobSpec::batch(&format!("build-{number}")).running_for(Duration::from_secs(3600)));
    }
    cluster.advance(Duration::from_secs(10));
    cluster
}

/// There is no leader half of the time: no metric is dropped, and the log stays short.
#[tokio::test(flavor = "multi_thread")]
async fn repeated_elections() {
    // Longer without a leader than requests are retried, so that some of them certainly fail.
    const PERIOD: Duration = Duration::from_secs(2);
    const LINES: usize = 3;
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    let watched = blocking(move || {
        Watched::start(&nomad, &["--log.max-changes", "3", "--collect.max-age-intervals", "12"])
    })
    .await;
    let lost = Fault::Status { code: 500, body: "rpc error: No cluster leader".into() };
    simulator.faults().set("", Fault::Intermittent { period: PERIOD, fault: Box::new(lost) });
    let watched = blocking(move || {
        let (url, began) = (&watched.exporter.url, Instant::now());
        let (mut scrapes, mut downs) = (0, 0);
        while began.elapsed() < 4 * PERIOD {
            let shown = metrics(url);
            assert!(shown.find("nomad_jobs", &[]).count() > 0 && status(url, "/-/ready") == "200");
            scrapes += 1;
            downs += u32::from(shown.value("nomad_up", &[]) == Some(0.0));
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(downs > 0, "the elections were not noticed");
        let log = watched.exporter.log();
        for level in ["level=info", "level=warn"] {
            assert!(lines(&log, level, "jobs") <= LINES, "{log}");
        }
        eprintln!("| leader elections every 2 s | no series missing in {scrapes} scrapes, {downs} of them with nomad_up 0 |");
        watched
    })
    .await;
    simulator.faults().clear();
    blocking(move || {
        wait_until(SOON, "recovery", || is_well(&metrics(&watched.exporter.url)));
        watched.check_figures("elections");
    })
    .await;
}

/// Returns a cluster whose builds have ended, after this number of seconds. Two of them differ only by time.
fn history(seconds: u64) -> Cluster {
    let mut cluster = Cluster::new(Settings::default());
    cluster.register_node(NodeSpec::new("client-1"));
    for number in 0..5 {
        let build = JobSpec::batch(&format!("build-{number}")).with_resources(100, 64);
        cluster.submit(build.running_for(Duration::from_secs(60)));
    }
    cluster.advance(Duration::from_secs(seconds));
    cluster
}

/// A server may lag behind although it has recent contact with its leader. Its data must not make ended jobs
/// end again when the other servers respond.
#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_server_brings_nothing_back() {
    let shared: SharedCluster = Arc::new(Mutex::new(history(30)));
    let simulator = Simulator::start(shared.clone().into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &["--nomad.timeout", "1s"]);
    let shown = async |cluster: Cluster| {
        *shared.lock().unwrap() = cluster;
        // The outcome of a job comes from a list that is read after the job was seen dead.
        collector.refresh().await;
        collector.refresh().await;
        collector.exposition()
    };
    let completed =
        |shown: &Exposition| shown.sum("nomad_job_completions_total", &[("outcome", "complete")]).unwrap();
    let up = |shown: &Exposition, collector| {
        shown.value("nomad_exporter_collector_up", &[("collector", collector)]).unwrap()
    };
    let before = shown(history(30)).await;
    assert_eq!((completed(&before), before.value("nomad_up", &[])), (0.0, Some(1.0)));
    assert_eq!(completed(&shown(history(120)).await), 5.0);

    let behind = shown(history(30)).await;
    assert_eq!(completed(&behind), 5.0);
    for collector in ["jobs", "finished_jobs", "allocations", "finished_allocations"] {
        assert_eq!(up(&behind, collector), 0.0, "{collector}");
    }
    // Nothing has changed there since.
    assert_eq!((up(&behind, "nodes"), up(&behind, "namespaces")), (1.0, 1.0));
    let refused = [("endpoint", "jobs"), ("reason", "stale")];
    assert_eq!(behind.value("nomad_exporter_api_requests_total", &refused), Some(4.0));

    let after = shown(history(180)).await;
    assert_eq!((completed(&after), after.value("nomad_up", &[])), (5.0, Some(1.0)));
}

/// With two addresses, the other one is used.
#[tokio::test(flavor = "multi_thread")]
async fn another_address_is_used_if_one_lags_behind() {
    let [first, second] = [history(30), history(120)].map(|cluster| Arc::new(Mutex::new(cluster)));
    let behind = Simulator::start(first.into()).await.unwrap();
    let ahead = Simulator::start(second.into()).await.unwrap();
    let addresses = format!("{},{}", behind.url(), ahead.url());
    let collector = Collector::new(&addresses, &[]);
    behind.faults().set("", Fault::Close);
    collector.refresh().await;
    behind.faults().clear();
    ahead.faults().set("", Fault::Close);
    collector.refresh().await;
    assert!(collector.exposition().value("nomad_up", &[]) == Some(0.0));
    ahead.faults().clear();
    collector.refresh().await;
    let shown = collector.exposition();
    assert_eq!(shown.value("nomad_up", &[]), Some(1.0));
    assert_eq!(shown.sum("nomad_jobs", &[("status", "dead")]), Some(5.0));
}

/// The new cluster has other jobs and nodes, and a lower index. At first it looks like a server that lags
/// behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_a_lower_index() {
    let old = Simulator::start(cluster(6, 40).into()).await.unwrap();
    let url = old.url();
    let address = url.trim_start_matches("http://").parse().unwrap();
    let watched = blocking(move || Watched::start(&url, &["--collect.max-age-intervals", "30"])).await;
    let running = |shown: &Exposition| shown.sum("nomad_jobs", &[("status", "running")]);
    let before = metrics(&watched.exporter.url);
    assert_eq!(before.find("nomad_node_info", &[]).count(), 6);
    assert!(running(&before) > Some(2.0));
    old.stop().await;

    // Its builds had ended before it was first read.
    let mut new = history(120);
    (0..2).for_each(|number| drop(new.submit(JobSpec::batch(&format!("other-{number}")))));
    new.advance(Duration::from_secs(1));
    let _new = Simulator::start_on(address, new.into()).await.unwrap();
    blocking(move || {
        let url = &watched.exporter.url;
        wait_until(SOON, "its jobs", || running(&metrics(url)) == Some(2.0));
        wait_until(SOON, "all collectors", || is_well(&metrics(url)));
        let after = metrics(url);
        assert_eq!(after.find("nomad_node_info", &[]).count(), 1);
        assert_eq!(after.sum("nomad_jobs", &[("status", "dead")]), Some(5.0));
        assert_eq!(after.sum("nomad_job_completions_total", &[]), Some(0.0));
        assert_eq!(after.sum("nomad_job_placement_delay_seconds_count", &[]), Some(0.0));
        assert!(after.samples().iter().all(|sample| sample.value >= 0.0));
        let log = watched.exporter.log();
        assert_eq!(log.matches("the Raft indexes of Nomad went back").count(), 1, "{log}");
    })
    .await;
}

/// Four of forty clients: they are reported as not responding, and do not delay the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_of_the_clients_hang() {
    let mut model = cluster(36, 0);
    let hanging: Vec<_> =
        (0..4).map(|number| model.register_node(NodeSpec::new(&format!("hanging-{number}")))).collect();
    let simulator = Simulator::start(Arc::new(Mutex::new(model)).into()).await.unwrap();
    for node in &hanging {
        simulator.faults().set(&format!("/v1/client/stats?node_id={node}"), Fault::Hang);
    }
    let collector = Collector::new(&simulator.url(), &["--collect.client-timeout", "2s"]);
    let began = Instant::now();
    tokio::time::timeout(SOON, collector.refresh()).await.expect("requests that hang are aborted");
    let took = began.elapsed();
    let shown = collector.exposition();
    assert_eq!(shown.value("nomad_up", &[]), Some(1.0));
    assert_eq!(shown.value("nomad_exporter_collector_up", &[("collector", "host_stats")]), Some(1.0));
    assert_eq!(shown.sum("nomad_node_host_stats_up", &[]), Some(36.0));
    assert_eq!(shown.find("nomad_node_host_stats_up", &[]).count(), 40);

    simulator.faults().clear();
    collector.refresh().await;
    assert_eq!(collector.exposition().sum("nomad_node_host_stats_up", &[]), Some(40.0));
    eprintln!(
        "| 4 of 40 clients hang | all collectors refreshed in {took:.1?}, 36 of 40 hosts shown; 40 with the next refresh |"
    );
}

/// The exporter requests the configured region at every address.
#[tokio::test(flavor = "multi_thread")]
async fn the_region_is_requested_at_every_address() {
    let (first, second) = (recordings::replay("2.0.5").await, recordings::replay("2.0.5").await);
    let addresses = format!("{},{}", first.url(), second.url());
    let collector = Collector::new(&addresses, &["--nomad.region", "global"]);
    collector.refresh().await;
    first.faults().set("", Fault::Status { code: 500, body: "No path to region".into() });
    collector.refresh().await;
    assert_eq!(collector.exposition().value("nomad_up", &[]), Some(1.0));
    for (simulator, least) in [(&first, 10), (&second, 10)] {
        let requests = simulator.requests();
        assert!(requests.len() > least);
        assert!(requests.iter().all(|request| request.query.contains("region=global")), "{requests:?}");
    }
}
