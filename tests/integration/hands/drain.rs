//! Drains: a complete scale-in, and all ways in which a drain can end.

use std::collections::BTreeMap;
use std::time::Duration;

use nomad_simulator::Fault;
use nomad_simulator::cluster::{Acl, JobSpec, NodeState, Policy, Settings};

use super::{World, build, ended, said, signal};

const WAIT: &[&str] = &["drain", "client-1", "--yes", "--wait"];

/// Creates a client with 20 builds that run for two minutes, and a system job.
async fn busy(settings: Settings) -> World {
    let world = World::new(1, settings).await;
    {
        let mut cluster = world.cluster();
        (0..20).for_each(|number| drop(cluster.submit(build(&format!("build-{number}"), 120))));
        cluster.submit(JobSpec::system("agent").with_resources(100, 64));
    }
    world.pass(10);
    assert_eq!(world.live(0), 21);
    world
}

fn state(world: &World) -> Option<NodeState> {
    world.cluster().ledger().loads.get(&world.nodes[0]).map(|load| load.state)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_scale_in() {
    let world = busy(Settings::default()).await;
    let child = world.start(WAIT);
    world.until("drain", World::is_draining).await;
    // Builds end one after the other; the client is safe to terminate only after the last.
    world.pass(30);
    world.asked_again(4).await;
    world.pass(120);
    let ended = ended(child).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(world.live(0), 0, "{}", ended.stderr);
    let complete = world.cluster().ledger().history.iter().filter(|job| job.completion.is_some()).count();
    assert_eq!(complete, 20);
    assert!(ended.stderr.contains(" client-1: 21 left, "), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("client-1 is drained: it is safe to terminate\n"), "{}", ended.stderr);
    assert_eq!(world.methods().iter().filter(|method| *method == "PUT").count(), 1);
    // Again: there is nothing to do, and nothing is written.
    let again = world.run(WAIT).await;
    assert_eq!((again.code, world.methods().iter().filter(|method| *method == "PUT").count()), (Some(0), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_past_its_deadline_waits_until_all_has_stopped() {
    let world = busy(Settings { stopping: Duration::from_secs(30), ..Settings::default() }).await;
    let mut child = world.start(&[WAIT, &["--deadline", "20s"]].concat());
    world.until("drain", World::is_draining).await;
    world.pass(21);
    assert_eq!((state(&world), world.live(0)), (Some(NodeState::Ineligible), 21));
    world.asked_again(4).await;
    assert!(child.try_wait().unwrap().is_none(), "allocations still stop");
    world.pass(31);
    let ended = ended(child).await;
    assert_eq!((ended.code, world.live(0)), (Some(0), 0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the drain of client-1 is complete; 21 allocations still stopping"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_cancels() {
    let world = busy(Settings::default()).await;
    let child = world.start(WAIT);
    world.until("drain", World::is_draining).await;
    let node = world.nodes[0];
    world.cluster().cancel_drain(node, true);
    let ended = ended(child).await;
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains("the drain of client-1 was cancelled: 21 left"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_dies_or_is_purged() {
    for purged in [false, true] {
        let world = busy(Settings::default()).await;
        let child = world.start(WAIT);
        world.until("drain", World::is_draining).await;
        let node = world.nodes[0];
        match purged {
            true => world.cluster().remove_node(node),
            false => world.cluster().node_down(node),
        }
        let ended = ended(child).await;
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains("client-1 is gone"), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeout_expires_and_the_drain_continues() {
    let world = busy(Settings::default()).await;
    let ended = world.run(&[WAIT, &["--timeout", "1s"]].concat()).await;
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("the timeout expired: the drain of client-1 ("), "{}", ended.stderr);
    assert!(world.is_draining());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_does_not_cancel_the_drain() {
    for name in ["TERM", "INT"] {
        let world = busy(Settings::default()).await;
        let child = world.start(WAIT);
        world.until("drain", World::is_draining).await;
        signal(&child, name);
        let ended = ended(child).await;
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert!(ended.stderr.contains("continues; do not terminate it yet"), "{}", ended.stderr);
        assert!(world.is_draining());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_joins_and_keeps_the_deadline() {
    let world = busy(Settings::default()).await;
    let first = world.run(&["drain", "client-1", "--yes", "--deadline", "2m"]).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(first.stderr.contains("client-1 is draining: 21 left"), "{}", first.stderr);
    world.pass(60);
    let child = world.start(&[WAIT, &["--deadline", "5h", "--ignore-system"]].concat());
    // It finds the client, reads it, joins the drain, and reads it again.
    world.asked_again(8).await;
    assert_eq!(world.methods().iter().filter(|method| *method == "PUT").count(), 1);
    world.pass(90);
    let ended = ended(child).await;
    assert_eq!((ended.code, world.live(0)), (Some(0), 0), "{}", ended.stderr);
    assert!(ended.stderr.contains("the deadline is unchanged"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_survives_failures_of_the_servers() {
    let world = busy(Settings { servers: 3, ..Settings::default() }).await;
    let mut child = world.start(WAIT);
    world.until("drain", World::is_draining).await;
    let faults = world.simulator.faults();
    faults.set("/v1", Fault::Close);
    said(&mut child, "the drain and the wait continue").await;
    faults.clear();
    said(&mut child, "Nomad responds again").await;
    world.cluster().lose_leader();
    world.asked_again(4).await;
    world.cluster().elect_leader();
    // The index of a rebuilt cluster starts again.
    faults.set("/v1/node/", Fault::Index(2));
    world.asked_again(4).await;
    faults.clear();
    world.pass(150);
    let ended = ended(child).await;
    assert_eq!((ended.code, world.live(0)), (Some(0), 0), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn system_jobs_can_be_ignored() {
    let world = busy(Settings::default()).await;
    let child = world.start(&[WAIT, &["--ignore-system"]].concat());
    world.until("drain", World::is_draining).await;
    world.pass(150);
    let ended = ended(child).await;
    assert_eq!((ended.code, world.live(0)), (Some(0), 1), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_cancelled() {
    let world = busy(Settings::default()).await;
    let undo = &["drain", "client-1", "--yes", "--cancel"];
    let nothing = world.run(undo).await;
    assert!(nothing.code == Some(0) && nothing.stderr.contains("nothing to cancel"), "{}", nothing.stderr);
    assert!(!world.methods().contains(&"PUT".to_owned()));
    world.run(&["drain", "client-1", "--yes"]).await;
    assert!(world.is_draining());
    let undone = world.run(undo).await;
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    assert_eq!(state(&world), Some(NodeState::Active));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let world = busy(Settings::default()).await;
    let shown = world.run(&["drain", "client-1", "--dry-run"]).await;
    let text = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(text.starts_with("client-1: 21 allocations to finish (nothing was changed)\n"), "{text}");
    assert_eq!((text.lines().count(), text.matches("  running").count()), (23, 21), "{text}");
    assert!(world.methods().iter().all(|method| method == "GET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_yes_is_required() {
    let world = busy(Settings::default()).await;
    let refused = world.run(&["drain", "client-1"]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("--yes: there is no terminal to ask for confirmation"),
        "{}",
        refused.stderr
    );
    assert!(world.simulator.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_write_capability_is_reported() {
    let tokens = [("s3cret", Policy::exporter())].map(|(token, policy)| (token.to_owned(), policy));
    let acl = Acl::On(BTreeMap::from(tokens));
    let world = busy(Settings { acl, ..Settings::default() }).await;
    let mut command = world.command(WAIT);
    let ended = ended(command.env("NOMAD_TOKEN", "s3cret").spawn().unwrap()).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(r#"must grant node:write, which is node { policy = "write" }"#),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("s3cret"));
    assert!(!world.is_draining());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_needs_a_view_of_all_namespaces_unless_limited() {
    let narrow = |namespaces: &[&str]| Policy { node_write: true, ..Policy::narrow(namespaces) };
    let tokens = BTreeMap::from([("ci".to_owned(), narrow(&["ci"]))]);
    // A build in ci, and the system job, which is in default.
    let world = busy(Settings { acl: Acl::On(tokens), ..Settings::default() }).await;
    let start = |line: &[&str]| world.command(line).env("NOMAD_TOKEN", "ci").spawn().unwrap();
    for line in [WAIT, &["drain", "client-1", "--yes"], &["drain", "client-1", "--dry-run"]] {
        let mut command = world.command(line);
        // NOMAD_NAMESPACE is the namespace that people work in.
        let refused =
            ended(command.env("NOMAD_TOKEN", "ci").env("NOMAD_NAMESPACE", "ci").spawn().unwrap()).await;
        assert_eq!(refused.code, Some(1), "{line:?}: {}", refused.stderr);
        let sentence =
            "cannot tell when client-1 is drained: the token can read jobs in ci only; give a token";
        assert!(refused.stderr.contains(sentence), "{line:?}: {}", refused.stderr);
    }
    assert!(world.methods().iter().all(|method| method == "GET"), "nothing was changed");

    let child = start(&[WAIT, &["--namespace", "ci", "--ignore-system"]].concat());
    world.until("drain", World::is_draining).await;
    world.pass(200);
    let drained = ended(child).await;
    assert_eq!(drained.code, Some(0), "{}", drained.stderr);
    let sentence =
        "client-1 has no more allocations in ci: it is safe to terminate if no other namespace uses it\n";
    assert!(drained.stderr.ends_with(sentence), "{}", drained.stderr);
    // A drain can be reverted with any token that may write nodes.
    let cancelled = ended(start(&["drain", "client-1", "--cancel", "--yes"])).await;
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.stderr);
}
