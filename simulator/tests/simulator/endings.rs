//! Ends of allocations, and the outcomes of their jobs.

use nomad_simulator::cluster::{
    Cause, ClientStatus, JobSpec, JobStatus, JobType, Outcome, Preemption, Reschedule, Task, TaskKey,
};
use nomad_simulator::{Cluster, Settings};
use serde_json::Value;

use crate::world::{HOUR, Served, World, build, empty, node, seconds};

fn completion(cluster: &Cluster, id: &str) -> Option<(Outcome, Outcome)> {
    let ledger = cluster.ledger();
    let record = ledger.history.iter().rfind(|record| record.key.id == id).expect("submitted");
    record.completion.map(|completion| (completion.outcome, completion.by_summary))
}

async fn allocations(served: &Served, job: &str) -> Vec<Value> {
    served.rows(&format!("/v1/allocations?namespace=*&filter=JobID=={job}")).await
}

fn says<'a>(row: &'a Value, fields: &[&str]) -> Vec<&'a str> {
    fields.iter().map(|field| row[field].as_str().unwrap_or_default()).collect()
}

const STATUSES: [&str; 2] = ["DesiredStatus", "ClientStatus"];

#[tokio::test]
async fn a_node_is_drained_while_something_is_uploaded() {
    let mut world = empty("2.0.5", 1);
    let job = build("b").running_for(seconds(10)).failing_with(Cause::Exit(1));
    world.cluster.submit(job.with_poststop(seconds(60)));
    world.cluster.advance(seconds(5));
    world.cluster.drain(world.nodes[0], Some(HOUR), false);
    world.cluster.advance(seconds(15));
    assert_eq!(completion(&world.cluster, "b"), Some((Outcome::Failed, Outcome::Failed)));
    let load = world.cluster.ledger().loads[&world.nodes[0]].clone();
    assert_eq!((load.live.len(), load.running_allocations), (0, 1), "the upload continues");
    let served = world.serve().await;
    let node = served.object(&format!("/v1/node/{}", served.nodes[0])).await;
    assert_eq!(node["LastDrain"]["Status"], "complete");
    let rows = served.rows(&format!("/v1/node/{}/allocations", served.nodes[0])).await;
    assert_eq!(rows[0]["ClientStatus"], "failed");
    let state = |row: &Value, task: &str, field: &str| row["TaskStates"][task][field].clone();
    assert_eq!(state(&rows[0], "upload", "State"), "running");
    assert!(state(&rows[0], "upload", "FinishedAt").is_string(), "although it has not finished");
    served.cluster().advance(seconds(60));
    let row = allocations(&served, "b").await.remove(0);
    assert_eq!(state(&row, "upload", "State"), "dead");
    assert_eq!(served.cluster().ledger().loads[&served.nodes[0]].running_allocations, 0);
}

