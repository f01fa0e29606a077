//! Large clusters: their numbers, rows and parameters.

use std::collections::HashSet;

use nomad_simulator::{Load, Size};
use serde_json::Value;

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
