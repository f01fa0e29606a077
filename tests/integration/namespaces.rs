//! If not all namespaces are read, per-node metrics are omitted, and logs, commands and metrics report it.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use nomad_simulator::cluster::{Acl, Cluster, JobSpec, NodeSpec, Policy, Settings};
use nomad_simulator::{Fault, Simulator};
use serde_json::{Value, json};

use crate::support::collect::{Collector, collect};
use crate::support::exposition::Exposition;
use crate::support::process::{Exporter, SOON, exporter, run, wait_until};
use crate::support::recordings;
use crate::support::scrape::{ask, metrics};

/// A workload identity is a JSON Web Token.
const WORKLOAD: &str = "eyJhbGciOiJSUzI1NiJ9.c2lnbmVk.c2lnbmF0dXJl";
/// Metrics that sum over the allocations of a node.
const SUMS: [&str; 7] = [
    "nomad_node_allocations",
    "nomad_node_allocated_cpu_hertz",
    "nomad_node_allocated_memory_bytes",
    "nomad_node_allocated_memory_max_bytes",
    "nomad_node_allocated_disk_bytes",
    "nomad_node_drained",
    "nomad_node_drain_remaining_allocations",
];

/// Creates a cluster with a job in each of three namespaces, and a draining client.
async fn world(acl: Acl, version: &str) -> Simulator {
    let version = version.parse().unwrap();
    let mut cluster = Cluster::new(Settings { acl, version, ..Settings::default() });
    let draining = cluster.register_node(NodeSpec::new("client-1"));
    cluster.register_node(NodeSpec::new("client-2"));
    for namespace in ["ci", "web", "default"] {
        if namespace != "default" {
            cluster.create_namespace(namespace);
        }
        cluster.submit(JobSpec::service("job").in_namespace(namespace).with_count(2));
    }
    cluster.advance(Duration::from_secs(10));
    cluster.drain(draining, None, false);
    Simulator::start(cluster.into()).await.unwrap()
}

fn tokens(tokens: impl IntoIterator<Item = (&'static str, Policy)>) -> Acl {
    Acl::On(tokens.into_iter().map(|(token, policy)| (token.to_owned(), policy)).collect())
}

/// Returns the exposed sums.
fn sums(shown: &Exposition) -> BTreeSet<&'static str> {
    SUMS.into_iter().filter(|family| shown.find(family, &[]).count() > 0).collect()
}

fn sees_all(shown: &Exposition) -> Option<f64> {
    shown.value("nomad_exporter_sees_all_namespaces", &[])
}

