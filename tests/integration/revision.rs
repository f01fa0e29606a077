//! A binary reports the commit that it was built from, wherever it was built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::process::{exporter, run};
use crate::support::{path, recordings, root};

/// Compiles only build.rs: the rest takes minutes and does not matter.
fn build_script(folder: &Path) -> PathBuf {
    let program = folder.join("build-script");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "-o"]).arg(&program).arg(path("build.rs"));
    let (code, _, stderr) = run(rustc);
    assert_eq!(code, Some(0), "{stderr}");
    program
}

/// Returns the commit that a build in this folder would report.
fn built_in(folder: &Path, program: &Path, said: Option<&str>) -> String {
    let mut build = Command::new(program);
    build.current_dir(folder).env_remove("NOMAD_EXPORTER_REVISION");
    build.envs(said.map(|said| ("NOMAD_EXPORTER_REVISION", said)));
    let (code, stdout, stderr) = run(build);
    assert_eq!(code, Some(0), "{stderr}");
    let line = stdout.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=NOMAD_EXPORTER_REVISION="));
    line.unwrap_or_else(|| panic!("{stdout}")).to_owned()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(folder).args(["-c", "user.name=A", "-c", "user.email=a@example.org"]).args(arguments);
    let (code, stdout, stderr) = run(git);
    assert_eq!(code, Some(0), "git {arguments:?}: {stderr}");
    stdout.trim().to_owned()
}

#[test]
fn the_commit_is_known_in_a_clone_and_in_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let program = build_script(folder.path());
    let clone = folder.path().join("clone");
    std::fs::create_dir(&clone).unwrap();
    git(&clone, &["init", "--quiet"]);
    for file in [".gitattributes", ".revision"] {
        std::fs::copy(path(file), clone.join(file)).unwrap();
    }
    git(&clone, &["add", "."]);
    git(&clone, &["commit", "--quiet", "--message", "all"]);
    let commit = git(&clone, &["rev-parse", "HEAD"])[..12].to_owned();
    assert_eq!(built_in(&clone, &program, None), commit);
    git(&clone, &["tag", "v1"]);
    assert_eq!(built_in(&clone, &program, None), commit, "a tag is not a commit");
    assert_eq!(built_in(&clone, &program, Some("abc")), "abc");
    std::fs::write(clone.join(".gitattributes"), ".revision export-subst\n\n").unwrap();
    assert_eq!(built_in(&clone, &program, None), format!("{commit}-dirty"));

    git(&clone, &["archive", "--output", "../archive.tar", "--prefix", "archive/", "HEAD"]);
    let mut tar = Command::new("tar");
    tar.current_dir(folder.path()).args(["-xf", "archive.tar"]);
    assert_eq!(run(tar).0, Some(0));
    assert_eq!(built_in(&folder.path().join("archive"), &program, None), commit);

    // Neither: a copy of the files, even within another repository.
    let copy = clone.join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(path(".revision"), copy.join(".revision")).unwrap();
    assert_eq!(built_in(&copy, &program, None), "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn version_and_metrics_report_the_same_commit() {
    let (code, version, _) = run(exporter(&["--version"]));
    assert_eq!(code, Some(0));
    let (number, revision) = version.trim().strip_prefix("nomad-exporter ").unwrap().split_once(' ').unwrap();
    let revision = revision.trim_matches(['(', ')']);
    let mut head = Command::new("git");
    head.current_dir(root()).args(["rev-parse", "--verify", "HEAD"]);
    match run(head) {
        (Some(0), commit, _) => assert_eq!(revision.trim_end_matches("-dirty"), &commit[..12]),
        _ => eprintln!("skipped: commit in --version: this is not a Git clone"),
    }
    let simulator = recordings::replay("2.0.5").await;
    let command = exporter(&["check", "--nomad.address", &simulator.url()]);
    let (_, metrics, _) = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("nomad_exporter_build_info{")).unwrap();
    assert!(line.contains(&format!("version=\"{number}\",revision=\"{revision}\"")), "{line}");
}
