//! Failures by cause, restarts and OOM kills, compared with recorded task states and with the simulator's
//! ledger.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use nomad_simulator::cluster::{
    Cause, Cluster, JobKey, JobSpec, Ledger, NodeSpec, Restarts, Settings, Span, TaskKey,
};
use nomad_simulator::{Fault, SharedCluster, Simulator};
use serde_json::Value;

use crate::ledger::follow_if;
use crate::support::collect::{Collector, collect};
use crate::support::exposition::Exposition;
use crate::support::recordings;

const CAUSES: [&str; 9] =
    ["exit", "signal", "oom", "driver", "artifact", "validation", "setup", "disk", "unhealthy"];

/// Returns the cause of a recorded failure, calculated in the simplest way: the last event of the failed task
/// with a cause.
fn cause(allocation: &Value) -> &'static str {
    let states = allocation["TaskStates"].as_object().unwrap();
    let failed = states.values().find(|task| task["Failed"] == true).unwrap();
    let mut told = failed["Events"].as_array().unwrap().iter().filter_map(|event| {
        let detail = |name: &str| event["Details"][name].as_str().unwrap_or_default().to_owned();
        match event["Type"].as_str().unwrap() {
            "Terminated" if detail("oom_killed") == "true" => Some("oom"),
            "Terminated" if detail("signal") != "0" => Some("signal"),
            "Terminated" => Some("exit"),
            "Driver Failure" => Some("driver"),
            "Failed Artifact Download" => Some("artifact"),
            "Failed Validation" => Some("validation"),
            _ => None,
        }
    });
    told.next_back().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_failures_are_the_recorded_ones() {
    let name = "2.0.5-outcomes";
    let shown = collect(&recordings::replay(name).await.url(), &[]).await;
    let mut expected: BTreeMap<(String, String, &str), f64> = BTreeMap::new();
    for row in recordings::rows(name, "allocations-namespace.json") {
        let was_migrated = row["DesiredDescription"] == "alloc is being migrated";
        if row["ClientStatus"] == "failed" && !was_migrated {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            *expected.entry((text("Namespace"), text("JobType"), cause(&row))).or_default() += 1.0;
        }
    }
    for ((namespace, job_type, cause), count) in &expected {
        let labels = [("namespace", namespace.as_str()), ("job_type", job_type), ("cause", cause)];
        assert_eq!(shown.value("nomad_failed_allocations", &labels), Some(*count), "{labels:?}");
    }
    let total: f64 = expected.values().sum();
    assert_eq!(shown.sum("nomad_failed_allocations", &[]), Some(total));
    assert!(total >= 12.0 && expected.len() >= 6, "{expected:?}");
    // All of it happened before the exporter started.
    for name in ["nomad_allocation_failures_total", "nomad_task_restarts_total", "nomad_task_oom_kills_total"]
    {
        assert_eq!(shown.sum(name, &[]), Some(0.0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_without_task_filters_have_no_failure_metrics() {
    let shown = collect(&recordings::replay("1.1.18").await.url(), &[]).await;
    let up = shown.value("nomad_exporter_collector_up", &[("collector", "task_states")]);
    assert_eq!(up, Some(1.0));
    for name in ["nomad_failed_allocations", "nomad_allocation_failures_total", "nomad_task_restarts_total"] {
        assert_eq!(shown.find(name, &[]).count(), 0, "{name}");
    }
}

/// Returns a cluster in which builds fail for every cause, services restart, and everything is stopped and
/// drained.
fn cluster(version: &str) -> Cluster {
    let mut cluster = Cluster::new(Settings { version: version.parse().unwrap(), ..Settings::default() });
    cluster.create_namespace("ci");
    for number in 0..40 {
        cluster.register_node(NodeSpec::new(&format!("client-{number}")));
    }
    let restarts = Restarts { attempts: None, delay: Duration::from_secs(5) };
    for (id, cause) in
        [("leaks", Cause::OutOfMemory), ("crashes", Cause::Exit(2)), ("hangs", Cause::Unhealthy)]
    {
        let run_time = Span { min: Duration::from_secs(20), max: Duration::from_secs(40) };
        let service = JobSpec::service(id).with_count(3).with_resources(100, 32).failing(1.0);
        cluster.submit(JobSpec { cause, restarts, ..service.running_for(run_time) });
    }
    cluster
}

/// Returns a build that may fail, with its own cause and number of restarts.
fn build(number: u64) -> JobSpec {
    let causes = [
        Cause::Exit(1),
        Cause::Signal(9),
        Cause::OutOfMemory,
        Cause::Driver,
        Cause::Artifact,
        Cause::Validation,
        Cause::Setup,
        Cause::Hook,
        Cause::Disk,
        Cause::Unhealthy,
    ];
    let cause = causes[number as usize % causes.len()];
    let attempts = (number / 10 % 4) as u32;
    let restarts = Restarts { attempts: Some(attempts), delay: Duration::from_secs(3) };
    let build = JobSpec::batch(&format!("build-{number}")).in_namespace("ci").with_resources(400, 100);
    let build = build.failing(0.5).running_for(Duration::from_secs(4 + number % 20));
    JobSpec { cause, restarts, ..build }
}

type Counts = BTreeMap<(String, String), f64>;

/// Returns the ledger's counts of tasks, by namespace and type.
fn by_type(counts: &BTreeMap<TaskKey, usize>) -> Counts {
    let mut sums = Counts::new();
    for (task, count) in counts {
        let key = (task.job.namespace.clone(), task.job_type.as_str().to_owned());
        *sums.entry(key).or_default() += *count as f64;
    }
    sums
}

/// Checks that exactly the events between these two times are counted.
fn assert_counted(shown: &Exposition, before: &Ledger, now: &Ledger) {
    for ((namespace, job_type, cause), count) in &now.failures {
        let key = (namespace.clone(), *job_type, *cause);
        let expected = count - before.failures.get(&key).copied().unwrap_or_default();
        let labels = [("namespace", namespace.as_str()), ("job_type", job_type.as_str()), ("cause", *cause)];
        let found = shown.value("nomad_allocation_failures_total", &labels);
        assert_eq!(found, Some(expected as f64), "failures {labels:?}");
    }
    for (name, before, now) in [
        ("nomad_task_restarts_total", &before.restarts, &now.restarts),
        ("nomad_task_oom_kills_total", &before.oom_kills, &now.oom_kills),
    ] {
        let (earlier, later) = (by_type(before), by_type(now));
        for ((namespace, job_type), count) in &later {
            let key = (namespace.clone(), job_type.clone());
            let expected = count - earlier.get(&key).copied().unwrap_or_default();
            let labels = [("namespace", namespace.as_str()), ("job_type", job_type.as_str())];
            assert_eq!(shown.value(name, &labels), Some(expected), "{name} {labels:?}");
        }
    }
    for (name, before, now) in [
        ("nomad_job_task_restarts_total", &before.restarts, &now.restarts),
        ("nomad_job_task_oom_kills_total", &before.oom_kills, &now.oom_kills),
    ] {
        for (task, count) in now.iter().filter(|(task, _)| task.job_type.as_str() == "service") {
            let labels = [
                ("namespace", task.job.namespace.as_str()),
                ("job_id", task.job.id.as_str()),
                ("task_group", task.group.as_str()),
                ("task", task.task.as_str()),
            ];
            let expected = count - before.get(task).copied().unwrap_or_default();
            assert_eq!(shown.value(name, &labels), Some(expected as f64), "{name} {labels:?}");
        }
    }
}

/// Hundreds of builds, and their restarts: every failure has its cause, and every restart and kill counts once.
#[tokio::test(flavor = "multi_thread")]
async fn failures_restarts_and_kills_equal_the_ledger() {
    for (version, builds, follow) in [("2.0.5", 500, false), ("2.0.5", 300, true), ("1.4.14", 300, false)] {
        let mut cluster = cluster(version);
        cluster.advance(Duration::from_secs(90));
        let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
        collector.refresh().await;
        follow_if(follow, &simulator, &collector).await;
        let before = cluster.lock().unwrap().ledger();
        assert!(!before.restarts.is_empty(), "events before the start must not count");
        for number in 0..builds {
            {
                let mut cluster = cluster.lock().unwrap();
                cluster.submit(build(number));
                cluster.advance(Duration::from_millis(800));
                if number % 400 == 250 {
                    // The replacement of a service's allocation continues the count.
                    let key = JobKey::new("default", "leaks");
                    cluster.stop_job(&key.namespace, &key.id, false);
                    let leaks = JobSpec::service("leaks").with_count(3).with_resources(100, 32).failing(1.0);
                    let leaks = leaks.running_for(Duration::from_secs(30));
                    let restarts = Restarts { attempts: None, delay: Duration::from_secs(5) };
                    cluster.submit(JobSpec { cause: Cause::OutOfMemory, restarts, ..leaks });
                }
            }
            // Nomad keeps ten events, which are four restarts.
            if number % 25 == 0 {
                collector.refresh().await;
            }
        }
        for _ in 0..8 {
            cluster.lock().unwrap().advance(Duration::from_secs(30));
            collector.refresh().await;
        }
        let ledger = cluster.lock().unwrap().ledger();
        let shown = collector.exposition();
        assert_counted(&shown, &before, &ledger);
        let lists =
            simulator.requests().iter().filter(|request| request.query.contains("TaskStates")).count();
        assert!(!follow || lists <= 2, "{lists} lists of task states with events");
        for cause in CAUSES {
            let seen = shown.sum("nomad_allocation_failures_total", &[("cause", cause)]);
            assert!(seen > Some(5.0), "{version}: {seen:?} {cause}: too few events for a meaningful test");
        }
        let retained: usize = ledger.failed_allocations.values().sum();
        assert_eq!(shown.sum("nomad_failed_allocations", &[]), Some(retained as f64), "{version}");
    }
}

/// Allocations killed by a drain are not failures, whatever their client reports.
#[tokio::test(flavor = "multi_thread")]
async fn drained_allocations_are_not_failures() {
    for version in ["2.0.5", "1.10.5"] {
        let mut cluster = Cluster::new(Settings { version: version.parse().unwrap(), ..Settings::default() });
        let nodes: Vec<_> =
            (0..3).map(|number| cluster.register_node(NodeSpec::new(&format!("client-{number}")))).collect();
        cluster.advance(Duration::from_secs(5));
        let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
        collector.refresh().await;
        {
            let mut cluster = cluster.lock().unwrap();
            cluster.submit(JobSpec::batch("long").with_count(6).running_for(Duration::from_secs(9000)));
            cluster.advance(Duration::from_secs(20));
            cluster.drain(nodes[0], Some(Duration::from_secs(5)), false);
            cluster.advance(Duration::from_secs(60));
        }
        collector.refresh().await;
        let shown = collector.exposition();
        assert_eq!(shown.sum("nomad_allocation_failures_total", &[]), Some(0.0), "{version}");
        assert_eq!(shown.sum("nomad_failed_allocations", &[]), Some(0.0), "{version}");
    }
}

/// Null, unordered, invalid or far too many states count as `other`, and never twice.
#[tokio::test(flavor = "multi_thread")]
async fn odd_states_of_tasks_are_counted_once_and_as_other() {
    let long = "t".repeat(64 << 10);
    let event =
        |time: i64| format!(r#"{{"Type":"Terminated","Time":{time},"Details":{{"exit_code":"many"}}}}"#);
    let crowd: Vec<String> =
        (0..3000).map(|number| format!(r#""t{number}":{{"Restarts":1,"Failed":true}}"#)).collect();
    let rows = format!(
        r#"[null,{{}},{{"ID":"n","Namespace":"ci","JobType":"batch","ClientStatus":"failed","TaskStates":null}},
        {{"ID":"e","Namespace":"ci","JobType":"batch","ClientStatus":"failed","TaskStates":{{"a":null,"b":{{"Failed":true,
          "Restarts":-7,"Events":null}}}}}},
        {{"ID":"x","Namespace":"ci","JobType":"batch","ClientStatus":"failed","TaskStates":{{"{long}":{{"Failed":true,
          "Restarts":2,"Events":[{},null,{},{{"Type":null,"Details":null}}]}}}}}},
        {{"ID":"x","Namespace":"ci","JobType":"batch","ClientStatus":"failed","TaskStates":{{"{long}":{{"Restarts":2}}}}}},
        {{"ID":"c","Namespace":"ci","JobID":"web","JobType":"service","ClientStatus":"failed","TaskStates":{{{}}}}}]"#,
        event(9),
        event(3),
        crowd.join(",")
    );
    let simulator = recordings::replay("2.0.5").await;
    let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
    let path = "/v1/allocations?namespace=*&task_states=true";
    simulator.faults().set(path, Fault::Body(Bytes::from_static(b"[]")));
    collector.refresh().await;
    simulator.faults().set(path, Fault::Body(Bytes::from(rows)));
    for _ in 0..3 {
        collector.refresh().await;
        let shown = collector.exposition();
        assert_eq!(shown.sum("nomad_allocation_failures_total", &[("cause", "other")]), Some(4.0));
        assert_eq!(shown.sum("nomad_allocation_failures_total", &[]), Some(4.0));
        assert_eq!(shown.sum("nomad_task_restarts_total", &[("namespace", "ci")]), Some(3002.0));
    }
}
