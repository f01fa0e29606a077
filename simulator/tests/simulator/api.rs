//! General behavior of the API: versions, errors, leaders, access.

use std::collections::{BTreeMap, BTreeSet};

use nomad_simulator::cluster::{Acl, Policy, Scope};
use nomad_simulator::{Cluster, Settings, Simulator};

use crate::client::{get, send};
use crate::world::{Served, World, build, busy, empty, seconds};

#[tokio::test]
async fn unknown_paths_and_other_methods_are_refused() {
    let served = empty("2.0.5", 0).serve().await;
    let url = served.simulator.url();
    let reply = get(&url, "/v1/bogus").await;
    assert_eq!((reply.status, reply.text(), reply.header("content-type")), (404, "", None));
    let reply = send(&url, "POST", "/v1/jobs", &[]).await.expect("an answer");
    assert_eq!((reply.status, reply.text()), (405, "Invalid method"));
    for (target, status, text) in [
        ("/v1/job/nobody", 404, "job not found"),
        ("/v1/node/00000000-0000-0000-0000-000000000000", 404, "node not found"),
        ("/v1/quotas", 501, "Nomad Enterprise only endpoint"),
        ("/v1/client/stats", 400, "No local Node and node_id not provided"),
    ] {
        let reply = get(&url, target).await;
        assert_eq!((reply.status, reply.text()), (status, text), "{target}");
    }
}

#[tokio::test]
async fn bad_filters_are_refused_in_nomads_words() {
    let served = busy("2.0.5").serve().await;
    let url = served.simulator.url();
    let cases = [
        ("/v1/jobs?filter=Status", "failed to create result paginator: failed to read filter expression: "),
        ("/v1/jobs?filter=Bogus==1", "failed to read result page: error finding value in datum"),
        ("/v1/nodes?filter=Drain==true", "failed to read result page: error finding value in datum"),
        (
            "/v1/evaluations?status=blocked&filter=Type==batch",
            "Filter expression cannot be used with other filter parameters",
        ),
    ];
    for (target, text) in cases {
        let reply = get(&url, target).await;
        assert_eq!(reply.status, 400, "{target}");
        assert!(reply.text().starts_with(text), "{target}: {}", reply.text());
    }
}

#[tokio::test]
async fn old_versions_ignore_what_they_do_not_know() {
    let served = busy("1.1.18").serve().await;
    let all = served.rows("/v1/jobs?namespace=*").await.len();
    assert_eq!(served.rows("/v1/jobs?namespace=*&filter=Status!=dead&per_page=2").await.len(), all);
    assert!(served.rows("/v1/evaluations?namespace=*").await.is_empty());
    assert!(served.rows("/v1/deployments?namespace=*").await.is_empty());
    let evaluations = served.rows("/v1/evaluations?namespace=ci&status=blocked").await;
    assert!(evaluations.iter().any(|row| row["Status"] == "complete"), "the status is ignored");
    let ids: Vec<_> = evaluations.iter().map(|row| row["ID"].to_string()).collect();
    assert!(ids.is_sorted(), "by ID");
    let pools = get(&served.simulator.url(), "/v1/node/pools").await;
    assert_eq!(
        (pools.status, pools.text()),
        (500, "node lookup failed: index error: UUID must be 36 characters")
    );
    assert_eq!(get(&served.simulator.url(), "/v1/evaluations/count").await.status, 404);
}

#[tokio::test]
async fn filters_and_pages_work_together() {
    let served = busy("2.0.5").serve().await;
    let live = "filter=ClientStatus+==+%22running%22+or+ClientStatus+==+%22pending%22";
    let all = served.rows(&format!("/v1/allocations?namespace=*&{live}")).await;
    let mut target = format!("/v1/allocations?namespace=*&per_page=3&{live}");
    let mut paged = Vec::new();
    for _ in 0..all.len() {
        let reply = get(&served.simulator.url(), &target).await;
        paged.extend(reply.json().as_array().expect("a list").clone());
        let Some(token) = reply.header("x-nomad-nexttoken") else { break };
        target = format!("/v1/allocations?namespace=*&per_page=3&{live}&next_token={token}");
    }
    assert!(all.len() > 6);
    assert_eq!(paged, all);
}

#[tokio::test]
async fn without_a_leader_only_stale_reads_are_answered() {
    let served = busy("2.0.5").serve().await;
    let url = served.simulator.url();
    served.cluster().lose_leader();
    let before = served.rows("/v1/allocations?namespace=*&stale").await;
    served.cluster().advance(seconds(42));
    let reply = get(&url, "/v1/jobs?namespace=*").await;
    assert_eq!((reply.status, reply.text()), (500, "No cluster leader"));
    let reply = get(&url, "/v1/jobs?namespace=*&stale=true").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("x-nomad-knownleader"), Some("false"));
    assert_eq!(reply.header("x-nomad-lastcontact"), Some("42000"));
    assert_eq!(get(&url, "/v1/jobs?stale=false").await.status, 500);
    assert_eq!(get(&url, "/v1/status/leader?stale").await.text(), "\"\"");
    assert_eq!(get(&url, "/v1/operator/autopilot/health").await.status, 500);
    assert_eq!(served.rows("/v1/allocations?namespace=*&stale").await, before, "nothing is written");
    served.cluster().elect_leader();
    assert_eq!(get(&url, "/v1/jobs").await.header("x-nomad-knownleader"), Some("true"));
}

