//! Reserved cores and devices: allocatable, allocated, and requested by queued allocations.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Resources, Settings};
use nomad_simulator::{SharedCluster, Simulator};

use crate::support::collect::collect;
use crate::support::exposition::Exposition;

const GPU: [(&str, &str); 3] = [("vendor", "nvidia"), ("type", "gpu"), ("model", "Tesla T4")];

/// Returns a cluster of a node with GPUs, and one without.
fn cluster(version: &str) -> Cluster {
    let mut cluster = Cluster::new(Settings { version: version.parse().unwrap(), ..Settings::default() });
    cluster.create_namespace("ml");
    let reserved = Resources { cores: 1, ..Resources::default() };
    cluster.register_node(NodeSpec { gpus: (2, 1), cores: 8, reserved, ..NodeSpec::new("with-gpus") });
    cluster.register_node(NodeSpec::new("without"));
    cluster
}

fn job(id: &str, cores: u64, gpus: u64) -> JobSpec {
    JobSpec::service(id).in_namespace("ml").with_cores_and_gpus(cores, gpus)
}

async fn shown(mut cluster: Cluster) -> Exposition {
    cluster.advance(Duration::from_secs(60));
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.into()).await.unwrap();
    collect(&simulator.url(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn cores_and_devices_are_allocatable_and_allocated() {
    for version in ["1.1.18", "1.4.14", "2.0.5"] {
        let mut cluster = cluster(version);
        cluster.submit(job("train", 2, 1).with_count(2));
        cluster.submit(job("compile", 3, 0));
        let shown = shown(cluster).await;
        let on = |node: &'static str| [("node", node)];
        let value = |name: &str, labels: &[(&str, &str)]| shown.value(name, labels);
        assert_eq!(value("nomad_node_allocatable_cores", &on("with-gpus")), Some(7.0), "{version}");
        assert_eq!(value("nomad_node_allocatable_cores", &on("without")), Some(4.0), "{version}");
        assert_eq!(shown.sum("nomad_node_allocated_cores", &[]), Some(7.0), "{version}");
        let with_cores = shown.find("nomad_node_allocated_cores", &[]);
        assert!(with_cores.into_iter().all(|sample| sample.value > 0.0), "{version}");
        // The third device is unhealthy.
        let gpus = [&on("with-gpus")[..], &GPU].concat();
        assert_eq!(value("nomad_node_devices", &gpus), Some(2.0), "{version}");
        assert_eq!(value("nomad_node_allocated_devices", &gpus), Some(2.0), "{version}");
        assert_eq!(shown.find("nomad_node_devices", &on("without")).count(), 0);
        assert_eq!(shown.find("nomad_node_allocated_devices", &on("without")).count(), 0);
        assert_eq!(shown.sum("nomad_queued_cores", &[]), Some(0.0));
        assert_eq!(shown.find("nomad_queued_devices", &[]).count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queued_allocations_request_cores_and_devices() {
    let mut cluster = cluster("2.0.5");
    cluster.submit(job("train", 0, 2).with_count(4));
    cluster.submit(job("huge", 9, 0).with_count(2));
    let shown = shown(cluster).await;
    let ml = [("namespace", "ml"), ("node_pool", "default")];
    // One of four requests both devices.
    let any_model = [&ml[..], &[("vendor", "nvidia"), ("type", "gpu"), ("model", "")]].concat();
    assert_eq!(shown.value("nomad_queued_devices", &any_model), Some(6.0));
    assert_eq!(shown.value("nomad_queued_cores", &ml), Some(18.0));
    let reason = |reason| {
        shown.value("nomad_blocked_evaluations_by_reason", &[("namespace", "ml"), ("reason", reason)])
    };
    assert_eq!((reason("device"), reason("cores")), (Some(1.0), Some(1.0)));
    // The CPU of reserved cores depends on the node.
    assert_eq!(shown.value("nomad_queued_allocations_unsized", &[("namespace", "ml")]), Some(2.0));
}

/// Resources reserved for the system are not allocatable, and a client may limit its number of allocations.
#[tokio::test(flavor = "multi_thread")]
async fn capacity_equals_what_the_scheduler_can_allocate() {
    let mut cluster = Cluster::new(Settings::default());
    let reserved =
        Resources { cpu: 1_500, memory_mb: 1_024, disk_mb: 10_000, cores: 2, ..Resources::default() };
    cluster.register_node(NodeSpec { reserved, max_allocations: 3, ..NodeSpec::new("client") });
    cluster.submit(JobSpec::service("web").with_count(5));
    cluster.advance(Duration::from_secs(60));
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.into()).await.unwrap();
    let shown = collect(&simulator.url(), &["--metrics.node-meta", "rack"]).await;
    let value = |name: &str| shown.value(name, &[("node", "client")]);
    assert_eq!(value("nomad_node_allocatable_cpu_hertz"), Some(8.5e9));
    assert_eq!(value("nomad_node_allocatable_memory_bytes"), Some(7.0 * 1024.0 * 1024.0 * 1024.0));
    assert_eq!(value("nomad_node_allocatable_disk_bytes"), Some(90_000.0 * 1024.0 * 1024.0));
    assert_eq!(value("nomad_node_allocatable_cores"), Some(2.0));
    assert_eq!(value("nomad_node_max_allocations"), Some(3.0));
    assert_eq!(shown.sum("nomad_node_allocations", &[]), Some(3.0));
    assert_eq!(shown.sum("nomad_queued_allocations", &[]), Some(2.0));
    // All resources are available.
    assert_eq!(shown.sum("nomad_blocked_evaluations_by_reason", &[("reason", "other")]), Some(1.0));
}

/// If the resources of one allocation are unknown, so is the sum of its node.
#[tokio::test(flavor = "multi_thread")]
async fn allocated_sums_are_absent_if_one_allocation_is_unknown() {
    let mut cluster = cluster("2.0.5");
    cluster.submit(job("train", 1, 1));
    cluster.advance(Duration::from_secs(60));
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.into()).await.unwrap();
    let before = collect(&simulator.url(), &[]).await;
    let node = before.find("nomad_node_allocated_cores", &[("node", "with-gpus")]).next().unwrap();
    let row = serde_json::json!([{"ID": "a", "NodeID": node.labels["node_id"], "Namespace": "ml", "JobType": "service",
        "ClientStatus": "running", "AllocatedResources": null}]);
    simulator.faults().set("/v1/allocations", nomad_simulator::Fault::Body(row.to_string().into()));
    let after = collect(&simulator.url(), &[]).await;
    for name in ["nomad_node_allocated_cores", "nomad_node_allocated_devices"] {
        assert_eq!(before.find(name, &[("node", "with-gpus")]).count(), 1, "{name}");
        assert_eq!(after.find(name, &[("node", "with-gpus")]).count(), 0, "{name}");
    }
    let by_type = |shown: &Exposition, job_type| {
        shown.value("nomad_allocated_cpu_hertz", &[("namespace", "ml"), ("job_type", job_type)])
    };
    assert_eq!((by_type(&after, "service"), by_type(&after, "batch")), (None, Some(0.0)));
}