#[tokio::test]
async fn what_comes_after_the_main_tasks_is_pending_before_it_runs() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("b").running_for(seconds(10)).with_poststop(seconds(20)));
    let mut seen: Vec<(String, String)> = Vec::new();
    let served = world.serve().await;
    for _ in 0..400 {
        served.cluster().advance(seconds(1) / 10);
        if let Some(row) = allocations(&served, "b").await.first() {
            let told = (row["ClientStatus"].to_string(), row["ClientDescription"].to_string());
            if seen.last() != Some(&told) {
                seen.push(told);
            }
        }
    }
    let told: Vec<_> = seen.iter().map(|(status, description)| format!("{status} {description}")).collect();
    let (waits, runs) = (r#""pending" "No tasks have started""#, r#""running" "Tasks are running""#);
    let ends = r#""complete" "All tasks have completed""#;
    assert_eq!(told, [r#""pending" """#, waits, runs, waits, runs, ends]);
    assert_eq!(served.cluster().ledger().starts.len(), 1, "it started once");
}

#[tokio::test]
async fn a_client_waits_for_siblings_before_it_reports_a_failure() {
    let mut world = empty("2.0.5", 1);
    let job = build("b").running_for(seconds(10)).with_task(Task::new("helper")).dying_in(seconds(20));
    world.cluster.submit(job.failing_with(Cause::Signal(9)));
    world.cluster.advance(seconds(20));
    let served = world.serve().await;
    let row = allocations(&served, "b").await.remove(0);
    assert_eq!(
        (&row["ClientStatus"], &row["TaskStates"]["main"]["State"]),
        (&"running".into(), &"running".into())
    );
    served.cluster().advance(seconds(20));
    let row = allocations(&served, "b").await.remove(0);
    assert_eq!(row["ClientStatus"], "failed");
    let finished = |task: &str| row["TaskStates"][task]["FinishedAt"].as_str().map(str::to_owned);
    assert!(finished("main") < finished("helper"), "{row}");
    let events = row["TaskStates"]["helper"]["Events"].as_array().expect("events");
    let kinds: Vec<_> = events.iter().map(|event| event["Type"].as_str().expect("a type")).collect();
    let expected =
        ["Received", "Task Setup", "Started", "Sibling Task Failed", "Killing", "Terminated", "Killed"];
    assert_eq!(kinds, expected);
}

/// Creates two builds of which only one fits; the other has a higher priority.
fn preempted(preemption: Preemption) -> World {
    let settings = Settings { preemption, ..Settings::default() };
    let mut cluster = Cluster::new(settings);
    let nodes = vec![cluster.register_node(node(0))];
    cluster.submit(build("low").with_resources(3000, 100).with_priority(30).running_for(seconds(60)));
    cluster.advance(seconds(10));
    cluster.submit(build("high").with_resources(3000, 100).with_priority(80).running_for(seconds(30)));
    cluster.advance(seconds(10));
    World { cluster, nodes }
}

#[tokio::test]
async fn a_more_important_build_evicts_another() {
    let served = preempted(Preemption::ALL).serve().await;
    let (low, high) =
        (allocations(&served, "low").await.remove(0), allocations(&served, "high").await.remove(0));
    assert_eq!(says(&low, &STATUSES), ["evict", "complete"]);
    let by = high["ID"].as_str().expect("an ID");
    assert_eq!(low["PreemptedByAllocation"], by);
    assert_eq!(low["DesiredDescription"], format!("Preempted by alloc ID {by}"));
    assert_eq!(high["PreemptedAllocations"], serde_json::json!([low["ID"]]));
    assert_eq!(high["ClientStatus"], "running");
    let evaluations = served.rows("/v1/evaluations?namespace=ci&job=low").await;
    assert!(evaluations.iter().any(|row| row["TriggeredBy"] == "preemption"));

    served.cluster().advance(seconds(120));
    let rows = allocations(&served, "low").await;
    assert_eq!((rows.len(), &rows[0]["Name"]), (2, &rows[1]["Name"]), "it was replaced");
    assert!(rows.iter().all(|row| row["NextAllocation"] == ""), "without an event about it");
    let cluster = served.cluster();
    assert_eq!(completion(&cluster, "low"), Some((Outcome::Complete, Outcome::Complete)));
    assert_eq!(completion(&cluster, "high"), Some((Outcome::Complete, Outcome::Complete)));
}

#[tokio::test]
async fn nothing_is_evicted_unless_that_is_allowed_and_worth_it() {
    let served = preempted(Preemption::default()).serve().await;
    assert!(allocations(&served, "high").await.is_empty(), "batch jobs must not preempt by default");
    let mut cluster = Cluster::new(Settings { preemption: Preemption::ALL, ..Settings::default() });
    cluster.register_node(node(0));
    for (id, priority) in [("low", 50), ("high", 59)] {
        cluster.submit(build(id).with_resources(3000, 100).with_priority(priority));
        cluster.advance(seconds(10));
    }
    assert!(cluster.allocations_of("ci", "high").is_empty(), "a priority difference of nine is too small");
}

#[tokio::test]
async fn the_fewest_are_evicted() {
    let mut cluster = Cluster::new(Settings { preemption: Preemption::ALL, ..Settings::default() });
    cluster.register_node(node(0));
    for (id, cpu) in [("a", 400), ("b", 400), ("c", 3000)] {
        cluster.submit(build(id).with_resources(cpu, 10).with_priority(20));
        cluster.advance(seconds(5));
    }
    cluster.submit(build("high").with_resources(2500, 10).with_priority(90));
    cluster.advance(seconds(20));
    let evicted: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .filter(|id| {
            let first = cluster.allocations_of("ci", id)[0];
            cluster.allocation_record(first).expect("remembered").outcome == Some(Outcome::Preempted)
        })
        .collect();
    assert_eq!(evicted, ["c"]);
}

#[tokio::test]
async fn an_allocation_that_lasts_too_long_is_complete_while_its_tasks_die() {
    for (version, timed_out) in [("2.0.5", true), ("2.0.1", false)] {
        let mut world = empty(version, 1);
        world.cluster.submit(build("b").with_max_run_duration(seconds(30)).dying_in(seconds(20)));
        world.cluster.advance(seconds(35));
        if !timed_out {
            assert_eq!(completion(&world.cluster, "b"), None, "{version} does not support it");
            continue;
        }
        assert_eq!(completion(&world.cluster, "b"), Some((Outcome::TimedOut, Outcome::Complete)));
        assert_eq!(world.cluster.ledger().loads[&world.nodes[0]].running_allocations, 1);
        let served = world.serve().await;
        let row = allocations(&served, "b").await.remove(0);
        assert_eq!(says(&row, &STATUSES), ["run", "complete"]);
        assert_eq!(row["ClientDescription"], "allocation exceeded max_run_duration");
        assert_eq!(row["TaskStates"]["main"]["State"], "running");
        served.cluster().advance(seconds(30));
        assert_eq!(served.cluster().ledger().loads[&served.nodes[0]].running_allocations, 0);
    }
}

#[tokio::test]
async fn a_drains_deadline_kills_builds() {
    let mut world = empty("2.0.5", 2);
    world.cluster.submit(build("b").with_count(2));
    world.cluster.advance(seconds(10));
    world.nodes.iter().for_each(|node| world.cluster.drain(*node, Some(seconds(5)), false));
    world.cluster.advance(seconds(20));
    assert_eq!(completion(&world.cluster, "b"), Some((Outcome::Drained, Outcome::Complete)));
    let finished = world.cluster.ledger().finished;
    assert_eq!(finished.get(&("ci".to_owned(), JobType::Batch, Outcome::Drained)), Some(&1));
    assert_eq!(world.cluster.ledger().ended, finished);
    let served = world.serve().await;
    let row = allocations(&served, "b").await.remove(0);
    assert_eq!(says(&row, &STATUSES), ["stop", "complete"]);
    assert_eq!(row["DesiredDescription"], "alloc is being migrated");
    assert_eq!(served.cluster().ledger().failures.len(), 0);
}

/// Before 1.11, a build killed by a drain started again elsewhere; some of the killed allocations had failed
/// with exit code 0.
#[tokio::test]
async fn older_versions_begin_killed_builds_again() {
    let mut world = empty("1.10.5", 2);
    for number in 0..10 {
        world.cluster.submit(build(&format!("b{number}")).running_for(seconds(60)));
    }
    world.cluster.advance(seconds(10));
    let busy = |world: &World| {
        world.nodes.iter().max_by_key(|node| world.cluster.ledger().loads[node].running_allocations).copied()
    };
    let drained = busy(&world).expect("a node");
    world.cluster.drain(drained, Some(seconds(5)), false);
    world.cluster.advance(seconds(20));
    let served = world.serve().await;
    let rows = served.rows("/v1/allocations?namespace=ci").await;
    let killed: Vec<_> =
        rows.iter().filter(|row| row["DesiredDescription"] == "alloc is being migrated").collect();
    assert!(!killed.is_empty());
    for row in &killed {
        let state = &row["TaskStates"]["main"];
        assert_eq!(state["Failed"] == true, row["ClientStatus"] == "failed", "{row}");
        assert!(row["NextAllocation"].as_str().is_some_and(|next| !next.is_empty()), "{row}");
        let terminated =
            state["Events"].as_array().into_iter().flatten().find(|event| event["Type"] == "Terminated");
        assert_eq!(terminated.expect("it ended")["Details"]["exit_code"], "0");
    }
    served.cluster().advance(seconds(90));
    let ledger = served.cluster().ledger();
    assert_eq!(ledger.ended.get(&("ci".to_owned(), JobType::Batch, Outcome::Complete)), Some(&10));
    assert!(
        ledger.failures.is_empty() && ledger.failed_allocations.is_empty(),
        "what a drain kills does not fail"
    );
}

#[tokio::test]
async fn what_was_lost_ends_when_its_client_is_back() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("b").running_for(seconds(60)));
    world.cluster.advance(seconds(10));
    world.cluster.node_down(world.nodes[0]);
    world.cluster.advance(seconds(10));
    let load = world.cluster.ledger().loads[&world.nodes[0]].clone();
    assert_eq!((load.live.len(), load.running_allocations), (0, 1), "the servers still regard it as running");
    world.cluster.register_node(node(1));
    world.cluster.advance(seconds(90));
    assert_eq!(completion(&world.cluster, "b"), Some((Outcome::Complete, Outcome::Lost)));
    let served = world.serve().await;
    let summary = async || served.object("/v1/job/b/summary?namespace=ci").await["Summary"]["group"].clone();
    assert_eq!((&summary().await["Lost"], &summary().await["Complete"]), (&1.into(), &1.into()));
    served.cluster().node_up(served.nodes[0]);
    served.cluster().advance(seconds(10));
    assert_eq!((&summary().await["Lost"], &summary().await["Complete"]), (&0.into(), &2.into()));
    assert_eq!(says(&allocations(&served, "b").await[0], &STATUSES), ["stop", "complete"]);
    assert_eq!(served.cluster().ledger().loads[&served.nodes[0]].running_allocations, 0);
}

