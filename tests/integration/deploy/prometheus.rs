//! What Prometheus and Alertmanager are configured with.

use std::process::Command;

use crate::support::process::run;
use crate::support::{path, read, tools};

/// The folder as its README has it copied, so that it needs nothing beside it.
fn copied() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--dereference"]).arg(path("deploy/prometheus/.")).arg(folder.path());
    assert_eq!(run(copy), (Some(0), String::new(), String::new()));
    folder
}

#[test]
fn promtool_accepts_the_configuration_with_its_rules() {
    let Some(promtool) = tools::find("promtool", "checking deploy/prometheus") else { return };
    let folder = copied();
    let mut check = Command::new(&promtool);
    check.args(["check", "config"]).arg(folder.path().join("prometheus.yml"));
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(stdout.matches("rules found").count(), 3, "{stdout}");
    let text = read("deploy/prometheus/prometheus.yml");
    assert!(text.contains("job_name: nomad-exporter #") && text.contains("honor_labels: true"), "{text}");
}

#[test]
fn alertmanager_wakes_somebody_for_what_is_critical_alone() {
    let Some(amtool) = tools::find("amtool", "checking deploy/prometheus/alertmanager.yml") else { return };
    let folder = copied();
    let file = folder.path().join("alertmanager.yml");
    let mut check = Command::new(&amtool);
    check.arg("check-config").arg(&file);
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    for (severity, receiver) in [("critical", "on-call"), ("warning", "team"), ("info", "digest")] {
        let mut routes = Command::new(&amtool);
        routes.args(["config", "routes", "test", "--config.file"]).arg(&file);
        routes.arg(format!("severity={severity}"));
        assert_eq!(run(routes).1.trim(), receiver, "{severity}");
    }
}
