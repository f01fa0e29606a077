//! Recorded responses are returned unchanged, and others are derived from them.

use std::fs;
use std::path::PathBuf;

use nomad_simulator::{Recording, Simulator};
use serde_json::Value;

use crate::client::get;

pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/recordings").join(name)
}

async fn replay(name: &str) -> Simulator {
    let recording = Recording::load(&folder(name)).expect("a recording");
    Simulator::start(recording.into()).await.expect("a free port")
}

#[tokio::test]
async fn every_recorded_request_is_answered_byte_for_byte() {
    for entry in fs::read_dir(folder("")).expect("recordings") {
        let name = entry.expect("an entry").file_name().into_string().expect("a text name");
        let simulator = replay(&name).await;
        let index = fs::read(folder(&name).join("index.json")).expect("an index");
        let index: Vec<Value> = serde_json::from_slice(&index).expect("valid JSON");
        for row in index {
            let request = row["request"].as_str().expect("a request");
            let reply = get(&simulator.url(), request).await;
            assert_eq!(
                u64::from(reply.status),
                row["status"].as_u64().expect("a status"),
                "{name} {request}"
            );
            let file = folder(&name).join(row["file"].as_str().expect("a file"));
            assert_eq!(reply.body, fs::read(file).expect("a body"), "{name} {request}");
            for (header, value) in row["headers"].as_object().expect("headers") {
                let got = reply.header(&header.to_lowercase());
                assert_eq!(got, value.as_str(), "{name} {request} {header}");
            }
        }
    }
}

#[tokio::test]
async fn order_and_encoding_of_parameters_do_not_matter() {
    let simulator = replay("2.0.5").await;
    let plain = get(&simulator.url(), "/v1/allocations?namespace=*&resources=true&task_states=false").await;
    let other =
        "/v1/allocations?stale=&task_states=false&region=global&namespace=%2A&resources=true&index=7&wait=1s";
    assert_eq!(get(&simulator.url(), other).await.body, plain.body);
}

#[tokio::test]
async fn a_filter_gives_the_list_recorded_with_it() {
    for version in ["2.0.5", "1.4.14", "1.1.18"] {
        let simulator = replay(version).await;
        let recorded =
            get(&simulator.url(), "/v1/jobs?namespace=*&filter=Status%20%21%3D%20%22dead%22").await;
        // Written differently from every recorded request.
        let derived = get(&simulator.url(), "/v1/jobs?namespace=*&filter=Status+!=+%60dead%60").await;
        assert_eq!(derived.json(), recorded.json(), "{version}");
        assert_eq!(derived.header("x-nomad-index"), recorded.header("x-nomad-index"));
    }
}

#[tokio::test]
async fn a_status_gives_the_list_recorded_with_it() {
    for version in ["2.0.5", "2.0.5-drain", "1.4.14"] {
        let simulator = replay(version).await;
        let recorded = get(&simulator.url(), "/v1/evaluations?namespace=*&status=blocked").await;
        let derived = get(&simulator.url(), "/v1/evaluations?namespace=*&filter=Status==blocked").await;
        assert_eq!(derived.json(), recorded.json(), "{version}");
        let pending = get(&simulator.url(), "/v1/evaluations?namespace=*&status=pending").await.json();
        let pending = pending.as_array().expect("a list");
        assert!(!pending.is_empty() && pending.iter().all(|row| row["Status"] == "pending"));
    }
}

#[tokio::test]
async fn pages_follow_the_recorded_first_page() {
    for version in ["2.0.5", "1.4.14"] {
        let simulator = replay(version).await;
        let recorded = get(&simulator.url(), "/v1/jobs?namespace=*&per_page=5").await;
        let derived = get(&simulator.url(), "/v1/jobs?namespace=*&per_page=5&reverse=false").await;
        assert_eq!(derived.json(), recorded.json(), "{version}");
        assert_eq!(derived.header("x-nomad-nexttoken"), recorded.header("x-nomad-nexttoken"), "{version}");
        let token = recorded.header("x-nomad-nexttoken").expect("a second page");
        let second =
            get(&simulator.url(), &format!("/v1/jobs?namespace=*&per_page=5&next_token={token}")).await;
        assert_eq!(second.json()[0]["ID"], token.split_once('.').expect("namespace and ID").1);
    }
}

