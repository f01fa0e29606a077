//! Large clusters: their numbers, rows and parameters.

use std::collections::HashSet;

use nomad_simulator::{Load, Simulator, Size};
use serde_json::Value;
use tokio::time::sleep;

use crate::client::get;
use crate::events::Reader;
use crate::world::seconds;

fn body(load: &Load, target: &str) -> Vec<u8> {
    load.list(target).flat_map(|chunk| chunk.to_vec()).collect()
}

fn rows(load: &Load, target: &str) -> Vec<Value> {
    serde_json::from_slice(&body(load, target)).unwrap()
}

fn ids(rows: &[Value]) -> HashSet<&str> {
    rows.iter().map(|row| row["ID"].as_str().unwrap()).collect()
}

const JOBS: &str = "/v1/jobs?namespace=*";
const LIVE_JOBS: &str = r#"/v1/jobs?namespace=*&filter=Status != "dead""#;
const ALLOCATIONS: &str = "/v1/allocations?namespace=*&resources=true&task_states=false";
const RUNNING: &str = r#"/v1/allocations?namespace=*&filter=ClientStatus == "running""#;

#[test]
fn every_row_is_there_once() {
    let load = Load::new(Size::S, 1);
    let (jobs, live) = (rows(&load, JOBS), rows(&load, LIVE_JOBS));
    let templates = live.iter().filter(|job| job["ParameterizedJob"] == true).count();
    assert_eq!((templates, live.len() - templates, jobs.len() - live.len()), (3, 500, 5_000));
    // A job's ID is unique only within its namespace.
    let named: HashSet<_> = jobs.iter().map(|job| (job["Namespace"].as_str(), job["ID"].as_str())).collect();
    assert_eq!(named.len(), jobs.len());
    let pending = live.iter().filter(|job| job["Status"] == "pending").count();
    assert_eq!(pending, 25);
    let (allocations, running) = (rows(&load, ALLOCATIONS), rows(&load, RUNNING));
    assert_eq!((allocations.len(), running.len()), (5_500, 500));
    assert_eq!(ids(&allocations).len(), allocations.len());
    let nodes = rows(&load, "/v1/nodes?resources=true");
    assert_eq!(nodes.len(), 50);
    let blocked = rows(&load, r#"/v1/evaluations?namespace=*&filter=Status == "blocked""#);
    assert_eq!(blocked.len(), pending);

    // All objects that rows refer to exist.
    let (nodes, jobs) = (ids(&nodes), ids(&jobs));
    let used: HashSet<&str> = allocations.iter().map(|row| row["NodeID"].as_str().unwrap()).collect();
    assert_eq!(used, nodes, "allocations are spread over all nodes");
    assert!(allocations.iter().chain(&blocked).all(|row| jobs.contains(row["JobID"].as_str().unwrap())));
}

#[test]
fn namespaces_and_parameters_are_honoured() {
    let load = Load::new(Size::S, 1);
    let of = |namespace: &str| rows(&load, &format!("/v1/jobs?namespace={namespace}")).len();
    assert_eq!(of("ci") + of("default") + of("web"), 5_503);
    assert_eq!(of("nope"), 0);
    let plain = rows(&load, "/v1/nodes");
    assert!(plain.iter().all(|node| node.get("NodeResources").is_none()));
}

#[test]
fn rows_are_as_large_as_real_ones() {
    let load = Load::new(Size::S, 1);
    for (list, bytes) in [(JOBS, 600), (ALLOCATIONS, 1_050), ("/v1/nodes?resources=true", 2_700)] {
        let mean = body(&load, list).len() / rows(&load, list).len();
        assert!((bytes * 2 / 3..=bytes * 4 / 3).contains(&mean), "{list}: {mean} bytes per row");
    }
}

#[test]
fn a_list_of_any_size_is_written_in_chunks() {
    let load = Load::new(Size::M, 1).quiet();
    assert!(load.list(ALLOCATIONS).all(|chunk| chunk.len() <= 72 << 10));
    assert!(body(&load, ALLOCATIONS) == body(&load, ALLOCATIONS), "two reads give the same bytes");
}

#[test]
fn more_dead_jobs_leave_live_lists_as_they_are() {
    let (one, ten) = (Load::new(Size::S, 1), Load::new(Size::S, 10));
    assert_eq!(rows(&ten, JOBS).len() - rows(&one, JOBS).len(), 45_000);
    assert_eq!(body(&one, LIVE_JOBS).len(), body(&ten, LIVE_JOBS).len());
}

/// The builds of a list that come and go, without those that are done.
fn coming(rows: &[Value]) -> Vec<&str> {
    let live = rows.iter().filter(|row| row["Status"] != "dead");
    live.filter_map(|row| row["ID"].as_str().filter(|id| id.starts_with("coming-"))).collect()
}

#[tokio::test(start_paused = true)]
async fn builds_come_and_go_beside_the_copies() {
    let load = Load::new(Size::S, 1).with_builds(60);
    assert_eq!(rows(&load, JOBS).len(), 5_503);
    sleep(seconds(30)).await;
    let jobs = rows(&load, JOBS);
    assert_eq!(jobs.len(), 5_503 + 30);
    assert!(coming(&jobs).len() > 25, "{:?}", coming(&jobs));
    sleep(seconds(300)).await;
    let jobs = rows(&load, JOBS);
    let done = jobs.len() - 5_503 - coming(&jobs).len();
    assert!(coming(&jobs).len() > 25 && done > 60 && done < 260, "what is done is forgotten: {done}");
    let pools = rows(&load, "/v1/node/pools");
    let names: HashSet<_> = pools.iter().map(|pool| pool["Name"].as_str()).collect();
    assert_eq!(names.len(), pools.len());
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_of_builds_that_come_and_go() {
    let simulator =
        Simulator::start(Load::new(Size::S, 1).with_builds(60).into()).await.expect("a free port");
    let url = simulator.url();
    let mut reader = Reader::open(&url, "namespace=*&topic=Job", &[]).await;
    let lines = reader.lines_so_far().await;
    assert!(lines.len() > 50, "a build a second until the next heartbeat: {}", lines.len());
    let newest = lines.last().and_then(|line| line["Index"].as_u64());
    let index = get(&url, JOBS).await.header("x-nomad-index").and_then(|index| index.parse().ok());
    assert!(newest > Some(1_000_000) && index >= newest, "{newest:?} {index:?}");
    // Single objects of both are there.
    let found = async |id: &str| get(&url, &format!("/v1/job/{id}?namespace=default")).await.status == 200;
    assert!(found("coming-1").await && found("build-01-00000000").await && !found("nobody").await);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_happens_a_stream_has_heartbeats_only() {
    let simulator = Simulator::start(Load::new(Size::S, 1).quiet().into()).await.expect("a free port");
    let mut reader = Reader::open(&simulator.url(), "namespace=*&topic=Job", &[]).await;
    assert!(reader.lines_so_far().await.is_empty());
}
