//! What starts, runs and stops for too long: against the recorded allocations, and against the simulator's ledger.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use nomad_exporter::snapshot::{DELAY_BOUNDS_SECONDS, RUNNING_BOUNDS_SECONDS};
use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings};
use nomad_simulator::{Fault, SharedCluster, Simulator};
use serde_json::Value;

use crate::support::collect::{Collector, collect, now};
use crate::support::exposition::Exposition;
use crate::support::recordings;

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn is_live(row: &&Value) -> bool {
    !matches!(text(row, "ClientStatus"), "complete" | "failed" | "lost")
}

/// The earliest of these times in seconds, by the values of these fields.
fn earliest<'a>(
    rows: impl Iterator<Item = &'a Value>,
    time: &str,
    keys: &[&str],
) -> BTreeMap<Vec<String>, f64> {
    let mut earliest = BTreeMap::new();
    for row in rows {
        let seconds = row[time].as_f64().unwrap() / 1e9;
        let key = keys.iter().map(|key| text(row, key).to_owned()).collect();
        let known = earliest.entry(key).or_insert(seconds);
        *known = f64::min(*known, seconds);
    }
    earliest
}

fn assert_times(shown: &Exposition, name: &str, labels: &[&str], expected: &BTreeMap<Vec<String>, f64>) {
    assert_eq!(shown.find(name, &[]).count(), expected.len(), "{name}: {expected:?}");
    for (key, seconds) in expected {
        let labels: Vec<_> = labels.iter().copied().zip(key.iter().map(String::as_str)).collect();
        let found = shown.value(name, &labels).unwrap_or_else(|| panic!("{name}{labels:?} is missing"));
        assert!((found - seconds).abs() < 1e-3, "{name}{labels:?}: {found}, not {seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_allocations_that_start_run_and_stop() {
    for name in recordings::readable() {
        let shown = collect(&recordings::replay(name).await.url(), &[]).await;
        let rows = recordings::rows(name, "allocations-namespace-resources-true-task-states-false.json");
        let live = || rows.iter().filter(is_live);
        let starting =
            || live().filter(|row| row["ClientStatus"] == "pending" && row["DesiredStatus"] == "run");
        let by_type = ["Namespace", "JobType"];
        let labels = ["namespace", "job_type"];
        let family = "nomad_starting_allocations_oldest_timestamp_seconds";
        assert_times(&shown, family, &labels, &earliest(starting(), "CreateTime", &by_type));
        let family = "nomad_node_starting_allocations_oldest_timestamp_seconds";
        assert_times(&shown, family, &["node_id"], &earliest(starting(), "CreateTime", &["NodeID"]));
        let stopping = || live().filter(|row| row["DesiredStatus"] != "run");
        let family = "nomad_stopping_allocations_oldest_timestamp_seconds";
        assert_times(&shown, family, &labels, &earliest(stopping(), "ModifyTime", &by_type));
        assert_eq!(shown.sum("nomad_stopping_allocations", &[]), Some(stopping().count() as f64), "{name}");
        let builds = live().filter(|row| {
            row["ClientStatus"] == "running" && matches!(text(row, "JobType"), "batch" | "sysbatch")
        });
        let expected = earliest(builds, "CreateTime", &["Namespace", "JobID"]);
        assert!(expected.len() <= 20, "{name}: more than are named");
        assert_times(
            &shown,
            "nomad_running_job_start_timestamp_seconds",
            &["namespace", "job_id"],
            &expected,
        );

        let now = now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let running = || live().filter(|row| row["ClientStatus"] == "running");
        for bound in RUNNING_BOUNDS_SECONDS {
            let is_within = |row: &&Value| now - (row["CreateTime"].as_f64().unwrap() / 1e9).floor() <= bound;
            let le = format!("{bound:?}");
            let found = shown.sum("nomad_running_allocations_age_seconds_bucket", &[("le", &le)]);
            assert_eq!(found, Some(running().filter(is_within).count() as f64), "{name}: at most {bound} s");
        }
        let all = shown.sum("nomad_running_allocations_age_seconds_count", &[]);
        assert_eq!(all, Some(running().count() as f64), "{name}");
    }
}

/// In the recording one allocation of each kind hangs.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_ones_that_hang_are_seen() {
    let shown = collect(&recordings::replay("2.0.5-outcomes").await.url(), &[]).await;
    assert_eq!(
        shown.find("nomad_starting_allocations_oldest_timestamp_seconds", &[]).count(),
        1,
        "slow-start"
    );
    assert_eq!(shown.sum("nomad_stopping_allocations", &[]), Some(1.0), "dies-slowly");
}

/// What the exporter shows of start delays, against the allocations that the ledger saw start in between.
fn assert_delays(shown: &Exposition, delays: &[f64], what: &str) {
    let name = "nomad_allocation_start_delay_seconds";
    assert_eq!(shown.sum(&format!("{name}_count"), &[]), Some(delays.len() as f64), "{what}");
    for bound in DELAY_BOUNDS_SECONDS {
        let expected = delays.iter().filter(|delay| **delay <= bound).count();
        let le = format!("{bound:?}");
        let found = shown.sum(&format!("{name}_bucket"), &[("le", &le)]);
        assert_eq!(found, Some(expected as f64), "{what}: at most {bound} s");
    }
    let sum = shown.sum(&format!("{name}_sum"), &[]).unwrap();
    assert!((sum - delays.iter().sum::<f64>()).abs() < 1e-3, "{what}: {sum}");
}

/// Hundreds of allocations with start times of their own: each counts once, with the delay that the model knows.
#[tokio::test(flavor = "multi_thread")]
async fn start_delays_are_the_ledgers() {
    for (version, jobs) in [("2.0.5", 120_u64), ("1.1.18", 60)] {
        let mut cluster = Cluster::new(Settings { version: version.parse().unwrap(), ..Settings::default() });
        for number in 0..20 {
            cluster.register_node(NodeSpec::new(&format!("client-{number}")));
        }
        cluster.submit(JobSpec::service("before").with_count(4).with_resources(10, 10));
        cluster.advance(Duration::from_secs(60));
        let first_refresh = cluster.ledger().time;
        let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
        collector.refresh().await;
        for number in 0..jobs {
            {
                let mut cluster = cluster.lock().unwrap();
                let id = format!("job-{number}");
                let job = if number.is_multiple_of(10) { JobSpec::service(&id) } else { JobSpec::batch(&id) };
                let start_time = Some(Duration::from_secs(number % 40));
                let job = job.with_resources(100, 50).running_for(Duration::from_secs(30));
                cluster.submit(JobSpec { start_time, ..job });
                cluster.advance(Duration::from_secs(3));
            }
            // Within any run, so that each is seen to run; and before a deployment calls it healthy.
            collector.refresh().await;
        }
        for _ in 0..20 {
            cluster.lock().unwrap().advance(Duration::from_secs(3));
            collector.refresh().await;
        }
        let starts = cluster.lock().unwrap().ledger().starts;
        let seen = starts.iter().filter(|start| start.started > first_refresh);
        let delays: Vec<f64> =
            seen.map(|start| start.started.duration_since(start.created).unwrap().as_secs_f64()).collect();
        assert!(delays.len() as u64 >= jobs, "{} starts prove little", delays.len());
        assert_delays(&collector.exposition(), &delays, version);
    }
}

static SECONDS: AtomicU64 = AtomicU64::new(0);

fn cluster_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS.load(Ordering::Relaxed))
}

