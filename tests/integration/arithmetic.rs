//! The exporter's numbers against numbers worked out from the recorded JSON in another way, which shares no code
//! with it: sums over plain values, in the order of the definitions in docs/metrics.md.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::collect::collect;
use crate::support::exposition::Exposition;
use crate::support::recordings;

const JOBS: &str = "jobs-namespace.json";
const NODES: &str = "nodes-resources-true.json";
const ALLOCATIONS: &str = "allocations-namespace-resources-true-task-states-false.json";

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn texts(row: &Value, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| text(row, key).to_owned()).collect()
}

fn is_template(job: &Value) -> bool {
    text(job, "ParentID").is_empty() && (job["Periodic"] == true || job["ParameterizedJob"] == true)
}

fn is_terminal(allocation: &Value) -> bool {
    matches!(text(allocation, "ClientStatus"), "complete" | "failed" | "lost")
}

/// Compares every expected number with the one series that should carry it, and the family's sum with the sum of
/// them all: nothing is missing, and nothing else is counted.
fn assert_family(shown: &Exposition, name: &str, labels: &[&str], expected: &BTreeMap<Vec<String>, f64>) {
    for (values, number) in expected {
        let pairs: Vec<(&str, &str)> =
            labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
        let found = shown.value(name, &pairs);
        assert!(
            found.is_some_and(|found| (found - number).abs() < 0.5),
            "{name}{pairs:?}: expected {number}, found {found:?}"
        );
    }
    let total: f64 = expected.values().sum();
    let found = shown.sum(name, &[]).unwrap_or_default();
    assert!((found - total).abs() < 0.5, "sum of {name}: expected {total}, found {found}");
}

