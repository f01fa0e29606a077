//! The lifecycle hook: a whole scale-in, by the script that is shipped, with stubs for the cloud's own command.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nomad_simulator::cluster::Settings;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{World, build, ended, signal};
use crate::support::process::run;
use crate::support::{path, tools};

/// Starts the script as the hook of a client. What the stub of the cloud's command is asked stands in a file.
fn start(world: &World, folder: &TempDir, variables: &[(&str, &str)]) -> Child {
    let stub = folder.path().join("aws");
    std::fs::write(&stub, "#!/bin/sh\necho \"$*\" >>\"$0.log\"\n").unwrap();
    std::fs::set_permissions(&stub, std::fs::Permissions::from_mode(0o755)).unwrap();
    let paths = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(path("deploy/scale-in/lifecycle-hook.sh"));
    command.arg("client-1").envs(variables.iter().copied());
    command.env("PATH", paths).env("EXPORTER", env!("CARGO_BIN_EXE_nomad-exporter"));
    command.env("NOMAD_ADDR", world.simulator.url()).env("NOMAD_EXPORTER_NOMAD_TIMEOUT", "2s");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().unwrap()
}

fn log(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("aws.log")).unwrap_or_default()
}

async fn busy() -> (World, TempDir) {
    let world = World::new(1, Settings::default()).await;
    (0..20).for_each(|number| drop(world.cluster().submit(build(&format!("build-{number}"), 120))));
    world.pass(10);
    assert_eq!(world.live(0), 20);
    (world, tempfile::tempdir().unwrap())
}

const AWS: [(&str, &str); 3] = [("GROUP", "builders"), ("INSTANCE", "i-1"), ("HEARTBEAT_SECONDS", "1")];

#[tokio::test(flavor = "multi_thread")]
async fn the_hook_is_completed_once_nothing_lives_there() {
    let (world, folder) = busy().await;
    let child = start(&world, &folder, &AWS);
    world.until("heartbeats", |_| log(&folder).lines().count() >= 3).await;
    assert!(!log(&folder).contains("complete-lifecycle-action"), "{}", log(&folder));
    world.until("drain", |world| world.methods().contains(&"PUT".to_owned())).await;
    world.pass(150);
    let ended = ended(child).await;
    assert_eq!((ended.code, world.live(0)), (Some(0), 0), "{}", ended.stderr);
    let of = "--auto-scaling-group-name builders --lifecycle-hook-name nomad-drain --instance-id i-1";
    let log = log(&folder);
    let asked: Vec<&str> = log.lines().collect();
    assert_eq!(asked[0], format!("autoscaling record-lifecycle-action-heartbeat {of}"));
    let last = format!("autoscaling complete-lifecycle-action --lifecycle-action-result CONTINUE {of}");
    assert_eq!(asked.last(), Some(&last.as_str()));
    assert_eq!(log.matches("complete").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_gone_completes_the_hook_too() {
    let (world, folder) = busy().await;
    let child = start(&world, &folder, &AWS);
    world.until("heartbeat", |_| !log(&folder).is_empty()).await;
    let node = world.nodes[0];
    world.cluster().node_down(node);
    let ended = ended(child).await;
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(log(&folder).contains("complete-lifecycle-action"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_goes_on_or_was_cancelled_leaves_the_hook_alone() {
    let (world, folder) = busy().await;
    let mut variables = AWS.to_vec();
    variables.push(("DRAIN_TIMEOUT", "1s"));
    let late = ended(start(&world, &folder, &variables)).await;
    assert_eq!(late.code, Some(3), "{}", late.stderr);
    let child = start(&world, &folder, &AWS);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    signal(&child, "TERM");
    let stopped = ended(child).await;
    assert_eq!(stopped.code, Some(3), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("its deadline stays") && stopped.stderr.contains("stays in force"));
    let child = start(&world, &folder, &AWS);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let node = world.nodes[0];
    world.cluster().cancel_drain(node, true);
    let cancelled = ended(child).await;
    assert_eq!(cancelled.code, Some(5), "{}", cancelled.stderr);
    assert!(!log(&folder).contains("complete"), "{}", log(&folder));
    assert_eq!(world.methods().iter().filter(|method| *method == "PUT").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_clouds_bring_their_own_commands() {
    let (world, folder) = busy().await;
    let told = folder.path().join("told").display().to_string();
    let (beat, complete) = (format!("echo beat >>{told}"), format!("echo complete >>{told}"));
    let child = start(&world, &folder, &[("HEARTBEAT_COMMAND", &beat), ("COMPLETE_COMMAND", &complete)]);
    world.until("heartbeat", |_| std::fs::exists(&told).unwrap()).await;
    world.until("drain", |world| world.methods().contains(&"PUT".to_owned())).await;
    world.pass(150);
    let ended = ended(child).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&told).unwrap(), "beat\ncomplete\n");
    // Without either, nothing is begun.
    let refused = super::ended(start(&world, &folder, &[])).await;
    assert!(refused.code != Some(0) && refused.stderr.contains("GROUP"), "{}", refused.stderr);
}

#[test]
fn shellcheck_finds_no_fault() {
    let Some(shellcheck) = tools::find("shellcheck", "checking the lifecycle hook's script") else { return };
    let mut check = std::process::Command::new(shellcheck);
    check.arg(path("deploy/scale-in/lifecycle-hook.sh"));
    let (code, found, _) = run(check);
    assert_eq!(code, Some(0), "{found}");
}