#[tokio::test]
async fn one_namespace_is_picked_from_all() {
    let simulator = replay("1.4.14").await;
    let rows = get(&simulator.url(), "/v1/jobs?namespace=ci").await.json();
    let rows = rows.as_array().expect("a list");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["Namespace"] == "ci"));
}

#[tokio::test]
async fn old_evaluations_of_a_namespace_are_gathered_from_its_jobs() {
    let simulator = replay("1.1.18").await;
    let rows = get(&simulator.url(), "/v1/evaluations?namespace=ci").await.json();
    let ids: Vec<_> = rows.as_array().expect("a list").iter().map(|row| row["ID"].to_string()).collect();
    assert!(ids.len() >= 2 && ids.is_sorted(), "{ids:?}");
    let deployments = get(&simulator.url(), "/v1/deployments?namespace=default").await.json();
    assert_eq!(
        deployments.as_array().map(Vec::len),
        Some(2),
        "deployments of the recorded jobs web and crashy"
    );
}

#[tokio::test]
async fn what_is_forbidden_stays_forbidden() {
    let simulator = replay("2.0.5-acl-bad-token").await;
    for target in [
        "/v1/jobs?namespace=ci",
        "/v1/nodes?resources=true&filter=Status==ready",
        "/v1/evaluations?namespace=ci",
    ] {
        let reply = get(&simulator.url(), target).await;
        assert_eq!((reply.status, reply.text()), (403, "Permission denied"), "{target}");
    }
}

#[tokio::test]
async fn what_was_not_recorded_is_not_found() {
    let simulator = replay("2.0.5").await;
    assert_eq!(get(&simulator.url(), "/v1/job/nobody?namespace=ci").await.status, 404);
}

#[test]
fn versions_come_from_the_servers_or_the_folder() {
    for (name, version) in [("2.0.5-after", "2.0.5"), ("1.4.14", "1.4.14"), ("1.1.18-drain", "1.1.18")] {
        let recording = Recording::load(&folder(name)).expect("a recording");
        assert_eq!(recording.version().to_string(), version);
    }
    let recording = Recording::load(&folder("2.0.5-acl-bad-token")).expect("a recording");
    assert_eq!(recording.version().to_string(), "2.0.5");
}

/// Nomad filters lists of allocations by task states even if it omits them.
#[tokio::test]
async fn filters_look_into_the_states_of_tasks() {
    let simulator = replay("2.0.5-outcomes").await;
    let ended = "(ClientStatus == complete or ClientStatus == failed) and ";
    let runs = "(any TaskStates as k, v { v.State == running })";
    let list = |more: &str, filter: &str| {
        let filter: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("/v1/allocations?namespace=*{more}&filter={filter}")
    };
    for more in [
        "",
        "&task_states=false",
        "&task_states=true",
        "&resources=true",
        "&resources=true&task_states=false",
    ] {
        let rows = get(&simulator.url(), &list(more, &format!("{ended}{runs}"))).await.json();
        assert_eq!(rows.as_array().map(Vec::len), Some(1), "{more}");
        assert_eq!(rows[0]["JobID"], "still-uploading");
        assert_eq!(rows[0]["TaskStates"].is_null(), more.contains("task_states=false"), "{more}");
        assert_eq!(rows[0].get("AllocatedResources").is_some(), more.contains("resources"), "{more}");
    }
    let rows = get(&simulator.url(), &list("&task_states=false", "Job.Type == service")).await.json();
    assert!(
        rows.as_array()
            .is_some_and(|rows| rows.iter().all(|row| row["JobType"] == "service") && rows.len() == 9)
    );
}
