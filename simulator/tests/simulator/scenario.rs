//! The demonstration, and that the same seed tells the same story.

use std::sync::{Arc, Mutex};

use nomad_simulator::cluster::NodeState;
use nomad_simulator::{Cluster, Scenario, Settings, SharedCluster, Simulator};

use crate::client::get;
use crate::world::seconds;

fn play(seed: u64, minutes: u64) -> (Cluster, Scenario) {
    let (mut cluster, mut scenario) = Scenario::new(Settings { seed, ..Settings::default() }, 12);
    scenario.advance(&mut cluster, seconds(minutes * 60));
    (cluster, scenario)
}

async fn bytes(cluster: Cluster) -> Vec<u8> {
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.into()).await.expect("a free port");
    let mut all = Vec::new();
    for target in [
        "/v1/jobs?namespace=*",
        "/v1/nodes?resources=true",
        "/v1/allocations?namespace=*&resources=true",
        "/v1/evaluations?namespace=*",
        "/v1/deployments?namespace=*",
        "/v1/agent/members",
    ] {
        all.extend(get(&simulator.url(), target).await.body);
    }
    all
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() {
    let first = bytes(play(7, 6).0).await;
    assert_eq!(first, bytes(play(7, 6).0).await);
    assert_ne!(first, bytes(play(8, 6).0).await);
}

#[test]
fn steps_of_any_size_lead_to_the_same_cluster() {
    let (whole, _) = play(3, 5);
    let (mut cluster, mut scenario) = Scenario::new(Settings { seed: 3, ..Settings::default() }, 12);
    for _ in 0..(5 * 60 * 4) {
        scenario.advance(&mut cluster, seconds(1) / 4);
    }
    assert_eq!(format!("{:?}", cluster.ledger()), format!("{:?}", whole.ledger()));
}

#[test]
fn the_backlog_grows_and_clears_and_nodes_come_and_go() {
    let (mut cluster, mut scenario) = play(1, 10);
    let mut queued = Vec::new();
    let mut states = std::collections::BTreeSet::new();
    for _ in 0..20 * 60 {
        scenario.advance(&mut cluster, seconds(1));
        let ledger = cluster.ledger();
        queued.push(ledger.queued.values().sum::<u32>());
        states.extend(ledger.nodes.keys().copied());
    }
    for window in queued.chunks(240) {
        assert!(window.iter().max() >= Some(&8), "{window:?}");
        assert!(window.iter().min() <= Some(&3), "{window:?}");
    }
    for state in [NodeState::Active, NodeState::Down, NodeState::Draining, NodeState::Ineligible] {
        assert!(states.contains(&state), "{state:?}");
    }
}

/// The scheduler goes by what it keeps on the nodes, the ledger by the allocations themselves.
#[test]
fn no_node_is_ever_overbooked() {
    let (mut cluster, mut scenario) = play(5, 1);
    for _ in 0..15 * 60 {
        scenario.advance(&mut cluster, seconds(1));
        for load in cluster.ledger().loads.values() {
            assert!(load.allocated.cpu <= load.allocatable.cpu, "{load:?}");
            assert!(load.allocated.memory_mb <= load.allocatable.memory_mb, "{load:?}");
        }
    }
}
