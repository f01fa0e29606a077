//! When periodic jobs last succeeded and failed.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings};
use nomad_simulator::{SharedCluster, Simulator};

use crate::support::collect::{Collector, collect};
use crate::support::recordings;

const SUCCESS: &str = "nomad_periodic_job_last_success_timestamp_seconds";
const FAILURE: &str = "nomad_periodic_job_last_failure_timestamp_seconds";

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_runs_succeeded_when_their_allocations_ended() {
    let name = "2.0.5-outcomes";
    let shown = collect(&recordings::replay(name).await.url(), &[]).await;
    let rows = recordings::rows(name, "allocations-namespace.json");
    let runs = rows.iter().filter(|row| row["JobID"].as_str().unwrap().starts_with("periodic/periodic-"));
    let last = runs.map(|row| row["ModifyTime"].as_u64().unwrap() / 1_000_000_000).max().unwrap();
    let labels = [("namespace", "default"), ("job_id", "periodic")];
    assert_eq!(shown.value(SUCCESS, &labels), Some(last as f64));
    assert_eq!((shown.find(SUCCESS, &[]).count(), shown.find(FAILURE, &[]).count()), (1, 0));
}

/// Runs that Nomad has long forgotten count, until the job is gone.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_runs_outlast_garbage_collection() {
    let mut cluster = Cluster::new(Settings::default());
    cluster.register_node(NodeSpec::new("client-1"));
    let run_time = Duration::from_secs(5);
    let nightly = |failing| {
        let job = JobSpec::batch("nightly").every(Duration::from_secs(3600)).with_resources(10, 10);
        job.running_for(run_time).failing(failing)
    };
    cluster.submit(nightly(0.0));
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
    let after = async |seconds: u64, collect_garbage: bool| {
        let now = {
            let mut cluster = cluster.lock().unwrap();
            cluster.advance(Duration::from_secs(seconds));
            if collect_garbage {
                cluster.garbage_collect();
            }
            cluster.ledger().time
        };
        collector.refresh().await;
        let shown = collector.exposition();
        let ago = |name| {
            let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
            shown.value(name, &[("job_id", "nightly")]).map(|time| now - time)
        };
        (ago(SUCCESS), ago(FAILURE))
    };
    assert_eq!(after(60, false).await, (None, None));
    let (success, failure) = after(3600, false).await;
    assert!(success.is_some_and(|ago| ago < 3600.0) && failure.is_none(), "{success:?} {failure:?}");
    cluster.lock().unwrap().submit(nightly(1.0));
    let (success, failure) = after(3600, false).await;
    assert!(success.is_some_and(|ago| ago > 3500.0), "{success:?}");
    assert!(failure.is_some_and(|ago| ago < 3600.0), "{failure:?}");
    cluster.lock().unwrap().stop_job("default", "nightly", false);
    after(60, false).await;
    let (success, failure) = after(60, true).await;
    assert_eq!((success, failure), (None, None), "the job is no periodic job any more");
}
