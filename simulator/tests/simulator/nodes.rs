//! Nodes that go down and come back.

use std::collections::BTreeMap;

use nomad_simulator::cluster::{ClientStatus, JobKey, JobSpec, JobType, NodeState, Outcome, TaskGroup};

use crate::world::{HOUR, World, build, empty, seconds};

fn allocations(world: &World, job_type: JobType) -> BTreeMap<ClientStatus, usize> {
    let ledger = world.cluster.ledger();
    let of_type = ledger.allocations.into_iter().filter(|((_, kind, _), _)| *kind == job_type);
    of_type.map(|((_, _, status), count)| (status, count)).collect()
}

#[tokio::test]
async fn what_ran_on_a_down_node_is_lost_and_replaced() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("build").running_for(seconds(60)));
    world.cluster.advance(seconds(5));
    world.cluster.node_down(world.nodes[0]);
    world.cluster.advance(seconds(1));
    assert_eq!(allocations(&world, JobType::Batch), BTreeMap::from([(ClientStatus::Lost, 1)]));
    assert_eq!(world.cluster.ledger().queued, BTreeMap::from([(JobKey::new("ci", "build"), 1)]));
    let other = world.cluster.register_node(crate::world::node(1));
    world.cluster.advance(seconds(5));
    assert_eq!(world.cluster.ledger().loads[&other].live, BTreeMap::from([(ClientStatus::Running, 1)]));
    world.cluster.advance(seconds(60));
    let completion = world.cluster.ledger().history[0].completion.expect("done");
    assert_eq!((completion.outcome, completion.by_summary), (Outcome::Complete, Outcome::Lost));

    let served = world.serve().await;
    let rows = served.rows("/v1/allocations?namespace=*&filter=ClientStatus==lost").await;
    assert_eq!(rows[0]["DesiredStatus"], "stop");
    assert_eq!(rows[0]["DesiredDescription"], "alloc is lost since its node is down");
    let node = served.object(&format!("/v1/node/{}", served.nodes[0])).await;
    assert_eq!(node["Status"], "down");
}

#[test]
fn a_node_comes_back_empty() {
    let mut world = empty("2.0.5", 2);
    world.cluster.submit(JobSpec::system("agent"));
    world.cluster.submit(JobSpec::service("web").with_count(2));
    world.cluster.advance(seconds(5));
    world.cluster.node_down(world.nodes[0]);
    world.cluster.advance(seconds(30));
    assert_eq!(world.cluster.ledger().nodes, BTreeMap::from([(NodeState::Down, 1), (NodeState::Active, 1)]));
    assert!(world.cluster.ledger().loads[&world.nodes[0]].live.is_empty());
    world.cluster.node_up(world.nodes[0]);
    world.cluster.advance(seconds(5));
    let live = world.cluster.ledger().loads[&world.nodes[0]].live.clone();
    assert_eq!(live, BTreeMap::from([(ClientStatus::Running, 1)]), "the system job only");
}

fn edge(version: &str) -> World {
    let mut world = empty(version, 1);
    let group = TaskGroup { max_client_disconnect: Some(HOUR), ..TaskGroup::new("g") };
    world.cluster.submit(JobSpec { groups: vec![group], ..JobSpec::service("edge") });
    world.cluster.submit(build("build"));
    world.cluster.advance(seconds(20));
    world.cluster.disconnect(world.nodes[0]);
    world.cluster.advance(seconds(2));
    world
}

#[tokio::test]
async fn what_may_be_out_of_sight_is_unknown_and_runs_on() {
    let mut world = edge("2.0.5");
    assert_eq!(allocations(&world, JobType::Service), BTreeMap::from([(ClientStatus::Unknown, 1)]));
    assert_eq!(allocations(&world, JobType::Batch), BTreeMap::from([(ClientStatus::Lost, 1)]));
    assert_eq!(world.cluster.ledger().nodes, BTreeMap::from([(NodeState::Disconnected, 1)]));
    world.cluster.node_up(world.nodes[0]);
    world.cluster.advance(seconds(2));
    assert_eq!(allocations(&world, JobType::Service), BTreeMap::from([(ClientStatus::Running, 1)]));
}

#[test]
fn patience_ends() {
    let mut world = edge("2.0.5");
    world.cluster.advance(HOUR);
    assert_eq!(allocations(&world, JobType::Service), BTreeMap::from([(ClientStatus::Lost, 1)]));
    assert_eq!(world.cluster.ledger().nodes, BTreeMap::from([(NodeState::Down, 1)]));
}

#[test]
fn versions_before_1_3_know_only_down() {
    let world = edge("1.1.18");
    assert_eq!(allocations(&world, JobType::Service), BTreeMap::from([(ClientStatus::Lost, 1)]));
    assert_eq!(world.cluster.ledger().nodes, BTreeMap::from([(NodeState::Down, 1)]));
}

#[tokio::test]
async fn a_removed_node_takes_its_allocations_along() {
    let mut world = empty("2.0.5", 2);
    world.cluster.submit(JobSpec::service("web").with_count(4));
    world.cluster.advance(seconds(20));
    for node in world.nodes.clone().into_iter().take(1) {
        world.cluster.remove_node(node);
    }
    world.cluster.advance(seconds(20));
    let running = allocations(&world, JobType::Service)[&ClientStatus::Running];
    assert_eq!(running, 4);
    let served = world.serve().await;
    assert_eq!(served.rows("/v1/nodes").await.len(), 1);
}

#[tokio::test]
async fn host_statistics_need_a_path_to_the_node() {
    let mut world = empty("2.0.5", 2);
    world.cluster.node_down(world.nodes[1]);
    let served = world.serve().await;
    let stats = served.object(&format!("/v1/client/stats?node_id={}", served.nodes[0])).await;
    assert_eq!(stats["Memory"]["Total"], 8192_u64 * 1024 * 1024);
    let url = served.simulator.url();
    let reply = crate::client::get(&url, &format!("/v1/client/stats?node_id={}", served.nodes[1])).await;
    assert_eq!((reply.status, reply.text()), (404, "No path to node"));
}
