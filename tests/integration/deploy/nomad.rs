//! The Nomad jobs, their ACL policy, and the policy of the Nomad Autoscaler.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::process::{exporter, run};
use crate::support::{path, read, recordings};

const JOBS: [(&str, &str); 2] = [
    ("docker", "deploy/nomad/nomad-exporter.nomad.hcl"),
    ("exec", "deploy/nomad/nomad-exporter-exec.nomad.hcl"),
];

fn hcl(file: &str) -> Value {
    hcl::from_str(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the group of a job, and its task.
fn group(file: &str) -> (Value, Value) {
    let group = hcl(file)["job"]["nomad-exporter"]["group"]["exporter"].clone();
    let task = group["task"]["nomad-exporter"].clone();
    assert!(group.is_object() && task.is_object(), "{file}");
    (group, task)
}

#[test]
fn jobs_use_their_workload_identity_and_the_task_api() {
    for (driver, file) in JOBS {
        let (group, task) = group(file);
        assert_eq!(task["driver"], driver);
        assert_eq!(task["identity"], json!({"file": true}), "{file}");
        let env = &task["env"];
        assert_eq!(env["NOMAD_EXPORTER_NOMAD_ADDRESS"], "unix://${NOMAD_SECRETS_DIR}/api.sock");
        assert_eq!(env["NOMAD_EXPORTER_NOMAD_TOKEN_FILE"], "${NOMAD_SECRETS_DIR}/nomad_token");
        let help = run(exporter(&["--help"])).1;
        for name in env.as_object().unwrap().keys() {
            assert!(help.contains(&format!("{name}=")), "{file}: the program has no variable {name}");
        }
        let service = &group["service"];
        assert!(
            group["network"]["port"][service["port"].as_str().unwrap()].is_object(),
            "{file}: which port?"
        );
        assert_eq!(
            (&service["provider"], &service["check"]["path"]),
            (&json!("nomad"), &json!("/-/ready?all"))
        );
        // Memory oversubscription is disabled by default, and 10,000 nodes need more than 200 MiB.
        assert_eq!(task["resources"], json!({"cpu": 100, "memory": 256}), "{file}");
    }
    let (docker, task) = group(JOBS[0].1);
    assert_eq!(docker["network"]["port"]["http"]["to"], 9441);
    assert_eq!(
        (&task["config"]["readonly_rootfs"], &task["config"]["cap_drop"]),
        (&json!(true), &json!(["all"]))
    );
    // A driver without port mapping listens on the assigned port.
    assert_eq!(group(JOBS[1].1).1["env"]["NOMAD_EXPORTER_WEB_LISTEN_ADDRESS"], ":${NOMAD_PORT_http}");
}

/// The variants differ only where the drivers require it.
#[test]
fn the_variants_differ_only_by_driver() {
    let plain = |(_, file): (&str, &str)| {
        let mut group = group(file).0;
        let task = group["task"]["nomad-exporter"].as_object_mut().unwrap();
        task.remove("driver");
        task.remove("config");
        task["env"].as_object_mut().unwrap().remove("NOMAD_EXPORTER_WEB_LISTEN_ADDRESS");
        group["network"]["port"]["http"] = Value::Null;
        group
    };
    assert_eq!(plain(JOBS[0]), plain(JOBS[1]));
}

/// Nomad sets the job's namespace and region in every task, in variables that select what to read elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_one_namespace_reads_all_namespaces() {
    let simulator = recordings::replay("2.0.5").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nomad_token"), "an.identity").unwrap();
    let mut check = exporter(&["check"]);
    check.env("NOMAD_ALLOC_ID", "5c9e2a3b");
    check.env("NOMAD_NAMESPACE", "default").env("NOMAD_REGION", "global");
    for (name, value) in group(JOBS[0].1).1["env"].as_object().unwrap() {
        check.env(
            name,
            value.as_str().unwrap().replace("${NOMAD_SECRETS_DIR}", folder.path().to_str().unwrap()),
        );
    }
    check.env("NOMAD_EXPORTER_NOMAD_ADDRESS", simulator.url());
    let (_, _, stderr) = tokio::task::spawn_blocking(|| run(check)).await.unwrap();
    assert!(stderr.contains("ok      jobs: 22 rows"), "{stderr}");
    let lists = simulator.requests();
    let jobs: Vec<_> = lists.iter().filter(|request| request.path == "/v1/jobs").collect();
    assert!(
        !jobs.is_empty()
            && jobs
                .iter()
                .all(|request| request.query.contains("namespace=*")
                    || request.query.contains("namespace=%2A")),
        "{jobs:?}"
    );
}

/// The policy equals that of README.md and docs/security.md.
#[test]
fn the_policy_equals_the_documentation() {
    let policy = hcl("deploy/nomad/nomad-exporter.policy.hcl");
    let readme = read("README.md");
    let shown = readme.split("```hcl\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(policy, hcl::from_str::<Value>(shown).unwrap());
    let (security, own) = (read("docs/security.md"), read("deploy/nomad/nomad-exporter.policy.hcl"));
    let capabilities = policy["namespace"]["*"]["capabilities"].as_array().unwrap();
    for grant in capabilities.iter().map(Value::to_string).chain(["node {".into(), "operator {".into()]) {
        let row = security.lines().find(|line| line.starts_with('|') && line.contains(&grant));
        let collectors = row
            .unwrap_or_else(|| panic!("docs/security.md does not mention {grant}"))
            .split('|')
            .nth(1)
            .unwrap();
        for collector in collectors.split(", ").map(|collector| collector.trim().trim_matches('`')) {
            assert!(own.contains(collector), "the policy does not say that {collector} needs {grant}");
        }
    }
}

/// The Nomad Autoscaler reads only these blocks and fields of a policy file, and rejects others.
#[test]
fn the_autoscaler_policy_is_valid() {
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let known = |value: &Value, known: &[&str]| {
        let unknown: Vec<_> =
            fields(value).into_iter().filter(|field| !known.contains(&field.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    };
    let file = hcl("deploy/autoscaler/policy.hcl");
    known(&file, &["scaling"]);
    let scaling = &file["scaling"]["clients-default"];
    known(scaling, &["enabled", "type", "min", "max", "policy"]);
    assert!(scaling["min"].as_u64() >= Some(1) && scaling["type"] == "cluster");
    let policy = &scaling["policy"];
    known(
        policy,
        &["evaluation_interval", "cooldown", "cooldown_on_scale_up", "on_check_error", "check", "target"],
    );
    let check = &policy["check"]["clients-wanted"];
    known(
        check,
        &["group", "source", "query", "query_window", "query_window_offset", "on_error", "strategy"],
    );
    assert_eq!(check["strategy"], json!({"pass-through": {}}));

    let agent = hcl("deploy/autoscaler/nomad-autoscaler.hcl");
    known(&agent, &["nomad", "apm", "strategy", "target", "policy"]);
    assert!(agent["apm"][check["source"].as_str().unwrap()].is_object(), "the query needs a source");
    assert_eq!(fields(&policy["target"]), fields(&agent["target"]), "the target must be configured");
    assert_eq!(fields(&check["strategy"]), fields(&agent["strategy"]), "the strategy must be configured");
    assert_eq!(check["query"], super::scaling::query("default", ""));
}

/// bash reports no syntax errors in the scripts.
#[test]
fn scripts_are_well_formed() {
    for script in [
        "deploy/docker/rootfs.sh",
        "deploy/autoscaler/scale-asg.sh",
        "deploy/scale-in/lifecycle-hook.sh",
        "scripts/licences.sh",
    ] {
        let mut check = Command::new("bash");
        check.arg("-n").arg(path(script));
        assert_eq!(run(check).0, Some(0), "{script}");
    }
}
