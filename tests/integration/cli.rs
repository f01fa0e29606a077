//! The command line.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nomad_simulator::Fault;

use crate::support::process::{Exporter, Refusing, SOON, copy_program, exporter, run, wait_until};
use crate::support::recordings;

/// Runs an invalid command line; returns its message.
fn refused(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(exporter(arguments));
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
    stderr
}

#[test]
fn invalid_input_is_rejected_with_an_error_that_names_the_flag() {
    for (arguments, sentence) in [
        (&["--nomad.adress", "http://nomad"][..], "unexpected argument '--nomad.adress'"),
        (&["--collect.interval", "often"], "invalid value 'often' for '--collect.interval"),
        (&["--log.level", "loud"], "[possible values: error, warn, info, debug, trace]"),
        (&["explode"], "unrecognized subcommand 'explode'"),
        (
            &["--nomad.address", "nomad:4646"],
            "nomad-exporter: --nomad.address: `nomad:4646` is not a Nomad address",
        ),
        (&["--nomad.token-file", "/nowhere"], "nomad-exporter: --nomad.token-file: cannot read /nowhere"),
        (
            &["--web.listen-address", "localhost"],
            "nomad-exporter: --web.listen-address: cannot listen on `localhost`",
        ),
        (
            &["--nomad.address", "https://127.0.0.1:4646", "--nomad.ca-file", "/nowhere"],
            "nomad-exporter: cannot read the CA certificate /nowhere",
        ),
    ] {
        let said = refused(arguments);
        assert!(said.contains(sentence), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_taken_port_is_a_failure_and_not_a_usage_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, stderr) = run(exporter(&["--web.listen-address", &address]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("--web.listen-address: cannot listen on {address}: ")), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_metrics_and_results() {
    let simulator = recordings::replay("2.0.5").await;
    let (code, stdout, stderr) = check(&simulator.url()).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("# HELP nomad_jobs "), "{stdout}");
    assert!(stderr.contains("ok      jobs: 22 rows\n"), "{stderr}");
    let on = nomad_exporter::collect::COLLECTORS.iter().filter(|collector| collector.default_on);
    // No metadata or attributes of nodes are selected.
    let on = on.filter(|collector| collector.id != nomad_exporter::snapshot::CollectorId::NodeDetails);
    // The recorded agent has no response about the token's permissions.
    let (notes, results): (Vec<_>, Vec<_>) = stderr.lines().partition(|line| line.starts_with("note "));
    assert_eq!(results.len(), on.count(), "{stderr}");
    assert!(
        matches!(notes[..], [note] if note.contains("it is unknown whether all namespaces are read")),
        "{stderr}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_the_capability_that_a_token_lacks() {
    let simulator = recordings::replay("2.0.5-acl-bad-token").await;
    let (code, stdout, stderr) = check(&simulator.url()).await;
    assert_eq!(code, Some(1));
    assert!(stdout.contains("nomad_up 0\n") && !stdout.contains("nomad_jobs{"), "{stdout}");
    let line = |collector: &str| stderr.lines().find(|line| line.contains(collector)).unwrap().to_owned();
    assert!(line(" jobs: ").contains("Permission denied"), "{stderr}");
    assert!(
        line(" jobs: ").contains(r#"must grant namespace "*" { capabilities = ["list-jobs"] }"#),
        "{stderr}"
    );
    assert!(line(" nodes: ").contains(r#"must grant node { policy = "read" }"#), "{stderr}");
}

async fn check(nomad: &str) -> (Option<i32>, String, String) {
    let command = exporter(&["check", "--nomad.address", nomad]);
    tokio::task::spawn_blocking(|| run(command)).await.unwrap()
}

/// The container health check, with the flags of the exporter.
#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_asks_the_exporter_on_its_own_address() {
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    let test = move || {
        let running = Exporter::start(&nomad, &[]);
        let address = running.url.trim_start_matches("http://").to_owned();
        let address = address.as_str();
        let asked = |address: &str, arguments: &[&str]| {
            let mut command = exporter(&[&["healthcheck"], arguments].concat());
            command.env("NOMAD_EXPORTER_WEB_LISTEN_ADDRESS", address);
            run(command)
        };
        let (code, stdout, stderr) = asked(address, &[]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        assert_eq!(stdout, format!("http://{address}/-/healthy: healthy\n"));
        wait_until(SOON, "readiness", || asked(address, &["--ready"]).0 == Some(0));
        // An unspecified address is checked on localhost.
        let port = address.rsplit_once(':').unwrap().1;
        assert_eq!(asked(&format!("0.0.0.0:{port}"), &[]).0, Some(0));

        drop(running);
        let (code, stdout, stderr) = asked(address, &[]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""));
        assert!(stderr.contains(&format!("{address}/-/healthy does not respond: ")), "{stderr}");
        let (code, _, stderr) = asked(":0", &[]);
        assert_eq!(code, Some(1));
        assert!(stderr.starts_with("--web.listen-address: port 0"), "{stderr}");
    };
    tokio::task::spawn_blocking(test).await.unwrap();
}

/// If the policy grants only a part, the exporter is worth scraping, but its deployment should fail.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_of_all_needs_every_required_collector() {
    let simulator = recordings::replay("2.0.5").await;
    let refused = Fault::Status { code: 403, body: "Permission denied".into() };
    simulator.faults().set("/v1/allocations", refused);
    let nomad = simulator.url();
    let test = move || {
        let running = Exporter::start(&nomad, &["--collect.interval", "1s"]);
        let address = running.url.trim_start_matches("http://").to_owned();
        let asked = |arguments: &[&str]| {
            run(exporter(
                &[&["healthcheck", "--web.listen-address", &address, "--ready"], arguments].concat(),
            ))
        };
        wait_until(SOON, "readiness", || asked(&[]).0 == Some(0));
        let (code, _, stderr) = asked(&["--all"]);
        assert_eq!(code, Some(1));
        assert!(
            stderr.contains("/-/ready?all responded 503 Service Unavailable: not ready: no fresh data from the collectors "),
            "{stderr}"
        );
        assert!(stderr.contains("allocations") && !stderr.contains("nodes"), "{stderr}");
        simulator.faults().clear();
        wait_until(SOON, "readiness of all", || asked(&["--all"]).0 == Some(0));
    };
    tokio::task::spawn_blocking(test).await.unwrap();
}

/// Root can read files that the service cannot.
#[test]
fn check_config_runs_as_another_user() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    std::fs::write(&file, "rate_limit: {interval: 1s, burst: 5}\n").unwrap();
    let judged = |user: &[&str]| run(exporter(&[&["check-config", file.to_str().unwrap()], user].concat()));
    assert_eq!(judged(&[]).0, Some(0));
    let (code, _, stderr) = judged(&["--as-user", "nobody-of-this-name"]);
    assert!(
        code == Some(2) && stderr.contains("--as-user: `nobody-of-this-name` is neither a number"),
        "{stderr}"
    );
    let mut id = Command::new("id");
    id.arg("-u");
    if run(id).1.trim() != "0" {
        eprintln!("skipped: check-config --as-user: needs root");
        return;
    }
    // Other users may have no access to the build directory, so the program is copied.
    let program = folder.path().join("nomad-exporter");
    copy_program(env!("CARGO_BIN_EXE_nomad-exporter").as_ref(), &program);
    let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    mode(folder.path(), 0o755);
    let judged = || {
        let mut command = Command::new(&program);
        command.arg("check-config").arg(&file).args(["--as-user", "65534"]);
        run(command)
    };
    mode(&file, 0o644);
    let (code, stdout, stderr) = judged();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("is valid"), "{stdout}");
    mode(&file, 0o600);
    let (code, stdout, stderr) = judged();
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("Permission denied"), "{stderr}");
}

/// An exporter that cannot reach Nomad is healthy, but not ready.
#[test]
fn healthcheck_distinguishes_health_and_readiness() {
    let blind = Exporter::start("http://127.0.0.1:1", &[]);
    let address = blind.url.trim_start_matches("http://");
    let asked = |arguments: &[&str]| {
        run(exporter(&[&["healthcheck", "--web.listen-address", address], arguments].concat()))
    };
    assert_eq!(asked(&[]).0, Some(0));
    let (code, _, stderr) = asked(&["--ready"]);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("503 Service Unavailable: not ready: no collector has fresh data from Nomad"),
        "{stderr}"
    );
}

