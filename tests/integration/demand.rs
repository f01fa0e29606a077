//! Resources requested by queued allocations.

use std::time::Duration;

use nomad_simulator::Fault;
use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings};
use nomad_simulator::{SharedCluster, Simulator};

use crate::support::collect::{Collector, collect};
use crate::support::exposition::Exposition;
use crate::support::recordings;

const MIB: f64 = 1024.0 * 1024.0;

/// Returns a specification with one group `build` with one task, in Nomad's format.
fn specification(cpu: u64, memory_mb: u64) -> Fault {
    let job = serde_json::json!({"TaskGroups": [{"Name": "build", "EphemeralDisk": {"SizeMB": 300},
        "Tasks": [{"Name": "build-agent", "Lifecycle": null,
                   "Resources": {"CPU": cpu, "Cores": 0, "MemoryMB": memory_mb, "MemoryMaxMB": 0}}]}]});
    Fault::Body(job.to_string().into())
}

/// Returns the requested CPU in MHz, memory in MiB and disk in MiB.
fn asked(shown: &Exposition, namespace: &str, pool: &str) -> (f64, f64, f64) {
    let of = |family: &str| shown.value(family, &[("namespace", namespace), ("node_pool", pool)]).unwrap();
    let (cpu, memory) = (of("nomad_queued_cpu_hertz"), of("nomad_queued_memory_bytes"));
    (cpu / 1e6, memory / MIB, of("nomad_queued_disk_bytes") / MIB)
}

