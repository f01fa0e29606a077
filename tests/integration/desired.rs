//! What long-lived jobs are to have: the counts of their specifications, and whether somebody stopped them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_simulator::cluster::{Cluster, JobKey, JobSpec, NodeSpec, Settings};
use nomad_simulator::{SharedCluster, Simulator};

use crate::support::collect::{Collector, collect};
use crate::support::exposition::Exposition;
use crate::support::recordings;

const NAME: &str = "2.0.5-outcomes";

fn desired(shown: &Exposition, job: &str) -> Option<f64> {
    shown.sum("nomad_job_allocations_desired", &[("job_id", job)])
}

/// Every recorded service: what its specification says, and what the list says of it.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_services_want_what_their_specifications_say() {
    let shown = collect(&recordings::replay(NAME).await.url(), &[]).await;
    let mut compared = 0;
    for job in recordings::rows(NAME, "jobs-namespace.json") {
        let (id, job_type) = (job["ID"].as_str().unwrap(), job["Type"].as_str().unwrap());
        if !matches!(job_type, "service" | "system") {
            assert_eq!(desired(&shown, id), None, "{id}");
            continue;
        }
        let labels = [("namespace", job["Namespace"].as_str().unwrap()), ("job_id", id)];
        let stopped = f64::from(u8::from(job["Stop"] == true));
        assert_eq!(shown.value("nomad_job_stopped", &labels), Some(stopped), "{id}");
        let file = format!("job-{id}.json");
        if !crate::support::path(&format!("tests/fixtures/recordings/{NAME}/{file}")).exists() {
            continue;
        }
        for group in recordings::json(NAME, &file)["TaskGroups"].as_array().unwrap() {
            let name = group["Name"].as_str().unwrap();
            let of_group = [labels[0], labels[1], ("task_group", name)];
            let expected = (job_type == "service").then(|| group["Count"].as_f64().unwrap());
            assert_eq!(shown.value("nomad_job_allocations_desired", &of_group), expected, "{id}");
            for task in group["Tasks"].as_array().unwrap() {
                let of_task = [labels[0], labels[1], of_group[2], ("task", task["Name"].as_str().unwrap())];
                for family in ["nomad_job_task_restarts_total", "nomad_job_task_oom_kills_total"] {
                    assert_eq!(shown.value(family, &of_task), Some(0.0), "{family} of {id} begins at 0");
                }
            }
            compared += 1;
        }
    }
    assert!(compared >= 7, "only {compared} groups were recorded");
    // An outage, a stop, and a scale to zero: all three are dead.
    for (id, stopped, wanted) in
        [("dead-service", 0.0, 1.0), ("stopped-service", 1.0, 1.0), ("zero", 0.0, 0.0)]
    {
        let dead = shown.value("nomad_job_status", &[("job_id", id), ("status", "dead")]);
        let told = shown.value("nomad_job_stopped", &[("job_id", id)]);
        assert_eq!((dead, told, desired(&shown, id)), (Some(1.0), Some(stopped), Some(wanted)), "{id}");
    }
    // The allocation of this one failed, and the next comes in ten minutes.
    let running =
        shown.value("nomad_job_allocations", &[("job_id", "crash-loop-slow"), ("status", "running")]);
    assert_eq!((running, desired(&shown, "crash-loop-slow")), (Some(0.0), Some(1.0)));
}

fn requests(simulator: &Simulator) -> usize {
    simulator.requests().iter().filter(|request| request.path.starts_with("/v1/job/")).count()
}

/// A specification is read once for each version of a job, and children share their parent's.
#[tokio::test(flavor = "multi_thread")]
async fn each_version_is_read_once_and_children_share_their_parents() {
    let mut cluster = Cluster::new(Settings::default());
    for number in 0..4 {
        cluster.register_node(NodeSpec::new(&format!("client-{number}")));
    }
    cluster.submit(JobSpec::service("web").with_count(3).with_resources(100, 32));
    cluster.submit(
        JobSpec::batch("deploy")
            .with_count(2)
            .with_resources(10, 10)
            .running_for(Duration::from_secs(600))
            .dispatched(),
    );
    cluster.advance(Duration::from_secs(20));
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    let collector =
        Collector::new(&simulator.url(), &["--no-collector.host_stats", "--collect.job-types=service,batch"]);
    collector.refresh().await;
    let shown = collector.exposition();
    assert_eq!((desired(&shown, "web"), desired(&shown, "deploy")), (Some(3.0), Some(0.0)));
    assert_eq!(requests(&simulator), 2);

    for _ in 0..5 {
        cluster.lock().unwrap().dispatch(&JobKey::new("default", "deploy"));
    }
    cluster.lock().unwrap().advance(Duration::from_secs(20));
    collector.refresh().await;
    assert_eq!(desired(&collector.exposition(), "deploy"), Some(10.0), "five children of two");
    assert_eq!(requests(&simulator), 2, "children share their parent's");

    cluster.lock().unwrap().submit(JobSpec::service("web").with_count(7).with_resources(100, 32));
    for _ in 0..3 {
        cluster.lock().unwrap().advance(Duration::from_secs(20));
        collector.refresh().await;
    }
    assert_eq!(desired(&collector.exposition(), "web"), Some(7.0));
    assert_eq!(requests(&simulator), 3, "one more for the new version");

    cluster.lock().unwrap().stop_job("default", "web", false);
    collector.refresh().await;
    let shown = collector.exposition();
    assert_eq!(shown.value("nomad_job_stopped", &[("job_id", "web")]), Some(1.0));
    assert_eq!(desired(&shown, "web"), Some(7.0), "what it would have");
}

/// More specifications than one refresh may read: those of queued allocations come first, and the rest follows.
#[tokio::test(flavor = "multi_thread")]
async fn the_cap_of_a_refresh_holds_and_what_waits_comes_first() {
    let mut cluster = Cluster::new(Settings::default());
    cluster.register_node(NodeSpec::new("client-1"));
    (0..8).for_each(|number| {
        drop(cluster.submit(JobSpec::service(&format!("web-{number}")).with_resources(1, 1)))
    });
    cluster.submit(JobSpec::batch("waits").with_resources(90_000, 10));
    cluster.advance(Duration::from_secs(20));
    let simulator = Simulator::start(Arc::new(Mutex::new(cluster)).into()).await.unwrap();
    let flags = ["--no-collector.host_stats", "--collect.max-specifications=3"];
    let collector = Collector::new(&simulator.url(), &flags);
    for (refresh, known) in [(1, 2), (2, 5), (3, 8), (4, 8)] {
        collector.refresh().await;
        let shown = collector.exposition();
        assert_eq!(shown.sum("nomad_queued_allocations_unsized", &[]), Some(0.0), "refresh {refresh}");
        assert_eq!(shown.find("nomad_job_allocations_desired", &[]).count(), known, "refresh {refresh}");
    }
}
