//! Every way in which jobs end or hang, as recorded with a real Nomad 2.0.5.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nomad_simulator::cluster::{Cause, JobSpec, Lifecycle, NodeSpec, Reschedule, Task, TaskGroup};
use nomad_simulator::{Cluster, Settings};
use serde_json::Value;

use crate::replay::folder;
use crate::world::{HOUR, Served, World, node, seconds};

/// Jobs that change all the time.
const RESTLESS: [&str; 2] = ["crash-loop", "periodic"];

/// Creates the recorded cluster with its jobs and operations.
pub(crate) fn outcomes(version: &str) -> World {
    let mut cluster = Cluster::new(Settings {
        version: version.parse().expect("a version"),
        startup: (Duration::from_millis(300), Duration::from_millis(900)),
        stopping: Duration::from_millis(50),
        ..Settings::default()
    });
    let mut nodes: Vec<_> = (0..2).map(|number| cluster.register_node(node(number))).collect();
    for number in 2..4 {
        let (datacenter, node_pool) = ("dc2".to_owned(), "builders".to_owned());
        nodes.push(cluster.register_node(NodeSpec { datacenter, node_pool, ..node(number) }));
    }
    submit_builds(&mut cluster);
    cluster.advance(seconds(5));
    let mut nightly = small(JobSpec::batch("nightly-run")).running_for(seconds(1));
    cluster.submit(nightly.clone().failing(1.0));
    submit_others(&mut cluster);
    cluster.advance(seconds(3));
    nightly.failure_probability = 0.0;
    cluster.submit(nightly);
    cluster.submit(with_two_groups().without_group("old"));
    cluster.advance(seconds(1));
    cluster.stop_job("ci", "stopped-by-hand", false);
    cluster.stop_job("default", "stopped-service", false);
    cluster.drain(nodes[3], Some(seconds(10)), false);
    cluster.advance(seconds(180));
    cluster.submit(build("dies-slowly").dying_in(seconds(30)));
    cluster.advance(seconds(3));
    cluster.stop_job("ci", "dies-slowly", false);
    cluster.advance(seconds(2));
    World { cluster, nodes }
}

fn submit_builds(cluster: &mut Cluster) {
    let short = |id: &str| build(id).running_for(seconds(1));
    for id in ["ok-0", "ok-1", "ok-2"] {
        cluster.submit(short(id));
    }
    for (id, cause) in [
        ("exit-1", Cause::Exit(1)),
        ("signal-9", Cause::Signal(9)),
        ("driver-failure", Cause::Driver),
        ("start-error", Cause::Driver),
        ("bad-config", Cause::Validation),
        ("artifact", Cause::Artifact),
    ] {
        cluster.submit(short(id).failing_with(cause));
    }
    cluster.submit(short("sibling").with_task(task("helper", None)).failing_with(Cause::Exit(1)));
    let setup = Task { run_time: seconds(1), ..task("setup", Some(Lifecycle::Prestart)) };
    cluster.submit(short("prestart-fails").with_task(setup).failing_with(Cause::Exit(3)).failing_in("setup"));
    cluster.submit(build("stopped-by-hand"));
    cluster.submit(build("too-long").with_max_run_duration(seconds(5)));
    cluster.submit(short("retried").failing_with(Cause::Exit(1)).with_reschedules(1, seconds(5)));

    let there = |job: JobSpec| job.in_pool("builders").requiring("${node.unique.name}", "client-d");
    cluster.submit(there(build("drained-away").with_count(2)));
    cluster.submit(there(build("finishes-in-drain")).running_for(seconds(15)));
    let mut uploading = there(build("still-uploading")).running_for(seconds(12));
    uploading.groups[0].tasks[0].name = "main".to_owned();
    uploading = uploading.failing_with(Cause::Exit(1)).with_poststop(HOUR);
    cluster.submit(uploading);
}

fn submit_others(cluster: &mut Cluster) {
    cluster.submit(build("never-fits").with_resources(20, 90_000));
    cluster.submit(build("never-meets").requiring("${attr.kernel.name}", "windows"));
    cluster.submit(build("wants-volume").wanting_volume());
    cluster.submit(build("waits-for-room").with_count(9).with_resources(1500, 16));

    let service = |id: &str| small(JobSpec::service(id));
    let crashing = |id: &str| service(id).failing_with(Cause::Exit(1)).running_for(seconds(1));
    cluster.submit(service("web").with_count(3));
    cluster.submit(crashing("crash-loop").restarting(Some(300), seconds(1)));
    cluster.submit(crashing("crash-loop-slow").with_reschedule(seconds(600)));
    cluster.submit(JobSpec { reschedule: Reschedule::NEVER, ..crashing("dead-service") });
    cluster.submit(service("stopped-service"));
    cluster.submit(service("slow-start").starting_in(HOUR));
    cluster.submit(service("zero").with_count(0));
    cluster.submit(with_two_groups());
    cluster.submit(small(JobSpec::system("agent-sys")).in_pool("default"));
    cluster.submit(small(JobSpec::batch("periodic")).every(seconds(60)).running_for(seconds(1)));
}