/// An allocation that stops has stopped since it was told to, whatever else happens to it meanwhile; and one that runs
/// grows old although nothing in the cluster changes.
#[tokio::test(flavor = "multi_thread")]
async fn times_count_from_the_first_word_and_go_on() {
    let mut cluster = Cluster::new(Settings::default());
    cluster.register_node(NodeSpec::new("client-1"));
    let slow = JobSpec::service("slow").with_resources(10, 10);
    cluster.submit(JobSpec { kill_time: Some(Duration::from_secs(900)), ..slow });
    cluster.submit(JobSpec::batch("long").with_resources(10, 10).running_for(Duration::from_secs(90_000)));
    cluster.advance(Duration::from_secs(20));
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    let collector = Collector::with_clock(&simulator.url(), &["--no-collector.host_stats"], cluster_time);
    let shown = async |seconds: u64| {
        let time = {
            let mut cluster = cluster.lock().unwrap();
            cluster.advance(Duration::from_secs(seconds));
            cluster.ledger().time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
        };
        SECONDS.store(time, Ordering::Relaxed);
        collector.refresh().await;
        (collector.exposition(), time as f64)
    };
    shown(1).await;
    cluster.lock().unwrap().stop_job("default", "slow", false);
    let family = "nomad_stopping_allocations_oldest_timestamp_seconds";
    let (first, told) = shown(1).await;
    let since = first.sum(family, &[]).unwrap();
    assert!((told - since).abs() < 2.0, "{since}, not {told}");
    for _ in 0..3 {
        let (later, _) = shown(200).await;
        assert_eq!(later.sum(family, &[]), Some(since));
    }
    let (_, before) = shown(0).await;
    let ages = |shown: &Exposition| {
        shown.sum("nomad_running_allocations_age_seconds_sum", &[("job_type", "batch")]).unwrap()
    };
    let (quiet, now) = shown(3600).await;
    let (later, then) = shown(3600).await;
    assert!(now > before && (ages(&later) - ages(&quiet) - (then - now)).abs() < 1.5, "it grew older");
}

