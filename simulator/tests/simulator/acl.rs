//! Tokens and their policies.

use std::collections::BTreeMap;

use nomad_simulator::cluster::{Acl, Policy};
use nomad_simulator::{Cluster, Settings};
use serde_json::{Value, json};

use crate::client::{Reply, send};
use crate::world::{Served, World};

const WORKLOAD: &str = "eyJhbGciOiJSUzI1NiJ9.c2lnbmVk.c2lnbmF0dXJl";

async fn guarded(version: &str) -> Served {
    let written =
        Policy { rules: Some("namespace \"*\" { policy = \"read\" }".to_owned()), ..Policy::exporter() };
    let tokens = [
        ("all", Policy::exporter()),
        ("narrow", Policy::narrow(&["ci", "web"])),
        ("role", Policy { name: "linked".to_owned(), ..Policy::operator() }.through("builders")),
        ("written", Policy { name: "written".to_owned(), ..written }),
        ("root", Policy::management()),
        (WORKLOAD, Policy { name: "workload".to_owned(), ..Policy::exporter() }),
    ];
    let acl = Acl::On(BTreeMap::from(tokens.map(|(token, policy)| (token.to_owned(), policy))));
    let version = version.parse().expect("a version");
    World { cluster: Cluster::new(Settings { acl, version, ..Settings::default() }), nodes: Vec::new() }
        .serve()
        .await
}

async fn ask(served: &Served, token: &str, target: &str) -> Reply {
    let header = [("X-Nomad-Token", token)];
    let headers = if token.is_empty() { &[][..] } else { &header };
    send(&served.simulator.url(), "GET", target, headers).await.expect("an answer")
}

async fn told(served: &Served, token: &str, target: &str) -> (u16, String) {
    let reply = ask(served, token, target).await;
    (reply.status, reply.text().to_owned())
}

async fn object(served: &Served, token: &str, target: &str) -> Value {
    let reply = ask(served, token, target).await;
    assert_eq!(reply.status, 200, "{target}: {}", reply.text());
    reply.json()
}

#[tokio::test]
async fn a_token_tells_its_policies() {
    for version in ["2.0.5", "1.4.14"] {
        let served = guarded(version).await;
        let token = object(&served, "narrow", "/v1/acl/token/self").await;
        assert_eq!((&token["Type"], &token["Policies"]), (&json!("client"), &json!(["narrow"])));
        assert_eq!((&token["SecretID"], &token["Roles"]), (&json!("narrow"), &Value::Null));
        let policy = object(&served, "narrow", "/v1/acl/policy/narrow").await;
        let rules = policy["Rules"].as_str().expect("rules");
        assert!(
            rules.starts_with("namespace \"ci\" {\n  capabilities = [\"list-jobs\", \"read-job\"]\n}\n"),
            "{rules}"
        );
        assert!(rules.contains("namespace \"web\"") && !rules.contains("namespace \"*\""), "{rules}");
        assert_eq!(policy["RulesJSON"]["Namespaces"][1]["Name"], "web");
        let root = object(&served, "root", "/v1/acl/token/self").await;
        assert_eq!((&root["Type"], &root["Policies"]), (&json!("management"), &Value::Null));
        let written = object(&served, "written", "/v1/acl/policy/written").await;
        assert_eq!(written["Rules"], "namespace \"*\" { policy = \"read\" }");
    }
}

#[tokio::test]
async fn a_role_leads_to_its_policies() {
    let served = guarded("2.0.5").await;
    let token = object(&served, "role", "/v1/acl/token/self").await;
    assert_eq!((&token["Policies"], &token["Roles"][0]["Name"]), (&Value::Null, &json!("builders")));
    let id = token["Roles"][0]["ID"].as_str().expect("an ID");
    let role = object(&served, "role", &format!("/v1/acl/role/{id}")).await;
    assert_eq!(role["Policies"], json!([{"Name": "linked"}]));
    assert_eq!(object(&served, "role", "/v1/acl/policy/linked").await["Name"], "linked");
    assert_eq!(told(&served, "narrow", &format!("/v1/acl/role/{id}")).await.0, 403);
}

#[tokio::test]
async fn a_token_reads_its_own_policies_only() {
    let served = guarded("2.0.5").await;
    let names = async |token: &str| -> Vec<String> {
        let rows = object(&served, token, "/v1/acl/policies").await;
        rows.as_array().into_iter().flatten().map(|row| row["Name"].to_string()).collect()
    };
    assert_eq!(names("narrow").await, ["\"narrow\""]);
    assert_eq!(names("root").await.len(), 5);
    assert!(names("").await.is_empty());
    let denied = (403, "Permission denied".to_owned());
    assert_eq!(told(&served, "narrow", "/v1/acl/policy/exporter").await, denied);
    assert_eq!(told(&served, "bogus", "/v1/acl/policies").await, denied);
    let missing = (404, "ACL policy not found".to_owned());
    assert_eq!(told(&served, "root", "/v1/acl/policy/nobody").await, missing);
    assert_eq!(told(&served, "narrow", "/v1/acl/policy/anonymous").await, missing);
}

#[tokio::test]
async fn who_asks_is_told_as_the_version_does() {
    let unknown = (404, "ACL token not found".to_owned());
    let newer = guarded("2.0.5").await;
    assert_eq!(told(&newer, "bogus", "/v1/acl/token/self").await, (403, "Permission denied".to_owned()));
    assert_eq!(object(&newer, "", "/v1/acl/token/self").await["Policies"], json!(["anonymous"]));
    let older = guarded("1.4.14").await;
    assert_eq!(told(&older, "bogus", "/v1/acl/token/self").await, unknown);
    assert_eq!(told(&older, "", "/v1/acl/token/self").await, unknown);
    for served in [&newer, &older] {
        assert_eq!(told(served, WORKLOAD, "/v1/acl/token/self").await, unknown, "a workload has no token");
    }
    assert_eq!(object(&newer, WORKLOAD, "/v1/acl/policy/self").await[0]["Name"], "workload");
}

#[tokio::test]
async fn without_acls_newer_versions_still_name_a_token() {
    let disabled = (400, "ACL support disabled".to_owned());
    for (version, status) in [("2.0.5", 200), ("1.10.0", 400)] {
        let cluster =
            Cluster::new(Settings { version: version.parse().expect("a version"), ..Settings::default() });
        let served = World { cluster, nodes: Vec::new() }.serve().await;
        assert_eq!(told(&served, "", "/v1/acl/token/self").await.0, status, "{version}");
        for target in ["/v1/acl/policies", "/v1/acl/policy/x"] {
            assert_eq!(told(&served, "", target).await, disabled, "{version} {target}");
        }
    }
}
