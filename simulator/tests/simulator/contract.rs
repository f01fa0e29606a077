//! The model's responses have the same keys and types as real agents of the simulated version.

use std::collections::BTreeMap;
use std::fs;

use nomad_simulator::Simulator;
use serde_json::Value;

use crate::client::get;
use crate::outcomes::outcomes;
use crate::replay::folder;
use crate::shape::Shape;
use crate::world::{World, busy, troubled};

/// Recorded endpoints that the model does not support.
const NOT_MODELLED: &[&str] = &[
    "/v1/jobs/statuses",
    "/v1/volumes",
    "/v1/operator/raft/configuration",
    "/v1/metrics",
    // Logs are text, and have separate tests.
    "/v1/client/fs/logs/ID",
];

/// Correct differences: kind of request, end of the line, reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "/v1/allocations",
        ".TaskStates: null instead of {\"object\"}",
        "of an allocation whose client is silent",
    ),
    ("/v1/evaluations", "ClassExhausted: null instead of {\"object\"}", "no node was looked at"),
    ("/v1/evaluations", "DimensionExhausted: null instead of {\"object\"}", "no node was looked at"),
    ("/v1/evaluations", "ResourcesExhausted: null instead of {\"object\"}", "no node was looked at"),
    ("/v1/evaluation/ID", ".ClassEligibility: missing key", "no node was looked at"),
    ("/v1/node/ID", ".Details: object instead of {\"null\"}", "a drain that reached its deadline says so"),
];

/// Builds a world with a version.
type Build = fn(&str) -> World;

#[tokio::test]
async fn version_2_0_5() {
    let worlds: &[Build] = &[busy, troubled];
    compare(
        "2.0.5",
        &[(&["2.0.5", "2.0.5-drain", "2.0.5-after"], worlds), (&["2.0.5-outcomes"], &[outcomes])],
    )
    .await;
}

#[tokio::test]
async fn version_1_4_14() {
    compare("1.4.14", &[(&["1.4.14", "1.4.14-drain"], &[busy, troubled])]).await;
}

#[tokio::test]
async fn version_1_1_18() {
    compare("1.1.18", &[(&["1.1.18", "1.1.18-drain"], &[busy, troubled])]).await;
}

/// Compares recorded responses with those of worlds like the recorded clusters.
async fn compare(version: &str, sets: &[(&[&str], &[Build])]) {
    let mut recorded: BTreeMap<String, Shape> = BTreeMap::new();
    let mut played: BTreeMap<String, Shape> = BTreeMap::new();
    for (folders, worlds) in sets {
        let requests = learn(folders, &mut recorded);
        for build in *worlds {
            play(build(version), &requests, &mut played).await;
        }
    }
    let mut wrong = Vec::new();
    for (kind, shape) in &recorded {
        let Some(model) = played.get(kind) else {
            wrong.push(format!("{kind}: not answered"));
            continue;
        };
        let lines = model.differences(shape).into_iter().map(|line| format!("{kind} {line}"));
        wrong.extend(lines.filter(|line| !is_excepted(line)));
    }
    assert!(wrong.is_empty(), "{version}:\n{}", wrong.join("\n"));
}

/// Learns the shapes of recorded responses. Returns the requests, each with its kind and the status of its
/// response.
fn learn(folders: &[&str], recorded: &mut BTreeMap<String, Shape>) -> BTreeMap<String, (String, u64)> {
    let mut requests: BTreeMap<String, (String, u64)> = BTreeMap::new();
    for name in folders {
        let index = fs::read(folder(name).join("index.json")).expect("an index");
        let index: Vec<Value> = serde_json::from_slice(&index).expect("valid JSON");
        for row in index {
            let request = row["request"].as_str().expect("a request");
            let body = fs::read(folder(name).join(row["file"].as_str().expect("a file"))).expect("a body");
            let kind = kind(request);
            if NOT_MODELLED.contains(&kind.as_str()) {
                continue;
            }
            if row["status"] == 200 {
                recorded.entry(kind).or_default().learn(&serde_json::from_slice(&body).expect("valid JSON"));
            }
            requests
                .insert(request.to_owned(), (self::kind(request), row["status"].as_u64().expect("a status")));
        }
    }
    requests
}

/// Sends all recorded requests to the model, with its own IDs.
async fn play(
    world: World,
    requests: &BTreeMap<String, (String, u64)>,
    played: &mut BTreeMap<String, Shape>,
) {
    let World { cluster, nodes } = world;
    let simulator = Simulator::start(cluster.into()).await.expect("a free port");
    let url = simulator.url();
    let evaluations = get(&url, "/v1/evaluations?namespace=ci").await.json();
    let blocked = evaluations.as_array().and_then(|rows| rows.iter().find(|row| row["Status"] == "blocked"));
    let blocked = blocked.and_then(|row| row["ID"].as_str()).expect("a blocked evaluation").to_owned();
    for (request, (kind, status)) in requests {
        let own: Vec<String> = match kind.as_str() {
            "/v1/node/ID" if *status == 404 => vec![request.clone()],
            "/v1/node/ID" => nodes.iter().map(|id| format!("/v1/node/{id}")).collect(),
            "/v1/node/ID/allocations" => {
                nodes.iter().map(|id| format!("/v1/node/{id}/allocations")).collect()
            }
            "/v1/client/stats" => vec![format!("/v1/client/stats?node_id={}", nodes[0])],
            "/v1/evaluation/ID" => vec![format!("/v1/evaluation/{blocked}")],
            _ => vec![request.clone()],
        };
        let status = if kind == "/v1/client/stats" { 200 } else { *status };
        for request in own {
            let reply = get(&url, &request).await;
            assert_eq!(u64::from(reply.status), status, "{request}: {}", reply.text());
            if status == 200 {
                played.entry(kind.clone()).or_default().learn(&reply.json());
            }
        }
    }
}

/// Returns the kind of a request. Responses of one kind have one shape. A job's lists have the shape of the
/// lists of all jobs.
fn kind(request: &str) -> String {
    let path = request.split('?').next().expect("a path");
    match path.split('/').collect::<Vec<_>>()[2..] {
        ["job", _, list @ ("allocations" | "evaluations" | "deployments")] => format!("/v1/{list}"),
        ["job", _, part] => format!("/v1/job/ID/{part}"),
        ["node", "pools"] => path.to_owned(),
        ["node", _, "allocations"] => "/v1/node/ID/allocations".to_owned(),
        ["client", "fs", "logs", _] => "/v1/client/fs/logs/ID".to_owned(),
        [object @ ("job" | "node" | "evaluation"), _] => format!("/v1/{object}/ID"),
        _ => path.to_owned(),
    }
}

fn is_excepted(line: &str) -> bool {
    EXCEPTIONS.iter().any(|(kind, end, _)| line.starts_with(kind) && line.ends_with(end))
}