#[tokio::test]
async fn a_failed_server_makes_autopilot_unhealthy() {
    let settings = Settings { servers: 3, ..Settings::default() };
    let served = World { cluster: Cluster::new(settings), nodes: Vec::new() }.serve().await;
    let url = served.simulator.url();
    let healthy = get(&url, "/v1/operator/autopilot/health").await;
    assert_eq!((healthy.status, &healthy.json()["FailureTolerance"]), (200, &1.into()));
    let leader = get(&url, "/v1/status/leader").await.json();
    served.cluster().fail_server(0);
    assert_ne!(get(&url, "/v1/status/leader").await.json(), leader, "another server is the leader");
    let unhealthy = get(&url, "/v1/operator/autopilot/health").await;
    assert_eq!((unhealthy.status, &unhealthy.json()["Healthy"]), (429, &false.into()));
    assert_eq!(served.object("/v1/agent/members").await["Members"][0]["Status"], "failed");
    served.cluster().fail_server(1);
    assert_eq!(get(&url, "/v1/jobs").await.text(), "No cluster leader", "no majority");
    served.cluster().recover_server(0);
    assert_eq!(get(&url, "/v1/jobs").await.status, 200);
}

async fn guarded(version: &str) -> Served {
    let ci_only =
        Policy { read_job: Scope::Namespaces(BTreeSet::from(["ci".to_owned()])), ..Policy::default() };
    let tokens = BTreeMap::from([
        ("exporter".to_owned(), Policy::exporter()),
        ("ci".to_owned(), ci_only),
        ("nothing".to_owned(), Policy::default()),
    ]);
    let version = version.parse().expect("a version");
    let mut cluster = Cluster::new(Settings { version, acl: Acl::On(tokens), ..Settings::default() });
    cluster.submit(build("a"));
    cluster.submit(build("b").in_namespace("default"));
    cluster.advance(seconds(1));
    World { cluster, nodes: Vec::new() }.serve().await
}

async fn status(simulator: &Simulator, token: &str, target: &str) -> (u16, String) {
    let headers = [("X-Nomad-Token", token)];
    let reply = send(&simulator.url(), "GET", target, &headers).await.expect("an answer");
    (reply.status, reply.text().to_owned())
}

#[tokio::test]
async fn tokens_open_what_their_policy_allows() {
    let served = guarded("2.0.5").await;
    let guarded = [
        "/v1/jobs?namespace=*",
        "/v1/nodes",
        "/v1/agent/self",
        "/v1/operator/autopilot/health",
        "/v1/evaluations",
    ];
    for target in guarded {
        assert_eq!(status(&served.simulator, "exporter", target).await.0, 200, "{target}");
        for token in ["nothing", "bogus"] {
            let denied = (403, "Permission denied".to_owned());
            assert_eq!(status(&served.simulator, token, target).await, denied, "{token} {target}");
        }
        assert_eq!(get(&served.simulator.url(), target).await.status, 403, "no token, {target}");
    }
    for target in ["/v1/regions", "/v1/status/leader", "/v1/agent/health"] {
        assert_eq!(status(&served.simulator, "bogus", target).await.0, 200, "{target}");
    }
    assert_eq!(
        status(&served.simulator, "nothing", "/v1/node/pools").await,
        (200, "[]".to_owned()),
        "filtered"
    );
}

#[tokio::test]
async fn rows_of_other_namespaces_are_left_out() {
    let served = guarded("2.0.5").await;
    let (_, body) = status(&served.simulator, "ci", "/v1/evaluations?namespace=*").await;
    assert!(body.contains(r#""Namespace":"ci""#) && !body.contains(r#""Namespace":"default""#));
    assert_eq!(status(&served.simulator, "ci", "/v1/evaluations?namespace=default").await.0, 403);
    assert_eq!(status(&served.simulator, "ci", "/v1/jobs?namespace=*").await.0, 403, "may not list jobs");
    let (_, namespaces) = status(&served.simulator, "ci", "/v1/namespaces").await;
    assert!(!namespaces.contains("default"));
}

#[tokio::test]
async fn old_versions_word_it_differently() {
    let served = guarded("1.4.14").await;
    let unknown = (403, "ACL token not found".to_owned());
    assert_eq!(status(&served.simulator, "bogus", "/v1/nodes").await, unknown);
    let served = guarded("1.1.18").await;
    assert_eq!(status(&served.simulator, "nothing", "/v1/jobs?namespace=*").await, (200, "[]".to_owned()));
}

#[tokio::test]
async fn allocation_statistics_and_full_allocations_are_served() {
    let served = busy("2.0.5").serve().await;
    let rows = served.rows("/v1/allocations?namespace=default&filter=JobID==lifecycle").await;
    let (id, node) = (rows[0]["ID"].as_str().expect("an ID"), rows[0]["NodeID"].as_str().expect("a node"));
    let stats = served.object(&format!("/v1/client/allocation/{id}/stats")).await;
    assert_eq!(stats["Tasks"].as_object().map(serde_json::Map::len), Some(3));
    assert!(stats["ResourceUsage"]["CpuStats"]["TotalTicks"].as_f64().is_some_and(|ticks| ticks > 0.0));
    let full = served.rows(&format!("/v1/node/{node}/allocations")).await;
    let lifecycle = full.iter().find(|row| row["ID"] == id).expect("on its node");
    assert_eq!(lifecycle["Job"]["ID"], "lifecycle");
    assert!(lifecycle.get("PreemptedByAllocation").is_none(), "empty fields are left out");
}
