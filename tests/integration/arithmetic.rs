//! Compares the exporter's numbers with values calculated from the recorded JSON. The calculation shares no
//! code with the exporter: it sums plain JSON values by the definitions in docs/metrics.md.

use std::collections::{BTreeMap, BTreeSet};

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

/// Compares every expected value with its series, and the sum of the metric with the sum of all expected
/// values, so that there are no other series.
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
async fn jobs_by_status_without_parents() {
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
        let recorded = if name == "2.0.5-outcomes" { 1.0 } else { 2.0 };
        assert_eq!(shown.sum("nomad_job_templates", &[("status", "running")]), Some(recorded), "{name}");
    }
}

/// Returns the outcome of an allocation: descriptions of servers and client first, then statuses.
fn outcome_of(allocation: &Value) -> &'static str {
    let (client, desired) = (text(allocation, "ClientStatus"), text(allocation, "DesiredStatus"));
    if client == "lost" {
        "lost"
    } else if desired == "evict" {
        "preempted"
    } else if desired == "stop" && text(allocation, "DesiredDescription") == "alloc is being migrated" {
        "drained"
    } else if client == "failed" {
        "failed"
    } else if text(allocation, "ClientDescription").contains("exceeded max_run_duration") {
        "timeout"
    } else if desired == "stop" {
        "stopped"
    } else {
        "complete"
    }
}