/// One line per reason, whatever the number of collectors.
#[test]
fn check_reports_an_unreachable_nomad_once() {
    let refusing = Refusing::anywhere();
    let nomad = format!("http://{}", refusing.address());
    let (code, _, stderr) = run(exporter(&["check", "--nomad.address", &nomad, "--nomad.timeout", "3s"]));
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
    let line = format!("FAILED  Nomad cannot be reached: cannot reach {nomad}: ");
    assert!(stderr.starts_with(&line) && stderr.contains("; not read: servers, "), "{stderr}");
    for collector in ["jobs", "nodes", "specifications", "finished_allocations", "scheduler"] {
        assert!(stderr.trim_end().replace(',', "").split(' ').any(|word| word == collector), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_reports_other_failures_one_by_one() {
    let simulator = recordings::replay("2.0.5").await;
    let refusal = Fault::Status { code: 403, body: "Permission denied".into() };
    simulator.faults().set("/v1/evaluations", refusal);
    simulator.faults().set("/v1/deployments", Fault::Close);
    let nomad = simulator.url();
    let (code, _, stderr) =
        tokio::task::spawn_blocking(move || run(exporter(&["check", "--nomad.address", &nomad])))
            .await
            .unwrap();
    let failed: Vec<&str> = stderr.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert_eq!((code, failed.len()), (Some(1), 2), "{stderr}");
    assert!(failed[0].starts_with("FAILED  evaluations: ") && failed[0].contains("403"), "{stderr}");
    assert!(failed[1].starts_with("FAILED  deployments: cannot reach "), "{stderr}");
}