#[tokio::test]
async fn a_job_told_to_stop_is_dead_while_it_goes_on() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("b").dying_in(seconds(60)));
    world.cluster.advance(seconds(10));
    world.cluster.stop_job("ci", "b", false);
    world.cluster.advance(seconds(10));
    assert_eq!(completion(&world.cluster, "b"), Some((Outcome::Stopped, Outcome::Stopped)));
    let served = world.serve().await;
    assert_eq!(says(&allocations(&served, "b").await[0], &STATUSES), ["stop", "running"]);
    served.cluster().advance(seconds(60));
    assert_eq!(says(&allocations(&served, "b").await[0], &STATUSES), ["stop", "complete"]);
}

/// Nomad treats it like a drain, except for one field.
#[tokio::test]
async fn an_allocation_that_somebody_stops_is_migrated() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("b").running_for(seconds(60)));
    world.cluster.advance(seconds(10));
    let allocation = world.cluster.allocations_of("ci", "b")[0];
    world.cluster.stop_one_allocation(allocation);
    world.cluster.advance(seconds(10));
    let record = world.cluster.allocation_record(allocation).expect("remembered");
    assert_eq!(record.outcome, Some(Outcome::Stopped));
    let served = world.serve().await;
    let rows = allocations(&served, "b").await;
    assert_eq!((rows.len(), says(&rows[0], &STATUSES)), (2, vec!["stop", "complete"]));
    assert_eq!(rows[0]["DesiredDescription"], "alloc is being migrated");
    assert_eq!(rows[0]["DesiredTransition"]["NoShutdownDelay"], false);
    served.cluster().advance(seconds(90));
    assert_eq!(completion(&served.cluster(), "b"), Some((Outcome::Complete, Outcome::Complete)));
}