/// Uses the recorded cluster. Of its waiting jobs, only the specification of build-backlog was recorded; the
/// others are added here, with the resources that their blocked evaluations report as exhausted.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_backlog_adds_up() {
    let simulator = recordings::replay("2.0.5").await;
    for (job, cpu, memory) in [
        ("build-huge-mem", 100, 64_000),
        ("build-huge-cpu", 90_000, 256),
        ("build-constraint", 100, 128),
        ("build-pool-b", 900, 1024),
    ] {
        simulator.faults().set(&format!("/v1/job/{job}?"), specification(cpu, memory));
    }
    let shown = collect(&simulator.url(), &[]).await;
    // One allocation of each of the first three, and ten of build-backlog with 1500 MHz and 2048 MiB each.
    let cpu = 100.0 + 90_000.0 + 100.0 + 10.0 * 1500.0;
    let memory = 64_000.0 + 256.0 + 128.0 + 10.0 * 2048.0;
    assert_eq!(asked(&shown, "ci", "default"), (cpu, memory, 13.0 * 300.0));
    // Two of build-pool-b.
    assert_eq!(asked(&shown, "ci", "builders"), (2.0 * 900.0, 2.0 * 1024.0, 2.0 * 300.0));
    assert_eq!(asked(&shown, "default", "default"), (0.0, 0.0, 0.0));
    assert_eq!(shown.sum("nomad_queued_allocations_unsized", &[]), Some(0.0));
    assert_eq!(shown.sum("nomad_queued_allocations", &[("namespace", "ci")]), Some(15.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_specifications_are_unsized_and_missing_ones_skipped() {
    let simulator = recordings::replay("2.0.5").await;
    let refusal = Fault::Status { code: 403, body: "Permission denied".into() };
    simulator.faults().set("/v1/job/build-backlog?", refusal);
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    let shown = collector.exposition();
    assert_eq!(shown.value("nomad_exporter_collector_up", &[("collector", "specifications")]), Some(1.0));
    // Ten denied, and five of jobs that are not in the recording.
    assert_eq!(shown.sum("nomad_queued_allocations_unsized", &[]), Some(15.0));
    assert_eq!(asked(&shown, "ci", "default"), (0.0, 0.0, 0.0));
    // A denied specification is not requested again at once; a missing one is, as long as its job is listed.
    collector.refresh().await;
    let asked = |job: &str| simulator.requests().iter().filter(|request| request.path.ends_with(job)).count();
    assert_eq!((asked("build-backlog"), asked("build-huge-mem")), (1, 2));
}

/// A policy may be changed later.
#[tokio::test]
async fn a_denied_specification_is_retried_with_backoff() {
    let simulator = recordings::replay("2.0.5").await;
    let refusal = Fault::Status { code: 403, body: "Permission denied".into() };
    simulator.faults().set("/v1/job/build-backlog?", refusal);
    let collector = Collector::new(&simulator.url(), &[]);
    let requests_after = async |seconds| {
        pass(Duration::from_secs(seconds)).await;
        collector.refresh().await;
        let requests = simulator.requests();
        requests.iter().filter(|request| request.path.ends_with("build-backlog")).count()
    };
    assert_eq!(requests_after(0).await, 1);
    // Half a minute earlier and later, because on a busy machine a refresh takes seconds.
    assert_eq!((requests_after(30).await, requests_after(60).await), (1, 2), "after a history interval");
    assert_eq!((requests_after(90).await, requests_after(60).await), (2, 3), "then after two");
    assert_eq!((requests_after(900).await, requests_after(900).await), (4, 5));
    assert_eq!(requests_after(900).await, 6, "the pause is limited");
    simulator.faults().clear();
    assert_eq!((requests_after(901).await, requests_after(3600).await), (7, 7));
    // The rest belongs to the five jobs that are not in the recording.
    assert_eq!(collector.exposition().sum("nomad_queued_allocations_unsized", &[]), Some(5.0));
}

/// Advances the paused clock.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
    // Idle connections have expired; let the pool notice it.
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn cluster() -> (SharedCluster, String) {
    let mut cluster = Cluster::new(Settings::default());
    cluster.create_namespace("ci");
    let node = NodeSpec::new("client-1");
    cluster.register_node(node);
    (std::sync::Arc::new(std::sync::Mutex::new(cluster)), "ci".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn specifications_are_read_once_with_limited_concurrency() {
    let (cluster, namespace) = cluster();
    {
        let mut cluster = cluster.lock().unwrap();
        // None of these fits on the only node with 10,000 MHz.
        for number in 0..30 {
            let id = format!("build-{number:02}");
            cluster.submit(JobSpec::batch(&id).in_namespace(&namespace).with_resources(20_000, 100));
            cluster.advance(Duration::from_secs(1));
        }
    }
    let simulator = Simulator::start(cluster.into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &["--collect.max-specifications", "20"]);
    let read = || simulator.requests().iter().filter(|request| request.path.starts_with("/v1/job/")).count();
    let unsized_allocations = || collector.exposition().sum("nomad_queued_allocations_unsized", &[]);
    collector.refresh().await;
    assert_eq!((read(), unsized_allocations()), (20, Some(10.0)));
    // The oldest first.
    let first: Vec<String> = simulator.requests().iter().map(|request| request.path.clone()).collect();
    assert!(first.contains(&"/v1/job/build-19".into()) && !first.contains(&"/v1/job/build-20".into()));
    collector.refresh().await;
    assert_eq!((read(), unsized_allocations()), (30, Some(0.0)));
    collector.refresh().await;
    assert_eq!(read(), 30, "known data is not requested again");
    assert_eq!(asked(&collector.exposition(), "ci", "default").0, 30.0 * 20_000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_one_parent_share_its_specification() {
    let (cluster, namespace) = cluster();
    {
        let mut cluster = cluster.lock().unwrap();
        let parent =
            JobSpec::batch("deploy").in_namespace(&namespace).with_resources(20_000, 100).dispatched();
        cluster.submit(parent);
        let parent = nomad_simulator::cluster::JobKey::new(&namespace, "deploy");
        for _ in 0..50 {
            cluster.dispatch(&parent).unwrap();
        }
        cluster.advance(Duration::from_secs(10));
    }
    let simulator = Simulator::start(cluster.into()).await.unwrap();
    let shown = collect(&simulator.url(), &[]).await;
    let read: Vec<_> =
        simulator.requests().into_iter().filter(|request| request.path.starts_with("/v1/job/")).collect();
    assert_eq!(read.len(), 1, "{read:?}");
    assert_eq!(asked(&shown, "ci", "default"), (50.0 * 20_000.0, 50.0 * 100.0, 50.0 * 300.0));
    assert_eq!(shown.sum("nomad_queued_allocations_unsized", &[]), Some(0.0));
}