/// Returns a service with a group that runs, and one that never fits.
fn with_two_groups() -> JobSpec {
    let mut job = small(JobSpec::service("removed-group"));
    job.groups[0].name = "web".to_owned();
    let task = Task { cpu: 90_000, ..task("build-agent", None) };
    job.with_group(TaskGroup { tasks: vec![task], ..TaskGroup::new("old") })
}

fn build(id: &str) -> JobSpec {
    small(JobSpec::batch(id)).in_namespace("ci").running_for(HOUR)
}

/// Sets the names and sizes of the recorded jobs.
fn small(mut job: JobSpec) -> JobSpec {
    job.groups[0].name = "build".to_owned();
    job.groups[0].tasks = vec![task("build-agent", None)];
    job
}

fn task(name: &str, lifecycle: Option<Lifecycle>) -> Task {
    Task { cpu: 20, memory_mb: 16, lifecycle, ..Task::new(name) }
}

fn recorded(file: &str) -> Vec<Value> {
    let body = std::fs::read(folder("2.0.5-outcomes").join(file)).expect("a recorded answer");
    serde_json::from_slice(&body).expect("valid JSON")
}

/// Returns a description of each row by job, in the order of creation.
fn by_job(rows: &[Value], id: &str, says: fn(&Value) -> Vec<String>) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut rows: Vec<&Value> = rows.iter().collect();
    rows.sort_by_key(|row| row["CreateIndex"].as_u64());
    let mut by_job: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for row in rows {
        let job = row[id].as_str().expect("a job").to_owned();
        if !RESTLESS.contains(&job.split('/').next().expect("a name")) {
            by_job.entry(job).or_default().push(says(row));
        }
    }
    // Which of two allocations was placed first is random.
    by_job.values_mut().for_each(|rows| rows.sort());
    by_job
}

/// Describes how an allocation ended, including the order of task events.
fn allocation(row: &Value) -> Vec<String> {
    let text = |field: &str| format!("{field}: {}", row[field]);
    let is_set = |field: &str| format!("{field}: {}", row[field] != "");
    let mut says = vec![text("Name"), text("JobType"), text("TaskGroup"), text("JobVersion")];
    says.extend(["DesiredStatus", "DesiredDescription", "ClientStatus", "ClientDescription"].map(text));
    says.extend(["DesiredTransition", "PreemptedAllocations", "PreemptedByAllocation"].map(text));
    says.extend(["NextAllocation", "FollowupEvalID"].map(is_set));
    for (name, state) in row["TaskStates"].as_object().into_iter().flatten() {
        let of = |field: &str| format!("{name}.{field}: {}", state[field]);
        says.extend(["State", "Failed", "Restarts"].map(of));
        says.extend(["StartedAt", "FinishedAt"].map(|at| format!("{name}.{at}: {}", !state[at].is_null())));
        says.extend(state["Events"].as_array().into_iter().flatten().map(|event| {
            let told = |field: &str| {
                // Messages of drivers and downloads differ.
                let free = ["driver_error", "download_error", "validation_error"];
                let is_free = free.iter().any(|field| !event["Details"][field].is_null());
                if is_free { "...".to_owned() } else { event[field].to_string() }
            };
            format!("{name}: {} {} {}", event["Type"], told("DisplayMessage"), told("Details"))
        }));
    }
    says
}

fn job(row: &Value) -> Vec<String> {
    let text = |field: &str| format!("{field}: {}", row[field]);
    let mut says: Vec<String> =
        ["Namespace", "Type", "Status", "Stop", "Periodic", "Priority"].map(text).to_vec();
    for (group, counts) in row["JobSummary"]["Summary"].as_object().into_iter().flatten() {
        let counts = counts.as_object().into_iter().flatten().filter(|(_, count)| **count != 0);
        says.extend(counts.map(|(name, count)| format!("{group}.{name}: {count}")));
    }
    says
}

