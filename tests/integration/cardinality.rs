//! The number of series depends on namespaces, pools and nodes, not on the number of builds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings};
use nomad_simulator::{SharedCluster, Simulator};

use crate::support::collect::collect;

fn builds(cluster: &SharedCluster, numbers: std::ops::Range<u32>) {
    let mut cluster = cluster.lock().unwrap();
    for number in numbers {
        let id = format!("build-{number}");
        let build = JobSpec::batch(&id).in_namespace("ci").with_resources(500, 256).failing(0.1);
        cluster.submit(build.running_for(Duration::from_secs(20)));
        cluster.advance(Duration::from_millis(500));
    }
    // Long enough for all builds to end, and too short for garbage collection.
    cluster.advance(Duration::from_secs(600));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_finished_builds_add_no_series() {
    let mut cluster = Cluster::new(Settings::default());
    cluster.create_namespace("ci");
    for number in 0..4 {
        cluster.register_node(NodeSpec::new(&format!("client-{number}")));
    }
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();

    builds(&cluster, 0..50);
    let before = collect(&simulator.url(), &[]).await;
    builds(&cluster, 50..1050);
    let after = collect(&simulator.url(), &[]).await;

    let dead = [("namespace", "ci"), ("status", "dead")];
    assert_eq!(before.sum("nomad_jobs", &dead), Some(50.0));
    assert_eq!(after.sum("nomad_jobs", &dead), Some(1050.0));
    let names = |shown: &crate::support::exposition::Exposition| -> Vec<String> {
        shown.samples().iter().map(|sample| format!("{}{:?}", sample.name, sample.labels)).collect()
    };
    assert_eq!(names(&before), names(&after));
    assert_eq!(before.value("nomad_exporter_series", &[]), after.value("nomad_exporter_series", &[]));
}