fn count<'a>(
    rows: impl IntoIterator<Item = &'a Value>,
    key: impl Fn(&Value) -> Vec<String>,
) -> BTreeMap<Vec<String>, f64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(key(row)).or_insert(0.0) += 1.0;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_by_status_without_templates() {
    for name in recordings::readable() {
        let shown = shown(name).await;
        let jobs = recordings::rows(name, JOBS);
        let key = |job: &Value| texts(job, &["Namespace", "Type", "Status"]);
        let work = count(jobs.iter().filter(|job| !is_template(job)), key);
        assert_family(&shown, "nomad_jobs", &["namespace", "job_type", "status"], &work);

        let kind = |job: &Value| if job["Periodic"] == true { "periodic" } else { "parameterized" };
        let key = |job: &Value| {
            vec![text(job, "Namespace").to_owned(), kind(job).to_owned(), text(job, "Status").to_owned()]
        };
        let templates = count(jobs.iter().filter(|job| is_template(job)), key);
        assert_family(&shown, "nomad_job_templates", &["namespace", "kind", "status"], &templates);
        assert_eq!(shown.sum("nomad_job_templates", &[("status", "running")]), Some(2.0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_jobs_by_outcome() {
    for name in recordings::readable() {
        let shown = shown(name).await;
        let jobs = recordings::rows(name, JOBS);
        let sum = |job: &Value, key: &str| -> i64 {
            let groups = job["JobSummary"]["Summary"].as_object().unwrap();
            groups.values().map(|group| group[key].as_i64().unwrap()).sum()
        };
        let outcome = |job: &Value| match job {
            job if job["Stop"] == true => "stopped",
            job if sum(job, "Failed") > 0 => "failed",
            job if sum(job, "Lost") > 0 => "lost",
            _ => "complete",
        };
        let key = |job: &Value| {
            vec![text(job, "Namespace").to_owned(), text(job, "Type").to_owned(), outcome(job).to_owned()]
        };
        let dead = jobs.iter().filter(|job| text(job, "Status") == "dead" && !is_template(job));
        assert_family(
            &shown,
            "nomad_jobs_finished",
            &["namespace", "job_type", "outcome"],
            &count(dead, key),
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queued_allocations() {
    for name in recordings::readable() {
        let shown = shown(name).await;
        let mut queued: BTreeMap<Vec<String>, f64> = BTreeMap::new();
        for job in recordings::rows(name, JOBS).iter().filter(|job| text(job, "Status") != "dead") {
            let key = texts(job, &["Namespace", "Type", "NodePool"]);
            for group in job["JobSummary"]["Summary"].as_object().unwrap().values() {
                *queued.entry(key.clone()).or_default() += group["Queued"].as_f64().unwrap().max(0.0);
            }
        }
        assert_family(&shown, "nomad_queued_allocations", &["namespace", "job_type", "node_pool"], &queued);
    }
}

/// The job of which few instances fit is running, and what it still wants is visible.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_placed_job_runs_and_queues() {
    for name in recordings::readable() {
        let jobs = recordings::rows(name, JOBS);
        let backlog = jobs.iter().find(|job| text(job, "ID") == "build-backlog").unwrap();
        assert_eq!(text(backlog, "Status"), "running");
        let its_own = backlog["JobSummary"]["Summary"]["build"]["Queued"].as_f64().unwrap();
        assert!(its_own >= 8.0);
        let without = {
            let simulator = recordings::replay(name).await;
            let rows: Vec<&Value> = jobs.iter().filter(|job| text(job, "ID") != "build-backlog").collect();
            let body = serde_json::to_vec(&rows).unwrap();
            simulator.faults().set("/v1/jobs", nomad_simulator::Fault::Body(body.into()));
            collect(&simulator.url(), &[]).await
        };
        let with = shown(name).await;
        let difference = |family: &str, labels: &[(&str, &str)]| {
            with.sum(family, labels).unwrap() - without.sum(family, labels).unwrap()
        };
        assert_eq!(difference("nomad_queued_allocations", &[("namespace", "ci")]), its_own, "{name}");
        assert_eq!(difference("nomad_jobs", &[("status", "running")]), 1.0, "{name}");
        assert_eq!(difference("nomad_jobs", &[("status", "pending")]), 0.0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_by_state() {
    for name in recordings::readable() {
        let shown = shown(name).await;
        let state = |node: &Value| match text(node, "Status") {
            "ready" if node["Drain"] == true => "draining".to_owned(),
            "ready" if text(node, "SchedulingEligibility") == "ineligible" => "ineligible".to_owned(),
            "ready" => "active".to_owned(),
            status => status.to_owned(),
        };
        let nodes = recordings::rows(name, NODES);
        let key = |node: &Value| {
            let mut key = texts(node, &["Datacenter", "NodePool", "NodeClass"]);
            key.push(state(node));
            key
        };
        let labels = ["datacenter", "node_pool", "node_class", "state"];
        assert_family(&shown, "nomad_nodes", &labels, &count(&nodes, key));
        let key =
            |node: &Value| vec![text(node, "ID").to_owned(), text(node, "Name").to_owned(), state(node)];
        assert_family(&shown, "nomad_node_state", &["node_id", "node", "state"], &count(&nodes, key));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn allocatable_and_allocated_resources_of_each_node() {
    const MIB: f64 = 1024.0 * 1024.0;
    for name in recordings::readable() {
        let shown = shown(name).await;
        let nodes = recordings::rows(name, NODES);
        let allocations = recordings::rows(name, ALLOCATIONS);
        let live = |node: &Value| {
            let id = node["ID"].clone();
            allocations
                .iter()
                .filter(move |allocation| allocation["NodeID"] == id && !is_terminal(allocation))
        };
        let of_nodes = |value: &dyn Fn(&Value) -> f64| -> BTreeMap<Vec<String>, f64> {
            nodes.iter().map(|node| (vec![text(node, "ID").to_owned()], value(node))).collect()
        };
        let free = |node: &Value, part: &str, key: &str| {
            let number = |side: &str| node[side][part][key].as_f64().unwrap_or_default();
            number("NodeResources") - number("ReservedResources")
        };
        let check = |family: &str, value: &dyn Fn(&Value) -> f64| {
            assert_family(&shown, family, &["node_id"], &of_nodes(value));
        };
        check("nomad_node_allocatable_cpu_hertz", &|node| free(node, "Cpu", "CpuShares") * 1e6);
        check("nomad_node_allocatable_memory_bytes", &|node| free(node, "Memory", "MemoryMB") * MIB);
        check("nomad_node_allocatable_disk_bytes", &|node| free(node, "Disk", "DiskMB") * MIB);
        check("nomad_node_allocated_cpu_hertz", &|node| live(node).map(|a| needs(a, cpu)).sum::<f64>() * 1e6);
        check("nomad_node_allocated_memory_bytes", &|node| {
            live(node).map(|a| needs(a, memory)).sum::<f64>() * MIB
        });
        check("nomad_node_allocated_memory_max_bytes", &|node| {
            live(node).map(|a| needs(a, memory_max)).sum::<f64>() * MIB
        });
        check("nomad_node_allocated_disk_bytes", &|node| live(node).map(disk).sum::<f64>() * MIB);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn allocations_by_node_and_by_status() {
    for name in recordings::readable() {
        let shown = shown(name).await;
        let allocations = recordings::rows(name, ALLOCATIONS);
        let live = count(allocations.iter().filter(|row| !is_terminal(row)), |row| {
            texts(row, &["NodeID", "ClientStatus"])
        });
        assert_family(&shown, "nomad_node_allocations", &["node_id", "client_status"], &live);

        let key = |row: &Value| texts(row, &["Namespace", "JobType", "ClientStatus"]);
        let all = count(&allocations, key);
        assert_family(&shown, "nomad_allocations", &["namespace", "job_type", "client_status"], &all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_evaluations() {
    // Before 1.2.4 evaluations cannot be listed over all namespaces, so those folders hold no list to count.
    for name in recordings::readable().filter(|name| !name.starts_with("1.1")) {
        let shown = shown(name).await;
        let evaluations = recordings::rows(name, "evaluations-namespace.json");
        let key = |row: &Value| texts(row, &["Namespace", "Type"]);
        let of_status =
            |status: &'static str| evaluations.iter().filter(move |row| text(row, "Status") == status);
        let labels = ["namespace", "job_type"];
        assert_family(&shown, "nomad_blocked_evaluations", &labels, &count(of_status("blocked"), key));
        assert_family(&shown, "nomad_pending_evaluations", &labels, &count(of_status("pending"), key));
        let oldest =
            of_status("blocked").map(|row| row["CreateTime"].as_f64().unwrap() / 1e9).reduce(f64::min);
        let found = shown.find("nomad_blocked_evaluations_oldest_timestamp_seconds", &[]);
        let found = found.map(|sample| sample.value).reduce(f64::min);
        assert!((found.unwrap() - oldest.unwrap()).abs() < 1e-3, "{name}");
    }
}

/// Nomad's total of an allocation in one dimension. Every recorded task group has at most one task of each kind
/// beside its main tasks, so the three phases can be written out.
fn needs(allocation: &Value, dimension: fn(&Value) -> f64) -> f64 {
    let resources = &allocation["AllocatedResources"];
    let sum = |phase: &[&str]| -> f64 {
        let tasks = resources["Tasks"].as_object().unwrap().iter();
        let tasks =
            tasks.filter(|(task, _)| phase.contains(&lifecycle(&resources["TaskLifecycles"][task.as_str()])));
        tasks.map(|(_, task)| dimension(task)).sum()
    };
    let (before, during) = (sum(&["prestart", "sidecar"]), sum(&["main", "poststart", "sidecar"]));
    before.max(during).max(sum(&["poststop"]))
}

fn lifecycle(lifecycle: &Value) -> &str {
    match lifecycle["Hook"].as_str() {
        None => "main",
        Some("prestart") if lifecycle["Sidecar"] == true => "sidecar",
        Some(hook) => hook,
    }
}

fn cpu(task: &Value) -> f64 {
    assert!(
        task["Cpu"]["ReservedCores"].as_array().is_none_or(Vec::is_empty),
        "no recorded task reserves cores"
    );
    task["Cpu"]["CpuShares"].as_f64().unwrap()
}

fn memory(task: &Value) -> f64 {
    task["Memory"]["MemoryMB"].as_f64().unwrap()
}

fn memory_max(task: &Value) -> f64 {
    let max = task["Memory"]["MemoryMaxMB"].as_f64().unwrap_or_default();
    if max > 0.0 { max } else { memory(task) }
}

fn disk(allocation: &Value) -> f64 {
    allocation["AllocatedResources"]["Shared"]["DiskMB"].as_f64().unwrap()
}

async fn shown(name: &str) -> Exposition {
    let simulator = recordings::replay(name).await;
    collect(&simulator.url(), &[]).await
}
