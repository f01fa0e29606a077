//! Commands as processes: exit codes, errors, stdout and stderr.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use nomad_simulator::cluster::NodeSpec;
use nomad_simulator::{Fault, Simulator};

use super::simulated;
use crate::support::process::{Running, SOON, exporter, run, wait_until};
use crate::support::recordings;

/// Read-only commands with their arguments.
const READING: [&[&str]; 5] =
    [&["status"], &["jobs"], &["job", "build-huge"], &["nodes"], &["node", "client-1"]];

/// Runs a command line; returns exit code, stdout and stderr.
async fn typed(simulator: &Simulator, line: &[&str]) -> (Option<i32>, String, String) {
    let command = exporter(&[line, &["--nomad.address", &simulator.url()]].concat());
    tokio::task::spawn_blocking(|| run(command)).await.unwrap()
}

#[test]
fn the_help_of_each_command_is_one_screen() {
    for name in ["status", "jobs", "job", "nodes", "node", "check", "metrics"] {
        let mut command = exporter(&[name, "--help"]);
        command.env("COLUMNS", "80");
        let (code, help, _) = run(command);
        assert_eq!(code, Some(0));
        assert!(help.lines().count() <= 40, "{name} has {} lines:\n{help}", help.lines().count());
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        for foreign in ["--web.", "--collector.", "--metrics.", "--log."] {
            assert!(!help.contains(foreign), "{name} shows {foreign}");
        }
        assert_eq!(help.contains("--nomad.token-file"), name != "metrics", "{help}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_read_only() {
    let (_cluster, simulator) = simulated(false).await;
    for line in READING {
        let (code, stdout, stderr) = typed(&simulator, line).await;
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{line:?}: {stdout}");
        assert!(stdout.contains("client-") || stdout.contains("build-"), "{line:?}: {stdout}");
        let (code, json, _) = typed(&simulator, &[line, &["--json"]].concat()).await;
        assert_eq!((code, json.lines().count()), (Some(0), 1), "{line:?}");
        assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["problems"].is_array());
    }
    let requests = simulator.requests();
    assert!(requests.len() > 30);
    for request in requests {
        assert_eq!(request.method, "GET", "{request:?}");
        assert!(request.query.contains("stale=true"), "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nomad_namespace_does_not_hide_allocations_of_a_client() {
    let (_cluster, simulator) = simulated(false).await;
    for (name, line, here) in [
        ("jobs", &["jobs"][..], "no such job"),
        ("node", &["node", "client-1"], "build-"),
        ("nodes", &["nodes"], "      2  "),
        ("status", &["status"], " 6 running"),
    ] {
        let mut command = exporter(&[line, &["--nomad.address", &simulator.url()]].concat());
        command.env("NOMAD_NAMESPACE", "default");
        let (code, stdout, stderr) = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.contains(here), "{name}: {stdout}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_reported() {
    let simulator = recordings::replay("2.0.5-acl-bad-token").await;
    for (line, capability) in [
        (&["status"][..], r#"must grant namespace "*" { capabilities = ["list-jobs"] }"#),
        (&["jobs"], r#"must grant namespace "*" { capabilities = ["list-jobs"] }"#),
        (&["job", "web"], r#"must grant namespace "*" { capabilities = ["list-jobs"] }"#),
        (&["nodes"], r#"must grant node { policy = "read" }"#),
        (&["node", "client-a"], r#"must grant node { policy = "read" }"#),
        (&["node", "--self"], r#"must grant agent { policy = "read" }"#),
    ] {
        let (code, stdout, stderr) = typed(&simulator, line).await;
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{line:?}: {stderr}");
        assert!(stderr.contains("Permission denied") && stderr.contains(capability), "{line:?}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_nomad_are_escaped() {
    let (_cluster, simulator) = simulated(false).await;
    simulator.faults().set("/v1/jobs", Fault::Status { code: 400, body: super::STEERS.into() });
    let (code, _, stderr) = typed(&simulator, &["jobs"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains(r"\u{1b}[2J") && !stderr.contains('\u{1b}'), "{stderr:?}");
}

/// Readable data is shown, missing data is reported, and the exit code tells scripts.
#[tokio::test(flavor = "multi_thread")]
async fn missing_data_is_reported_beside_known_data() {
    let (_cluster, simulator) = simulated(false).await;
    let refused = || Fault::Status { code: 403, body: "Permission denied".into() };
    simulator.faults().set("/v1/allocations", refused());
    simulator.faults().set("/v1/evaluations", refused());
    for (line, known, missing) in [
        (&["status"][..], "3 active", "cannot read allocations: "),
        (&["jobs"], "build-huge", "cannot read evaluations: "),
        (&["nodes"], "client-3", "cannot read allocations: "),
        (&["node", "client-2"], "eligible", "cannot read allocations: "),
    ] {
        let (code, stdout, stderr) = typed(&simulator, line).await;
        assert_eq!((code, stderr.as_str()), (Some(1), ""), "{line:?}");
        assert!(stdout.contains(known) && stdout.contains(missing), "{line:?}: {stdout}");
        assert!(stdout.contains(r#"must grant namespace "*" { capabilities = ["read-job"] }"#), "{stdout}");
    }
}

/// A failed request for a part of a job is reported, and the rest is shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_shown_without_unreadable_parts() {
    let (_cluster, simulator) = simulated(false).await;
    for (part, known, missing) in [
        ("/v1/job/build-0/allocations", "job-register", "cannot read job_allocations: "),
        (
            "/v1/job/build-0/evaluations",
            "nomad-exporter logs build-0 --namespace ci",
            "cannot read job_evaluations: ",
        ),
    ] {
        simulator.faults().set(part, Fault::Status { code: 403, body: "Permission denied".into() });
        let (code, stdout, stderr) = typed(&simulator, &["job", "build-0"]).await;
        simulator.faults().clear();
        assert_eq!((code, stderr.as_str()), (Some(1), ""), "{part}: {stdout}");
        assert!(stdout.contains(known) && stdout.contains(missing), "{part}: {stdout}");
    }
    let (code, _, stderr) = typed(&simulator, &["job", "build"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("`build` is ambiguous; it matches 7 jobs"), "{stderr}");
    let (code, _, stderr) = typed(&simulator, &["job", "biuld-0"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("did you mean `build-0`"), "{stderr}");
}

/// Odd responses about a job, in every field that the command reads, cause no panic.
#[tokio::test(flavor = "multi_thread")]
async fn odd_responses_about_a_job_cause_no_panic() {
    let (_cluster, simulator) = simulated(false).await;
    let long = "t".repeat(64 << 10);
    let events = r#"[null,{},{"Type":null,"Time":-1,"DisplayMessage":null,"Details":{"exit_code":"x"}}]"#;
    let tasks = format!(
        r#"[null,{{}},{{"ID":"","TaskStates":null}},{{"ID":"a-1","TaskStates":
            {{"{long}":{{"Failed":true,"Restarts":-3,"Events":{events}}},"b":null,"c":{{"Events":null}}}}}}]"#
    );
    let job = r#"{"TaskGroups":[null,{"Name":null},{"Name":"g","Count":-5}],"Version":null}"#;
    let evaluations = r#"[null,{},{"Status":"blocked","FailedTGAllocs":{"build":null,"gone":{}}}]"#;
    for (path, body) in [
        ("/v1/job/build-0", "null"),
        ("/v1/job/build-0", job),
        ("/v1/job/build-0/allocations", "null"),
        ("/v1/job/build-0/allocations", &tasks),
        ("/v1/job/build-0/evaluations", evaluations),
    ] {
        simulator.faults().set(path, Fault::Body(body.to_owned().into()));
        for line in [&["job", "build-0"][..], &["job", "build-0", "--json"]] {
            let (code, stdout, stderr) = typed(&simulator, line).await;
            assert!(code <= Some(1) && !stderr.contains("panicked"), "{path}: {code:?} {stderr}");
            assert!(stdout.contains("build-0"), "{path}: {stdout}");
        }
        simulator.faults().clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_found_by_id_prefix_and_name() {
    let simulator = recordings::replay("2.0.5-drain").await;
    for node in ["client-a", "35d03f66-5d8a-2b42-88f4-6e59dbebb780", "35d03f66", "35d"] {
        let (code, stdout, stderr) = typed(&simulator, &["node", node]).await;
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.starts_with("client-a\n35d03f66-5d8a-2b42-88f4-6e59dbebb780\n"), "{stdout}");
    }
    let (code, _, stderr) = typed(&simulator, &["node", "3"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("`3` is ambiguous; it matches 2 nodes:\n  35d03f66"), "{stderr}");
    let (code, _, stderr) = typed(&simulator, &["node", "cleint-a"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("there is no node `cleint-a`; did you mean `client-a`"), "{stderr}");
    // The recorded agent is a server.
    let (code, _, stderr) = typed(&simulator, &["node", "--self"]).await;
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("--self: no Nomad client responds on this machine at http://127.0.0.1:"),
        "{stderr}"
    );
    assert!(stderr.contains("set --agent-address"), "{stderr}");
    let client = r#"{"stats":{"client":{"node_id":"35d03f66-5d8a-2b42-88f4-6e59dbebb780"}}}"#;
    simulator.faults().set("/v1/agent/self", Fault::Body(client.into()));
    let (code, stdout, stderr) = typed(&simulator, &["node", "--self"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("client-a\n"), "{stdout}");
}

/// `NOMAD_ADDR` is usually a server's address, but the client on the machine is asked anyway.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_node_id_comes_from_the_local_agent() {
    let (server, agent) = (recordings::replay("2.0.5-drain").await, recordings::replay("2.0.5-drain").await);
    let client = r#"{"stats":{"client":{"node_id":"35d03f66-5d8a-2b42-88f4-6e59dbebb780"}}}"#;
    agent.faults().set("/v1/agent/self", Fault::Body(client.into()));
    for given in [&["node", "--self", "--agent-address", &agent.url()][..], &["node", "--self"]] {
        let mut command = exporter(&[given, &["--nomad.address", &server.url()]].concat());
        command.env("NOMAD_EXPORTER_AGENT_ADDRESS", agent.url());
        let (code, stdout, stderr) = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.starts_with("client-a\n"), "{stdout}");
    }
    assert!(agent.requests().iter().all(|request| request.path == "/v1/agent/self"));
    assert!(!server.requests().iter().any(|request| request.path == "/v1/agent/self"));
    let (code, _, stderr) = typed(&server, &["node", "--self", "--agent-address", "localhost"]).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--agent-address: `localhost` is not a Nomad address"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_found_by_their_instance_id() {
    let (cluster, simulator) = simulated(false).await;
    for (number, (name, value)) in [
        ("unique.platform.aws.instance-id", "i-0123456789abcdef0"),
        ("unique.platform.gce.id", "6226113459112382201"),
        ("unique.platform.gce.hostname", "builders-x7k2.c.project.internal"),
        ("unique.platform.azure.id", "13f56399-bd52-4150-9748-7190aae1ff21"),
        ("unique.platform.azure.name", "builders_3"),
    ]
    .into_iter()
    .enumerate()
    {
        let attributes = [(name.to_owned(), value.to_owned())].into();
        let node = NodeSpec { attributes, ..NodeSpec::new(&format!("in-a-cloud-{number}")) };
        let before = cluster.lock().unwrap().register_node(node.clone());
        // It lost its data directory, and is a new node.
        cluster.lock().unwrap().node_down(before);
        let now = cluster.lock().unwrap().register_node(node);
        let (code, stdout, stderr) = typed(&simulator, &["node", value]).await;
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.starts_with(&format!("in-a-cloud-{number}\n{now}\n")), "{stdout}");
    }
    for unknown in ["i-0123456789abcdef1", r#"i" or Name == "client-1"#] {
        let (code, _, stderr) = typed(&simulator, &["node", unknown]).await;
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("there is no node `"), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_values_are_usage_errors() {
    let (_cluster, simulator) = simulated(false).await;
    for (line, said) in [
        (&["jobs", "--status", "waiting"][..], "[possible values: pending, running, dead]"),
        (&["jobs", "--type", "cron"], "[possible values: service, batch, system, sysbatch]"),
        (&["nodes", "--state", "gone"], "[possible values: active, ineligible, draining"),
        (&["node"], "<NODE|--self>"),
        (&["node", "client-1", "--self"], "cannot be used with '--self'"),
    ] {
        let (code, stdout, stderr) = typed(&simulator, line).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{line:?}");
        assert!(stderr.contains(said), "{line:?}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn color_and_width_follow_the_settings() {
    let (_cluster, simulator) = simulated(false).await;
    let shown = |arguments: &'static [&str], variables: &'static [(&str, &str)]| {
        let mut command = exporter(&[&["nodes", "--nomad.address", &simulator.url()], arguments].concat());
        command.envs(variables.iter().copied());
        async { tokio::task::spawn_blocking(|| run(command)).await.unwrap().1 }
    };
    // A pipe is not a terminal: no colors, and no truncation.
    let plain = shown(&[], &[]).await;
    assert!(!plain.contains('\u{1b}') && plain.contains("HOST MEMORY") && plain.contains('█'), "{plain}");
    assert!(shown(&["--color", "always"], &[]).await.contains("\u{1b}[32mactive\u{1b}[0m"));
    assert!(shown(&[], &[("NOMAD_EXPORTER_COLOR", "always")]).await.contains("\u{1b}[32mactive"));
    assert_eq!(shown(&["--color", "never"], &[("NOMAD_EXPORTER_COLOR", "always")]).await, plain);
    let narrow = shown(&[], &[("COLUMNS", "40")]).await;
    assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
}

/// An operator's own token needs no file, and no command line.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_may_come_through_a_pipe() {
    let (_cluster, simulator) = simulated(false).await;
    let arguments = ["nodes", "--nomad.address", &simulator.url(), "--nomad.token-file", "/dev/stdin"];
    let mut command = exporter(&arguments);
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "s3cr3t").unwrap();
        child.wait().unwrap()
    });
    assert_eq!(output.await.unwrap().code(), Some(0));
    let requests = simulator.requests();
    assert!(requests.len() > 3 && requests.iter().all(|request| request.token.as_deref() == Some("s3cr3t")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_is_not_an_error() {
    let (_cluster, simulator) = simulated(false).await;
    let url = simulator.url();
    tokio::task::spawn_blocking(move || {
        for line in READING
            .iter()
            .copied()
            .chain([&["status", "--watch", "--collect.interval", "200ms"][..], &["metrics"]])
        {
            let mut command = exporter(&[line, &["--nomad.address", &url]].concat());
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            drop(child.stdout.take());
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{line:?}");
        }
    })
    .await
    .unwrap();
}

/// --watch prints one screen after the other, sends the same requests as the exporter, and ends cleanly.
#[tokio::test(flavor = "multi_thread")]
async fn watching_goes_on_until_it_is_interrupted() {
    let (_cluster, simulator) = simulated(false).await;
    for json in [false, true] {
        // A refresh may take ten seconds, and four screens more than a second, because the machine may be busy.
        let arguments = [
            "status",
            "--watch",
            "--collect.interval=500ms",
            "--collect.max-age-intervals=20",
            "--nomad.address",
        ];
        let mut command =
            exporter(&[&arguments[..], &[&simulator.url()], if json { &["--json"] } else { &[] }].concat());
        tokio::task::spawn_blocking(move || {
            let mut child = Running(command.stdout(Stdio::piped()).spawn().unwrap());
            let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
            let mut frames = 0;
            while frames < 4 {
                let mut line = String::new();
                assert!(stdout.read_line(&mut line).unwrap() > 0, "the watch ended after {frames} frames");
                frames += usize::from(line.starts_with("Nomad as of") || line.starts_with("{\"as_of\""));
            }
            let id = child.0.id().to_string();
            assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
            let mut status = None;
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            wait_until(SOON, "the end", || {
                status = child.0.try_wait().unwrap();
                status.is_some()
            });
            assert_eq!(status.unwrap().code(), Some(0));
        })
        .await
        .unwrap();
    }
    // History was read once per run.
    let dead = |request: &&nomad_simulator::LoggedRequest| {
        let is_list = |path: &str| request.path == path && !request.query.contains("prefix=");
        is_list("/v1/jobs") && request.query.contains("%3D%3D") || is_list("/v1/namespaces")
    };
    assert_eq!(simulator.requests().iter().filter(dead).count(), 4);
}