/// Absent times, and rows that contradict each other.
#[tokio::test(flavor = "multi_thread")]
async fn odd_allocations_have_no_age_and_start_once() {
    let row = |id: &str, status: &str, times: &str| {
        format!(
            r#"{{"ID":{id},"Namespace":"ci","JobID":"b","JobType":"batch","DesiredStatus":"run",
            "ClientStatus":"{status}","CreateIndex":9{times}}}"#
        )
    };
    let body = |status: &str| {
        let rows = [
            row(r#""a""#, status, r#","CreateTime":1795354600000000000,"ModifyTime":1795354500000000000"#),
            row(r#""b""#, status, ""),
            row(r#""c""#, status, r#","CreateTime":-5,"ModifyTime":0"#),
            row("null", status, r#","CreateTime":null"#),
            r#"{"ID":"d","DesiredStatus":"stop","ClientStatus":"running","ModifyTime":null}"#.to_owned(),
            r#"{"ID":"f","ClientStatus":"running","CreateTime":9223372036854775807,"JobType":"batch"}"#
                .to_owned(),
        ];
        Fault::Body(Bytes::from(format!("[{}]", rows.join(","))))
    };
    let simulator = recordings::replay("2.0.5").await;
    let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
    for (status, count) in [("pending", 0.0), ("running", 1.0), ("running", 1.0)] {
        simulator.faults().set("/v1/allocations", body(status));
        collector.refresh().await;
        let shown = collector.exposition();
        let starts = |part| shown.sum(&format!("nomad_allocation_start_delay_seconds_{part}"), &[]);
        assert_eq!((starts("count"), starts("sum")), (Some(count), Some(0.0)), "{status}");
        assert_eq!(shown.sum("nomad_stopping_allocations", &[]), Some(1.0));
        assert_eq!(shown.find("nomad_stopping_allocations_oldest_timestamp_seconds", &[]).count(), 0);
        // Years ahead is no age.
        assert!(shown.sum("nomad_running_allocations_age_seconds_count", &[]) <= Some(2.0));
    }
}
