//! Drains.

use std::collections::BTreeMap;

use nomad_simulator::cluster::{ClientStatus, JobSpec, JobStatus, JobType, NodeState};
use serde_json::Value;

use crate::world::{HOUR, World, build, empty, seconds};

/// Creates two nodes with a build, a service of two and a system job, and drains the node of the build.
fn drained(version: &str, deadline: Option<u64>, ignore_system_jobs: bool) -> (World, usize) {
    let mut world = empty(version, 2);
    world.cluster.submit(build("build").running_for(seconds(120)));
    world.cluster.submit(JobSpec::service("web").with_count(2));
    world.cluster.submit(JobSpec::system("agent"));
    world.cluster.advance(seconds(20));
    let ledger = world.cluster.ledger();
    let busy = world.nodes.iter().position(|node| ledger.loads[node].live[&ClientStatus::Running] == 4);
    let busy = busy.expect("binpacked on one node");
    world.cluster.drain(world.nodes[busy], deadline.map(seconds), ignore_system_jobs);
    (world, busy)
}

fn live(world: &World, node: usize) -> usize {
    world.cluster.ledger().loads[&world.nodes[node]].live.values().sum()
}

fn state(world: &World, node: usize) -> NodeState {
    world.cluster.ledger().loads[&world.nodes[node]].state
}

async fn node(world: World, number: usize) -> Value {
    let served = world.serve().await;
    served.object(&format!("/v1/node/{}", served.nodes[number])).await
}

#[test]
fn services_move_one_by_one_and_batch_jobs_finish() {
    let (mut world, node) = drained("2.0.5", None, false);
    world.cluster.advance(seconds(2));
    assert_eq!(state(&world, node), NodeState::Draining);
    assert_eq!(world.cluster.ledger().loads[&world.nodes[node]].drain_remaining, Some(4));
    world.cluster.advance(seconds(60));
    assert_eq!(live(&world, node), 2, "the build and the system job");
    assert_eq!(live(&world, 1 - node), 3, "two allocations of the service, and the system job");
    world.cluster.advance(seconds(60));
    assert_eq!(state(&world, node), NodeState::Ineligible, "the drain completed when the build ended");
    assert_eq!(live(&world, node), 0, "the system job went last");
    let outcome = world.cluster.ledger().history[0].completion.expect("the build is done").outcome;
    assert_eq!(outcome, nomad_simulator::cluster::Outcome::Complete);
}

#[tokio::test]
async fn the_end_of_a_drain_shows_on_the_node() {
    let (mut world, number) = drained("2.0.5", Some(7200), false);
    let drain = node(drained("2.0.5", Some(7200), false).0, number).await;
    assert_eq!((&drain["Drain"], &drain["SchedulingEligibility"]), (&true.into(), &"ineligible".into()));
    assert_eq!(drain["DrainStrategy"]["Deadline"], 7_200_000_000_000_u64);
    assert_eq!(drain["LastDrain"]["Status"], "draining");
    world.cluster.advance(seconds(150));
    let done = node(world, number).await;
    assert_eq!((&done["Drain"], &done["DrainStrategy"]), (&false.into(), &Value::Null));
    assert_eq!(done["SchedulingEligibility"], "ineligible");
    assert_eq!(done["LastDrain"]["Status"], "complete");
    let last = done["Events"].as_array().and_then(|events| events.last()).expect("an event");
    assert_eq!((&last["Message"], &last["Details"]), (&"Node drain complete".into(), &Value::Null));
}

#[tokio::test]
async fn a_forced_drain_is_over_while_allocations_still_stop() {
    let (mut world, number) = drained("2.0.5", Some(30), false);
    world.cluster.advance(seconds(31));
    assert_eq!(state(&world, number), NodeState::Ineligible, "the drain ends at its deadline");
    assert_eq!(live(&world, number), 2, "the build and the system job are stopping");
    let served = world.serve().await;
    let rows = served.rows("/v1/allocations?namespace=*").await;
    let build = rows.iter().find(|row| row["JobID"] == "build").expect("the build");
    assert_eq!((&build["DesiredStatus"], &build["ClientStatus"]), (&"stop".into(), &"running".into()));
    assert_eq!(build["DesiredTransition"]["MigrateDisablePlacement"], true);
    served.cluster().advance(seconds(10));
    let node = served.object(&format!("/v1/node/{}", served.nodes[number])).await;
    let last = node["Events"].as_array().and_then(|events| events.last()).expect("an event");
    assert_eq!(last["Details"]["deadline_reached"], "true");
    let ledger = served.cluster().ledger();
    assert!(ledger.loads[&served.nodes[number]].live.is_empty());
    let dead = ("ci".to_owned(), JobType::Batch, JobStatus::Dead);
    assert_eq!(ledger.jobs.get(&dead), Some(&1), "the build is not started again");
}

#[test]
fn an_old_version_begins_a_forced_off_build_again() {
    let (mut world, node) = drained("1.4.14", Some(30), false);
    world.cluster.advance(seconds(40));
    assert_eq!(live(&world, node), 0);
    let running = ("ci".to_owned(), JobType::Batch, JobStatus::Running);
    assert_eq!(world.cluster.ledger().jobs.get(&running), Some(&1));
}

#[test]
fn system_jobs_can_be_ignored() {
    let (mut world, node) = drained("2.0.5", Some(10), true);
    world.cluster.advance(seconds(5));
    let remaining = world.cluster.ledger().loads[&world.nodes[node]].drain_remaining;
    assert!(remaining.is_some_and(|remaining| remaining <= 3), "{remaining:?}");
    world.cluster.advance(seconds(60));
    assert_eq!(live(&world, node), 1, "the system job stays");
}

#[tokio::test]
async fn a_drain_can_be_cancelled() {
    let (mut world, number) = drained("2.0.5", Some(3600), false);
    world.cluster.advance(seconds(1));
    world.cluster.cancel_drain(world.nodes[number], true);
    world.cluster.advance(seconds(1));
    assert_eq!(state(&world, number), NodeState::Active);
    let node = node(world, number).await;
    assert_eq!(node["LastDrain"]["Status"], "canceled");
}

#[test]
fn an_empty_node_is_drained_at_once() {
    let mut world = empty("2.0.5", 1);
    world.cluster.drain(world.nodes[0], Some(HOUR), false);
    world.cluster.advance(seconds(0));
    assert_eq!(world.cluster.ledger().nodes, BTreeMap::from([(NodeState::Ineligible, 1)]));
}

#[test]
fn before_the_fix_a_drain_did_not_wait_for_clients() {
    for (version, waits) in [("1.4.8", false), ("1.4.9", true)] {
        let mut world = empty(version, 2);
        world.cluster.submit(JobSpec::service("web"));
        world.cluster.advance(seconds(20));
        let node = (0..2).find(|node| live(&world, *node) == 1).expect("placed");
        world.cluster.drain(world.nodes[node], None, false);
        world.cluster.advance(seconds(1));
        let draining = state(&world, node) == NodeState::Draining;
        assert_eq!((draining, live(&world, node)), (waits, 1), "{version}");
    }
}