/// Describes an evaluation. Omits which evaluation led to a delayed one, because it may be that of the
/// deployment watcher.
fn evaluation(row: &Value) -> Vec<String> {
    let text = |field: &str| format!("{field}: {}", row[field]);
    let mut says: Vec<String> = ["Type", "TriggeredBy", "Status"].map(text).to_vec();
    says.extend(["WaitUntil", "BlockedEval"].map(|field| format!("{field}: {}", !row[field].is_null())));
    says.extend(row["FailedTGAllocs"].as_object().into_iter().flatten().map(|(group, metric)| {
        let of = |field: &str| metric[field].to_string();
        format!(
            "{group}: {} {} {}",
            of("ConstraintFiltered"),
            of("DimensionExhausted"),
            of("CoalescedFailures")
        )
    }));
    says
}

async fn played() -> Served {
    outcomes("2.0.5").serve().await
}

#[tokio::test]
async fn allocations_end_as_recorded() {
    let served = played().await;
    let rows = served.rows("/v1/allocations?namespace=*").await;
    let model = by_job(&rows, "JobID", allocation);
    let real = by_job(&recorded("allocations-namespace.json"), "JobID", allocation);
    assert_eq!(model.keys().collect::<Vec<_>>(), real.keys().collect::<Vec<_>>());
    for (job, expected) in &real {
        assert_eq!(&model[job], expected, "{job}");
    }
}

#[tokio::test]
async fn jobs_and_their_summaries_are_as_recorded() {
    let served = played().await;
    let model = by_job(&served.rows("/v1/jobs?namespace=*").await, "ID", job);
    let real = by_job(&recorded("jobs-namespace.json"), "ID", job);
    for (id, expected) in &real {
        assert_eq!(model.get(id), Some(expected), "{id}");
    }
}

#[tokio::test]
async fn evaluations_are_as_recorded() {
    let watched = |row: &&Value| row["TriggeredBy"] != "deployment-watcher" && row["JobID"] != "dies-slowly";
    let served = played().await;
    let of = |rows: Vec<Value>| -> Vec<Value> { rows.iter().filter(watched).cloned().collect() };
    let model = by_job(&of(served.rows("/v1/evaluations?namespace=*").await), "JobID", evaluation);
    let real = by_job(&of(recorded("evaluations-namespace.json")), "JobID", evaluation);
    for (job, expected) in &real {
        assert_eq!(model.get(job), Some(expected), "{job}");
    }
}

/// A task that restarts repeatedly: the last ten events, and the number of restarts.
#[tokio::test]
async fn a_crash_loop_is_as_recorded() {
    let served = played().await;
    let rows = served.rows("/v1/allocations?namespace=*&filter=JobID==%22crash-loop%22").await;
    let real = recorded(
        "allocations-namespace-task-states-true-filter-any-20taskstates-20as-20k-2c-20v-2-9755.json",
    );
    let task = |rows: &[Value]| rows[0]["TaskStates"]["build-agent"].clone();
    let (model, real) = (task(&rows), task(&real));
    for state in [&model, &real] {
        assert!(state["Restarts"].as_u64().is_some_and(|restarts| restarts > 50), "{state}");
        assert!(
            state["LastRestart"].is_string() && state["StartedAt"].is_string() && state["Failed"] == false
        );
        assert_eq!(state["Events"].as_array().map(Vec::len), Some(10));
    }
    let kinds = |state: &Value| -> BTreeSet<String> {
        state["Events"].as_array().into_iter().flatten().map(|event| event["Type"].to_string()).collect()
    };
    assert_eq!(kinds(&model), kinds(&real));
}

/// Filters find the same rows as those of real servers.
#[tokio::test]
async fn filters_find_what_they_found() {
    let served = played().await;
    for (filter, expected) in [
        ("any TaskStates as k, v { v.Restarts != 0 }", vec!["crash-loop"]),
        (
            r#"(ClientStatus == "complete" or ClientStatus == "failed" or ClientStatus == "lost") and (any TaskStates as k, v { v.State == "running" })"#,
            vec!["still-uploading"],
        ),
        (
            r#"any TaskStates as k, v { any v.Events as e { e.Type == "Driver Failure" } }"#,
            vec!["driver-failure", "start-error"],
        ),
        (r#"Job.Type == "system""#, vec!["agent-sys", "agent-sys"]),
    ] {
        for states in ["", "&task_states=false"] {
            let encoded: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let rows = served.rows(&format!("/v1/allocations?namespace=*{states}&filter={encoded}")).await;
            let mut found: Vec<_> = rows.iter().map(|row| row["JobID"].as_str().expect("a job")).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{filter}");
            let shown = states.is_empty();
            assert!(
                rows.iter().all(|row| row["TaskStates"].is_object() == shown && row.get("Job").is_none())
            );
        }
    }
}