/// Returns the exposition with this token.
async fn with_token(simulator: &Simulator, token: &str) -> Exposition {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    if token.is_empty() {
        return collect(&simulator.url(), &[]).await;
    }
    std::fs::write(&path, token).unwrap();
    collect(&simulator.url(), &["--nomad.token-file", path.to_str().unwrap()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_permissions_decide_which_sums_are_exposed() {
    let acl = || {
        let deny = "namespace \"*\" { policy = \"read\" }\nnamespace \"web\" { policy = \"deny\" }";
        let named = |name: &str, policy: Policy| Policy { name: name.to_owned(), ..policy };
        let written = |name: &str, rules: &str| Policy {
            rules: Some(rules.to_owned()),
            ..named(name, Policy::exporter())
        };
        tokens([
            ("all", Policy::exporter()),
            ("root", Policy::management()),
            ("written", written("written", "namespace \"*\" { policy = \"read\" }")),
            ("denied", written("denied", deny)),
            ("unread", written("unread", "namespace \"*\" {")),
            ("role", named("linked", Policy::exporter()).through("watchers")),
            ("narrow", Policy::narrow(&["ci", "web"])),
            ("narrow-role", named("narrow-linked", Policy::narrow(&["ci"])).through("builders")),
            (WORKLOAD, named("workload", Policy::exporter())),
        ])
    };
    for version in ["2.0.5", "1.4.14"] {
        let simulator = world(acl(), version).await;
        // Only newer servers allow a workload identity to read its own policies.
        let of_workload = (version == "2.0.5").then_some(1.0);
        for (token, expected) in [
            ("all", Some(1.0)),
            ("root", Some(1.0)),
            ("written", Some(1.0)),
            ("role", Some(1.0)),
            ("denied", Some(0.0)),
            ("narrow", Some(0.0)),
            ("narrow-role", Some(0.0)),
            ("unread", None),
            (WORKLOAD, of_workload),
        ] {
            if version == "1.4.14" && token == WORKLOAD {
                refuse_policies(&simulator);
            }
            let shown = with_token(&simulator, token).await;
            assert_eq!(sees_all(&shown), expected, "{token} on {version}");
            let complete: BTreeSet<_> = SUMS.into_iter().collect();
            let drained = BTreeSet::from(["nomad_node_drained"]);
            // Nothing is drained yet, so this metric may be absent or 0.
            match expected {
                Some(0.0) => assert_eq!(sums(&shown), BTreeSet::new(), "{token} on {version}"),
                _ => assert!(sums(&shown).is_superset(&(&complete - &drained)), "{token} on {version}"),
            }
            assert!(shown.sum("nomad_allocations", &[("client_status", "running")]) > Some(0.0));
            let token_is_up = shown.value("nomad_exporter_collector_up", &[("collector", "token")]);
            assert_eq!(token_is_up, Some(1.0), "{token} on {version}");
            simulator.faults().clear();
        }
    }
}

/// Responds like servers before Nomad 1.11 to a workload identity.
fn refuse_policies(simulator: &Simulator) {
    let refused = Fault::Status { code: 403, body: "ACL token not found".into() };
    simulator.faults().set("/v1/acl/policies", refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_acls_everything_is_read() {
    // Before Nomad 1.10.1, servers deny all ACL requests of a workload identity.
    for version in ["2.0.5", "1.10.0"] {
        let simulator = world(Acl::Off, version).await;
        let shown = collect(&simulator.url(), &[]).await;
        assert_eq!(sees_all(&shown), Some(1.0), "{version}");
        assert!(sums(&shown).contains("nomad_node_allocations"), "{version}");
        let asked = simulator.requests().iter().filter(|request| request.path.starts_with("/v1/acl")).count();
        assert_eq!(asked, 1, "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_responses_have_the_same_result() {
    let shown = collect(&recordings::replay("2.0.5-outcomes").await.url(), &[]).await;
    assert_eq!(sees_all(&shown), Some(1.0));
    let shown = collect(&recordings::replay("2.0.5-acl-bad-token").await.url(), &[]).await;
    assert_eq!(sees_all(&shown), None);
    let up = |collector| shown.value("nomad_exporter_collector_up", &[("collector", collector)]);
    assert_eq!((up("token"), up("jobs")), (Some(1.0), Some(0.0)));
}

/// Returns the exposition with these ACL responses.
async fn with_bodies(bodies: &[(&str, Value)]) -> Exposition {
    let simulator = world(Acl::Off, "2.0.5").await;
    for (path, body) in bodies {
        simulator.faults().set(path, Fault::Body(Bytes::from(body.to_string())));
    }
    collect(&simulator.url(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_responses_make_it_unknown() {
    let client = || ("/v1/acl/token/self", json!({"Type": "client", "SecretID": "s3cret"}));
    let list = |names: &[&str]| {
        ("/v1/acl/policies", names.iter().map(|name| json!({"Name": name})).collect::<Value>())
    };
    let rules = |namespaces: Value| ("/v1/acl/policy/", json!({"RulesJSON": {"Namespaces": namespaces}}));
    let many: Vec<String> = (0..101).map(|number| format!("policy-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (bodies, expected) in [
        (vec![("/v1/acl/token/self", json!({"Type": null, "AccessorID": null})), list(&[])], Some(0.0)),
        (vec![client(), ("/v1/acl/policies", Value::Null)], Some(0.0)),
        (vec![client(), ("/v1/acl/policies", json!([null, {"Name": null}, {}]))], Some(0.0)),
        (vec![client(), list(&["a"]), rules(Value::Null)], Some(0.0)),
        (vec![client(), list(&["a"]), rules(json!([null, {"Name": "*", "Policy": "read"}]))], Some(1.0)),
        (vec![client(), list(&["a"]), ("/v1/acl/policy/", json!({}))], None),
        (vec![client(), list(&["a/ä?b"]), ("/v1/acl/policy/", json!({"Rules": null}))], None),
        (vec![client(), list(&many), rules(json!([{"Name": "*", "Policy": "read"}]))], None),
    ] {
        let shown = with_bodies(&bodies).await;
        assert_eq!(sees_all(&shown), expected, "{bodies:?}");
        let up = shown.value("nomad_exporter_collector_up", &[("collector", "token")]);
        assert_eq!(up, Some(1.0), "{bodies:?}");
    }
}

/// Until the permissions of the token are known, nothing is summed.
#[tokio::test(flavor = "multi_thread")]
async fn sums_wait_for_the_tokens_permissions() {
    let simulator = world(Acl::Off, "2.0.5").await;
    let collector = Collector::new(&simulator.url(), &["--no-collector.token"]);
    collector.refresh().await;
    assert!(sums(&collector.exposition()).contains("nomad_node_allocations"), "nobody asks");
    simulator.faults().set("/v1/acl", Fault::Delay(Duration::from_secs(1)));
    let collector = Collector::new(&simulator.url(), &[]);
    let running = collector.start().await;
    let mut was_early = false;
    for _ in 0..1000 {
        let shown = collector.exposition();
        let knows_allocations = shown.find("nomad_allocations", &[("client_status", "running")]).count() > 0;
        if sees_all(&shown).is_some() && knows_allocations {
            break;
        }
        was_early |= knows_allocations;
        assert_eq!(sums(&shown), BTreeSet::new(), "it was not requested yet");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(was_early, "allocations come before");
    assert!(sums(&collector.exposition()).contains("nomad_node_allocations"));
    running.abort();
}

const FAST: [&str; 4] = ["--collect.interval", "200ms", "--collect.history-interval", "400ms"];

#[tokio::test(flavor = "multi_thread")]
async fn nomad_namespace_omits_sums_and_the_log_reports_it() {
    let simulator = world(Acl::Off, "2.0.5").await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let fixed = ["--nomad.address", &nomad, "--web.listen-address", "127.0.0.1:0"];
        let mut command = exporter(&[&fixed[..], &FAST].concat());
        command.env("NOMAD_NAMESPACE", "default");
        let exporter = Exporter::spawn(command);
        let mut shown = metrics(&exporter.url);
        wait_until(SOON, "a collection", || {
            shown = metrics(&exporter.url);
            shown.value("nomad_exporter_collector_up", &[("collector", "drains")]) == Some(1.0)
        });
        assert_eq!((sees_all(&shown), sums(&shown)), (Some(0.0), BTreeSet::new()));
        assert_eq!(shown.sum("nomad_allocations", &[("client_status", "running")]), Some(2.0));
        let log = exporter.log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("not all namespaces are read")).collect();
        assert_eq!(lines.len(), 1, "{log}");
        assert!(lines[0].contains("NOMAD_NAMESPACE selects default"), "{log}");
        let page = String::from_utf8(ask(&exporter.url, "GET", "/", "").1).unwrap();
        assert!(page.contains("NOMAD_NAMESPACE selects default"), "{page}");
    })
    .await
    .unwrap();
}

/// Nomad sets the namespace of the job in every task.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_nomad_task_all_namespaces_are_read_and_logged_once() {
    let simulator = world(Acl::Off, "2.0.5").await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let in_task = |arguments: &[&str]| {
            let fixed = ["--nomad.address", &nomad, "--web.listen-address", "127.0.0.1:0"];
            let mut command = exporter(&[arguments, &fixed, &FAST].concat());
            command.env("NOMAD_NAMESPACE", "default").env("NOMAD_ALLOC_ID", "5c9e2a3b");
            command
        };
        let running = Exporter::spawn(in_task(&[]));
        let mut shown = metrics(&running.url);
        wait_until(SOON, "a collection", || {
            shown = metrics(&running.url);
            !sums(&shown).is_empty()
        });
        assert_eq!(sees_all(&shown), Some(1.0));
        assert_eq!(shown.sum("nomad_allocations", &[("client_status", "running")]), Some(6.0));
        let log = running.log();
        assert_eq!(
            log.matches("NOMAD_NAMESPACE is ignored because it is the namespace of this task").count(),
            1,
            "{log}"
        );

        let (_, _, stderr) = run(in_task(&["check"]));
        let note = "note    NOMAD_NAMESPACE=default is ignored because it is the namespace of this task";
        assert!(stderr.contains(note), "{stderr}");
        assert!(!stderr.contains("PARTIAL"), "{stderr}");
        let (_, stdout, stderr) = run(in_task(&["check", "--namespace", "ci"]));
        assert!(
            stderr.contains("PARTIAL not all namespaces are read: --nomad.namespace selects ci;"),
            "{stderr}"
        );
        assert!(
            !stderr.contains("this task") && stdout.contains("nomad_exporter_sees_all_namespaces 0"),
            "{stderr}"
        );
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_restores_the_sums_and_the_log_reports_it() {
    let acl = tokens([("narrow", Policy::narrow(&["ci"])), ("all", Policy::exporter())]);
    let simulator = world(acl, "2.0.5").await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "narrow").unwrap();
        let exporter =
            Exporter::start(&nomad, &[&FAST[..], &["--nomad.token-file", path.to_str().unwrap()]].concat());
        exporter.wait_for_log("the token can read jobs in ci only", SOON);
        std::fs::write(&path, "all").unwrap();
        exporter.wait_for_log("all namespaces are read again", SOON);
        let is_whole = || sees_all(&metrics(&exporter.url)) == Some(1.0);
        wait_until(SOON, "all namespaces", is_whole);
        let log = exporter.log();
        assert_eq!(log.matches("not all namespaces are read").count(), 1, "{log}");
        assert!(!log.contains("token=narrow"), "{log}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_report_a_partial_view() {
    let simulator =
        world(tokens([("narrow", Policy::narrow(&["ci"])), ("all", Policy::exporter())]), "2.0.5").await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let run_with = |token: &str, line: &[&str]| {
            let mut command = exporter(&[line, &["--nomad.address", &nomad]].concat());
            command.env("NOMAD_TOKEN", token);
            run(command)
        };
        let sentence = "not all namespaces are read: the token can read jobs in ci only";
        for line in [&["status"][..], &["nodes"], &["node", "client-2"]] {
            let (code, stdout, stderr) = run_with("narrow", line);
            assert!(code == Some(0) && stdout.contains(sentence), "{line:?}: {stdout}{stderr}");
            let (code, stdout, stderr) = run_with("all", line);
            assert!(code == Some(0) && !stdout.contains("not all namespaces"), "{line:?}: {stdout}{stderr}");
            let (_, stdout, _) = run_with("narrow", &[line, &["--json"]].concat());
            let json: Value = serde_json::from_str(&stdout).unwrap();
            let expected = json!({"all": false, "reason": "the token can read jobs in ci only"});
            assert_eq!(json["namespaces"], expected);
        }
        let (_, stdout, _) = run_with("narrow", &["node", "client-2"]);
        assert!(stdout.contains("job") && stdout.contains("? allocated"), "{stdout}");
        let (_, stdout, stderr) = run_with("narrow", &["check"]);
        assert!(stderr.contains(&format!("PARTIAL {sentence};")), "{stderr}");
        assert!(!stdout.contains("\nnomad_node_allocated_cpu_hertz{"), "{stdout}");
        let (_, _, stderr) = run_with("all", &["check"]);
        assert!(!stderr.contains("namespaces are read"), "{stderr}");
    })
    .await
    .unwrap();
}

/// Nomad sends the secret of the token together with its permissions.
#[tokio::test(flavor = "multi_thread")]
async fn the_secret_in_the_response_is_never_exposed() {
    let secret = "5b1f3b5e-secret-in-the-answer";
    let simulator = world(Acl::Off, "2.0.5").await;
    let body = json!({"Type": "client", "SecretID": secret, "AccessorID": "a", "Policies": ["p"]});
    simulator.faults().set("/v1/acl/token/self", Fault::Body(Bytes::from(body.to_string())));
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let (_, stdout, stderr) =
            run(exporter(&["check", "--log.level", "debug", "--nomad.address", &nomad]));
        assert!(!stdout.contains(secret) && !stderr.contains(secret), "{stdout}{stderr}");
    })
    .await
    .unwrap();
}
