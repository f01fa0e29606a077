//! Drains over HTTP, and the permissions of tokens.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nomad_simulator::cluster::{Acl, NodeState, Policy};
use nomad_simulator::{Cluster, Fault, Settings};

use crate::client::{get, put};
use crate::world::{Served, World, build, empty, node, seconds};

const DRAIN: &str = r#"{"DrainSpec":{"Deadline":3600000000000,"IgnoreSystemJobs":true}}"#;
const CANCEL: &str = r#"{"DrainSpec":null,"MarkEligible":true}"#;

async fn drained(served: &Served, body: &str) -> u16 {
    put(&served.simulator.url(), &format!("/v1/node/{}/drain", served.nodes[0]), "", body).await.status
}

fn state(served: &Served) -> NodeState {
    served.cluster().ledger().loads[&served.nodes[0]].state
}

/// Creates a node with a build.
async fn busy() -> Served {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("build"));
    world.cluster.advance(seconds(10));
    world.serve().await
}

#[tokio::test]
async fn a_drain_begins_and_is_cancelled() {
    let served = busy().await;
    let target = format!("/v1/node/{}", served.nodes[0]);
    assert_eq!((drained(&served, DRAIN).await, state(&served)), (200, NodeState::Draining));
    let shown = served.object(&target).await;
    assert_eq!(shown["DrainStrategy"]["IgnoreSystemJobs"], true);
    assert_eq!((drained(&served, CANCEL).await, state(&served)), (200, NodeState::Active));
    assert_eq!(served.object(&target).await["LastDrain"]["Status"], "canceled");
}

#[tokio::test]
async fn a_drain_that_is_sent_again_keeps_its_start_and_has_a_new_deadline() {
    let served = busy().await;
    let target = format!("/v1/node/{}", served.nodes[0]);
    drained(&served, DRAIN).await;
    let first = served.object(&target).await["DrainStrategy"].clone();
    served.cluster().advance(seconds(60));
    drained(&served, DRAIN).await;
    let second = served.object(&target).await["DrainStrategy"].clone();
    assert_eq!(first["StartedAt"], second["StartedAt"]);
    assert_ne!(first["ForceDeadline"], second["ForceDeadline"]);
}

#[tokio::test]
async fn a_deadline_may_be_none_or_now() {
    for (deadline, over) in [("0", false), ("-1", true)] {
        let served = busy().await;
        drained(&served, &format!(r#"{{"DrainSpec":{{"Deadline":{deadline}}}}}"#)).await;
        served.cluster().advance(seconds(1));
        let expected = if over { NodeState::Ineligible } else { NodeState::Draining };
        assert_eq!(state(&served), expected, "{deadline}");
    }
}

#[tokio::test]
async fn nodes_take_work_or_not() {
    let served = busy().await;
    let target = format!("/v1/node/{}/eligibility", served.nodes[0]);
    let url = served.simulator.url();
    let set = async |word: &str| {
        let reply = put(&url, &target, "", &format!(r#"{{"Eligibility":"{word}"}}"#)).await;
        (reply.status, reply.text().to_owned())
    };
    assert_eq!((set("ineligible").await.0, state(&served)), (200, NodeState::Ineligible));
    assert_eq!((set("eligible").await.0, state(&served)), (200, NodeState::Active));
    assert_eq!(set("perhaps").await, (500, "invalid scheduling eligibility \"perhaps\"".to_owned()));
    drained(&served, DRAIN).await;
    let (status, text) = set("eligible").await;
    assert!(status == 500 && text.contains("while it is draining"), "{status} {text}");
}

#[tokio::test]
async fn writes_need_a_right_a_leader_and_a_node() {
    let operator = Policy { management: false, ..Policy::operator() };
    let tokens = [("read", Policy::exporter()), ("write", operator)];
    let tokens = tokens.map(|(token, policy)| (token.to_owned(), policy));
    let acl = Acl::On(BTreeMap::from(tokens));
    let mut cluster = Cluster::new(Settings { acl, ..Settings::default() });
    let nodes = vec![cluster.register_node(node(0))];
    let served = World { cluster, nodes }.serve().await;
    let url = served.simulator.url();
    let target = format!("/v1/node/{}/drain", served.nodes[0]);
    let refused = put(&url, &target, "read", DRAIN).await;
    assert_eq!((refused.status, refused.text()), (403, "Permission denied"));
    let unknown = "/v1/node/00000000-0000-0000-0000-000000000000/drain";
    let refused = put(&url, unknown, "write", DRAIN).await;
    assert_eq!((refused.status, refused.text()), (500, "node not found"));
    assert_eq!(put(&url, "/v1/jobs", "write", "{}").await.status, 405);
    assert_eq!(put(&url, &target, "write", "{").await.status, 400);
    served.cluster().lose_leader();
    assert_eq!(put(&url, &target, "write", DRAIN).await.text(), "No cluster leader");
    served.cluster().elect_leader();
    assert_eq!(put(&url, &target, "write", DRAIN).await.status, 200);
}

#[tokio::test]
async fn a_question_about_what_comes_next_waits_for_it() {
    let served = busy().await;
    let url = served.simulator.url();
    let index = get(&url, "/v1/nodes").await.header("x-nomad-index").expect("an index").to_owned();
    let started = Instant::now();
    get(&url, &format!("/v1/nodes?index={index}&wait=100ms")).await;
    assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
    let target = format!("/v1/nodes?index={index}&wait=60s");
    let (reply, _) = tokio::join!(get(&url, &target), drained(&served, DRAIN));
    assert_ne!(reply.header("x-nomad-index"), Some(index.as_str()));
    assert!(started.elapsed() < Duration::from_secs(10));
    served.simulator.faults().set("/v1/nodes", Fault::Index(3));
    assert_eq!(get(&url, &target).await.header("x-nomad-index"), Some("3"));
}