#[test]
fn tasks_are_started_again_and_counted() {
    let mut world = empty("2.0.5", 1);
    let job = build("b").running_for(seconds(10)).failing_with(Cause::OutOfMemory);
    world.cluster.submit(job.restarting(Some(2), seconds(15)));
    world.cluster.advance(seconds(120));
    let key = |job: &str| TaskKey {
        job: nomad_simulator::cluster::JobKey::new("ci", job),
        job_type: JobType::Batch,
        group: "group".to_owned(),
        task: "main".to_owned(),
    };
    let ledger = world.cluster.ledger();
    assert_eq!((ledger.restarts.get(&key("b")), ledger.oom_kills.get(&key("b"))), (Some(&2), Some(&3)));
    let oom = ("ci".to_owned(), JobType::Batch, "oom");
    assert_eq!((ledger.failures.get(&oom), ledger.failed_allocations.get(&oom)), (Some(&1), Some(&1)));
    let record =
        world.cluster.allocation_record(world.cluster.allocations_of("ci", "b")[0]).expect("remembered");
    assert_eq!((record.restarts, record.oom_kills, record.client), (2, 3, ClientStatus::Failed));
    assert_eq!(record.cause, Some(Cause::OutOfMemory));
    world.cluster.garbage_collect();
    let ledger = world.cluster.ledger();
    assert_eq!((ledger.failures.get(&oom), ledger.failed_allocations.get(&oom)), (Some(&1), None));
}