/// Returns the outcome of a dead job: the worst of the newest allocations of each name, of the highest
/// version.
fn outcome(job: &Value, allocations: &[Value]) -> &'static str {
    if job["Stop"] == true {
        return "stopped";
    }
    let is_its = |row: &&Value| row["Namespace"] == job["Namespace"] && row["JobID"] == job["ID"];
    let its: Vec<&Value> = allocations.iter().filter(is_its).collect();
    let version = its.iter().map(|row| row["JobVersion"].as_u64()).max().flatten();
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for row in its.iter().filter(|row| row["JobVersion"].as_u64() == version) {
        let known = newest.entry(text(row, "Name")).or_insert(row);
        if row["CreateIndex"].as_u64() > known["CreateIndex"].as_u64() {
            *known = row;
        }
    }
    let ended: Vec<&str> = newest.values().map(|row| outcome_of(row)).collect();
    let worst_first = ["failed", "lost", "timeout", "preempted", "drained", "stopped", "complete"];
    worst_first.into_iter().find(|word| ended.contains(word)).unwrap_or("unknown")
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_jobs_by_outcome() {
    for name in recordings::readable() {
        let shown = shown(name).await;
        let (jobs, allocations) = (recordings::rows(name, JOBS), recordings::rows(name, ALLOCATIONS));
        let key = |job: &Value| {
            let mut key = texts(job, &["Namespace", "Type"]);
            key.push(outcome(job, &allocations).to_owned());
            key
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

/// Checks the recorded jobs whose names are their outcomes.
#[test]
fn recorded_jobs_have_the_outcome_in_their_name() {
    let name = "2.0.5-outcomes";
    let (jobs, allocations) = (recordings::rows(name, JOBS), recordings::rows(name, ALLOCATIONS));
    for (id, expected) in [
        ("ok-0", "complete"),
        ("exit-1", "failed"),
        ("drained-away", "drained"),
        ("finishes-in-drain", "complete"),
        ("stopped-by-hand", "stopped"),
        ("too-long", "timeout"),
        ("retried", "failed"),
        ("nightly-run", "complete"),
        ("still-uploading", "failed"),
        ("dies-slowly", "stopped"),
    ] {
        let job = jobs.iter().find(|job| text(job, "ID") == id).unwrap();
        assert_eq!(outcome(job, &allocations), expected, "{id}");
    }
}

/// Returns the evaluations of a recording. Before 1.2.4 they cannot be listed for all namespaces; those
/// folders have the evaluations of some jobs.
fn evaluations(name: &str) -> Vec<Value> {
    if !name.starts_with("1.1") {
        return recordings::rows(name, "evaluations-namespace.json");
    }
    let folder = crate::support::path("tests/fixtures/recordings").join(name);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let files = files.map(|file| file.into_string().unwrap());
    files
        .filter(|file| file.starts_with("job-") && file.ends_with("-evaluations.json"))
        .flat_map(|file| recordings::rows(name, &file))
        .collect()
}

/// Returns whether an evaluation is pending and must not be processed yet. In most recordings the delays of
/// minutes are over, because this test collects days later; only `2.0.5-after` was recorded late enough.
fn is_delayed(evaluation: &Value) -> bool {
    let until: Option<jiff::Timestamp> = evaluation["WaitUntil"].as_str().and_then(|text| text.parse().ok());
    let now = crate::support::collect::now();
    text(evaluation, "Status") == "pending" && until.is_some_and(|until| until > now.try_into().unwrap())
}

/// A job has queued allocations if an evaluation of it waits, and if its current specification has the group.
#[tokio::test(flavor = "multi_thread")]
async fn queued_allocations() {
    for name in recordings::readable() {
        let shown = shown(name).await;
        let evaluations = evaluations(name);
        let waits = |job: &Value| {
            evaluations.iter().any(|row| {
                let is_waiting = text(row, "Status") == "blocked" || text(row, "Status") == "pending";
                row["Namespace"] == job["Namespace"]
                    && row["JobID"] == job["ID"]
                    && is_waiting
                    && !is_delayed(row)
            })
        };
        let mut queued: BTreeMap<Vec<String>, f64> = BTreeMap::new();
        for job in recordings::rows(name, JOBS).iter().filter(|job| text(job, "Status") != "dead") {
            let key = texts(job, &["Namespace", "Type", "NodePool"]);
            for (group, summary) in job["JobSummary"]["Summary"].as_object().unwrap() {
                // The only recorded removed group belongs to a job without waiting evaluations.
                let is_phantom = text(job, "ID") == "removed-group" && group != "web";
                assert!(!is_phantom || !waits(job), "{name}");
                if waits(job) {
                    *queued.entry(key.clone()).or_default() += summary["Queued"].as_f64().unwrap().max(0.0);
                }
            }
        }
        assert_family(&shown, "nomad_queued_allocations", &["namespace", "job_type", "node_pool"], &queued);
    }
}

/// A pending job waits since its submission, or since its oldest evaluation if it ran before.
#[tokio::test(flavor = "multi_thread")]
async fn pending_jobs_and_their_age() {
    for name in recordings::readable() {
        let shown = shown(name).await;
        let evaluations = evaluations(name);
        let mut expected: BTreeMap<Vec<String>, f64> = BTreeMap::new();
        for job in recordings::rows(name, JOBS).iter().filter(|job| text(job, "Status") == "pending") {
            let groups = job["JobSummary"]["Summary"].as_object().unwrap();
            let ended = |group: &Value| ["Complete", "Failed", "Lost"].iter().any(|key| group[key] != 0);
            let of_job = evaluations.iter().filter(|row| {
                let is_open = matches!(text(row, "Status"), "blocked" | "pending");
                row["Namespace"] == job["Namespace"] && row["JobID"] == job["ID"] && is_open
            });
            let since = match groups.values().any(ended) {
                true => of_job.map(|row| row["CreateTime"].as_f64().unwrap()).reduce(f64::min),
                false => job["SubmitTime"].as_f64(),
            };
            if let Some(since) = since {
                expected.insert(texts(job, &["Namespace", "ID"]), since / 1e9);
            }
        }
        let found = shown.find("nomad_pending_job_timestamp_seconds", &[]);
        let found: BTreeMap<Vec<String>, f64> = found
            .map(|sample| {
                let labels = ["namespace", "job_id"].map(|label| sample.labels[label].clone());
                (labels.to_vec(), sample.value)
            })
            .collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}");
        for (job, since) in &expected {
            assert!((found[job] - since).abs() < 1e-3, "{name}: {job:?}");
        }
        let ages = shown.sum("nomad_pending_jobs_age_seconds_count", &[]);
        assert_eq!(ages, Some(expected.len() as f64), "{name}");
    }
}

/// A partly placed job is running, and its other allocations are queued.
#[tokio::test(flavor = "multi_thread")]
async fn a_partly_placed_job_is_running_with_queued_allocations() {
    for name in recordings::readable().filter(|name| *name != "2.0.5-outcomes") {
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
        // No recorded node reserves cores for the system, and no recorded task reserves cores.
        check("nomad_node_allocatable_cores", &|node| {
            node["NodeResources"]["Cpu"]["ReservableCpuCores"].as_array().unwrap().len() as f64
        });
        assert_eq!(shown.find("nomad_node_allocated_cores", &[]).count(), 0, "no cores are reserved");
    }
}

/// Sums over the active nodes of each pool, and the largest free amount on one of them.
#[tokio::test(flavor = "multi_thread")]
async fn capacity_of_each_pool() {
    const MIB: f64 = 1024.0 * 1024.0;
    for name in recordings::readable() {
        let shown = shown(name).await;
        let nodes = recordings::rows(name, NODES);
        let allocations = recordings::rows(name, ALLOCATIONS);
        let pools: BTreeSet<&str> = nodes.iter().map(|node| text(node, "NodePool")).collect();
        for (resource, part, key, dimension, unit) in [
            ("cpu_hertz", "Cpu", "CpuShares", cpu as fn(&Value) -> f64, 1e6),
            ("memory_bytes", "Memory", "MemoryMB", memory, MIB),
        ] {
            let mut expected: [BTreeMap<Vec<String>, f64>; 3] = Default::default();
            for pool in &pools {
                let is_active = |node: &&Value| {
                    text(node, "NodePool") == *pool
                        && text(node, "Status") == "ready"
                        && node["Drain"] != true
                        && text(node, "SchedulingEligibility") != "ineligible"
                };
                let active: Vec<(f64, f64)> = nodes
                    .iter()
                    .filter(is_active)
                    .map(|node| {
                        let side = |side: &str| node[side][part][key].as_f64().unwrap_or_default();
                        let live =
                            allocations.iter().filter(|row| row["NodeID"] == node["ID"] && !is_terminal(row));
                        let allocated: f64 = live.map(|row| needs(row, dimension)).sum();
                        ((side("NodeResources") - side("ReservedResources")) * unit, allocated * unit)
                    })
                    .collect();
                let values = [
                    active.iter().map(|(has, _)| has).sum(),
                    active.iter().map(|(_, allocated)| allocated).sum(),
                    active.iter().map(|(has, allocated)| has - allocated).fold(0.0, f64::max),
                ];
                for (expected, value) in expected.iter_mut().zip(values) {
                    expected.insert(vec![(*pool).to_owned()], value);
                }
            }
            for (kind, expected) in ["allocatable", "allocated", "largest_free"].iter().zip(&expected) {
                assert_family(&shown, &format!("nomad_pool_{kind}_{resource}"), &["node_pool"], expected);
            }
        }
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

/// The same sums as by node, with a different grouping.
#[tokio::test(flavor = "multi_thread")]
async fn allocated_resources_by_namespace_and_job_type() {
    const MIB: f64 = 1024.0 * 1024.0;
    for name in recordings::readable() {
        let shown = shown(name).await;
        let allocations = recordings::rows(name, ALLOCATIONS);
        for (family, dimension, unit) in [
            ("nomad_allocated_cpu_hertz", cpu as fn(&Value) -> f64, 1e6),
            ("nomad_allocated_memory_bytes", memory, MIB),
        ] {
            let mut expected: BTreeMap<Vec<String>, f64> = BTreeMap::new();
            for row in allocations.iter().filter(|row| !is_terminal(row)) {
                *expected.entry(texts(row, &["Namespace", "JobType"])).or_default() +=
                    needs(row, dimension) * unit;
            }
            assert!(!expected.is_empty(), "{name}");
            assert_family(&shown, family, &["namespace", "job_type"], &expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_evaluations() {
    // Before 1.2.4 evaluations cannot be listed for all namespaces, so those folders have no list.
    for name in recordings::readable().filter(|name| !name.starts_with("1.1")) {
        let shown = shown(name).await;
        let evaluations = recordings::rows(name, "evaluations-namespace.json");
        let key = |row: &Value| texts(row, &["Namespace", "Type"]);
        let of_status =
            |status: &'static str| evaluations.iter().filter(move |row| text(row, "Status") == status);
        let pending = |delayed| of_status("pending").filter(move |row| is_delayed(row) == delayed);
        let labels = ["namespace", "job_type"];
        assert_family(&shown, "nomad_blocked_evaluations", &labels, &count(of_status("blocked"), key));
        assert_family(&shown, "nomad_pending_evaluations", &labels, &count(pending(false), key));
        assert_family(&shown, "nomad_delayed_evaluations", &labels, &count(pending(true), key));
        let oldest =
            of_status("blocked").map(|row| row["CreateTime"].as_f64().unwrap() / 1e9).reduce(f64::min);
        let found = shown.find("nomad_blocked_evaluations_oldest_timestamp_seconds", &[]);
        let found = found.map(|sample| sample.value).reduce(f64::min);
        assert!((found.unwrap() - oldest.unwrap()).abs() < 1e-3, "{name}");
    }
}

/// Returns Nomad's total of an allocation for one resource. Every recorded task group has at most one task
/// per lifecycle beside its main tasks, so the three phases can be written out.
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
