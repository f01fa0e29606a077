//! Builds and runs from the unpacked tarball, with the commands of the pages.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{done, release};
use crate::deploy::kubernetes::{
    EVERYTHING, assert_valid, kustomization_of_the_page, kustomized, rendered_from,
};
use crate::support::process::run;
use crate::support::{path, promtool, tools};

#[test]
#[ignore = "needs a packed release: make check-release"]
fn manifests_and_chart_are_built_from_the_tarball() {
    let release = release();
    let root = release.join("tarball");
    let Some(text) = kustomized(&root.join("deploy/kubernetes")) else { return };
    assert_valid(&text);
    for folder in ["deploy/kubernetes/exporter", "deploy/kubernetes/monitoring", "dashboards"] {
        assert!(kustomized(&root.join(folder)).unwrap().contains("nomad-exporter"), "{folder}");
    }
    assert!(kustomization_of_the_page(&root).unwrap().contains("https://nomad.corp"));
    let Some(chart) = rendered_from(&root.join("deploy/helm/nomad-exporter"), EVERYTHING, &[]) else {
        return;
    };
    assert_valid(&chart.unwrap());
}

/// The tarball's deploy/ equals the project's, which is tested elsewhere.
#[test]
#[ignore = "needs a packed release: make check-release"]
fn the_tarball_contains_deploy() {
    let release = release();
    let mut diff = Command::new("diff");
    diff.args(["--recursive", "--no-dereference"]).arg(path("deploy")).arg(release.join("tarball/deploy"));
    assert_eq!(run(diff), (Some(0), String::new(), String::new()));
}

/// Symbolic links have targets within the tarball.
#[test]
#[ignore = "needs a packed release: make check-release"]
fn links_in_the_tarball_have_a_target() {
    let release = release();
    let root = release.join("tarball").canonicalize().unwrap();
    let list = done(Command::new("find").arg(&root).args(["-type", "l"]));
    assert!(list.lines().count() > 5, "{list}");
    for link in list.lines() {
        let target = Path::new(link).canonicalize().unwrap_or_else(|error| panic!("{link}: {error}"));
        assert!(target.starts_with(&root), "{link} leads to {}", target.display());
    }
}

#[test]
#[ignore = "needs a packed release: make check-release"]
fn prometheus_accepts_the_files_of_the_tarball() {
    let release = release();
    let promtool = tools::find("promtool");
    let root = release.join("tarball");
    done(
        Command::new(&promtool).args(["check", "config"]).arg(root.join("deploy/prometheus/prometheus.yml")),
    );
    for rules in
        ["alerts/nomad.rules.yml", "alerts/nomad.alerts.yml", "deploy/autoscaler/nomad-autoscaler.rules.yml"]
    {
        done(Command::new(&promtool).args(["check", "rules"]).arg(root.join(rules)));
    }
    let tests = done(Command::new("find").arg(&root).args(["-name", "*.test.yml"]));
    let tests: Vec<_> = tests.lines().map(PathBuf::from).collect();
    promtool::test_rules(&promtool, &tests, "");
}

/// The root of the image with the released binary needs only the tarball.
#[test]
#[ignore = "needs a packed release: make check-release"]
fn the_image_root_is_built_from_the_tarball() {
    if !Path::new("/etc/ssl/certs/ca-certificates.crt").is_file() {
        eprintln!("skipped: contents of the image: this machine has no /etc/ssl/certs/ca-certificates.crt");
        return;
    }
    let release = release();
    let folder = tempfile::tempdir().unwrap();
    let mut script = Command::new("deploy/docker/rootfs.sh");
    // Without Rust.
    script
        .arg("nomad-exporter")
        .arg(folder.path())
        .current_dir(release.join("tarball"))
        .env("PATH", "/usr/bin:/bin");
    let (code, stdout, stderr) = run(script);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let licences = folder.path().join("usr/share/licenses/nomad-exporter/THIRD-PARTY-LICENCES.txt");
    assert!(std::fs::read_to_string(licences).unwrap().contains("\n  hyper 1."));
    let version = done(Command::new(folder.path().join("usr/bin/nomad-exporter")).arg("--version"));
    assert!(version.starts_with("nomad-exporter "), "{version}");
}