/// A service whose only allocation waits to be rescheduled: nothing runs, nothing is queued.
#[test]
fn a_delayed_evaluation_waits_for_its_time() {
    for (version, status) in [("2.0.5", JobStatus::Running), ("1.4.14", JobStatus::Pending)] {
        let mut world = empty(version, 1);
        let job = JobSpec::service("web").running_for(seconds(1)).failing_with(Cause::Exit(1));
        world.cluster.submit(job.with_reschedule(seconds(600)));
        world.cluster.advance(seconds(60));
        let ledger = world.cluster.ledger();
        let key = ("default".to_owned(), JobType::Service);
        assert_eq!(ledger.delayed_evaluations.get(&key), Some(&1), "{version}");
        assert!(ledger.pending_evaluations.is_empty() && ledger.queued.is_empty());
        assert_eq!(ledger.jobs.keys().map(|(.., status)| *status).collect::<Vec<_>>(), [status], "{version}");
    }
}

#[tokio::test]
async fn an_unchanged_group_runs_on_in_a_new_version() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(JobSpec::service("web"));
    world.cluster.advance(seconds(30));
    world.cluster.submit(JobSpec::service("web").with_count(2));
    world.cluster.advance(seconds(30));
    let served = world.serve().await;
    let rows = allocations(&served, "web").await;
    let versions: Vec<_> = rows.iter().map(|row| (&row["ClientStatus"], &row["JobVersion"])).collect();
    assert_eq!(versions, [(&"running".into(), &1.into()), (&"running".into(), &1.into())]);
    let deployments = served.rows("/v1/deployments?namespace=default").await;
    assert_eq!(deployments.last().expect("one")["Status"], "successful");
}

#[test]
fn a_service_that_is_not_tried_again_is_dead() {
    let mut world = empty("2.0.5", 1);
    let job = JobSpec::service("web").running_for(seconds(1)).failing_with(Cause::Validation);
    world.cluster.submit(JobSpec { reschedule: Reschedule::NEVER, ..job });
    world.cluster.advance(seconds(30));
    assert_eq!(completion(&world.cluster, "web"), Some((Outcome::Failed, Outcome::Failed)));
}
