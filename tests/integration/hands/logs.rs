//! Logs of the right allocation, or the reason why there are none.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use nomad_simulator::Fault;
use nomad_simulator::cluster::{Acl, JobKey, JobSpec, LogStream, Policy, Settings};
use tokio::io::AsyncReadExt;

use super::{Ended, World, build, ended, said, signal};

/// Creates a client with a build that runs for two minutes.
async fn busy() -> World {
    let world = World::new(1, Settings::default()).await;
    world.cluster().submit(build("build-7", 120));
    world.pass(20);
    world
}

fn write(world: &World, job: &str, stream: LogStream, text: &[u8]) {
    let mut cluster = world.cluster();
    let newest = *cluster.allocations_of("ci", job).last().unwrap();
    cluster.write_log(newest, "main", stream, text);
}

fn text(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

/// Waits until a child has written this.
async fn read_until(child: &mut tokio::process::Child, wanted: &str) {
    let stdout = child.stdout.as_mut().unwrap();
    let mut seen = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            let size = stdout.read(&mut buffer).await.unwrap();
            assert!(size > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&buffer[..size]);
        }
    };
    tokio::time::timeout(super::SOON, reading).await.unwrap();
}

async fn refused(world: &World, arguments: &[&str]) -> String {
    let ended = world.run(&[&["logs"], arguments].concat()).await;
    assert_eq!((ended.code, text(&ended).as_str()), (Some(1), ""), "{}", ended.stderr);
    ended.stderr
}

#[tokio::test(flavor = "multi_thread")]
async fn stderr_of_the_newest_allocation_byte_for_byte() {
    let world = busy().await;
    write(&world, "build-7", LogStream::Stderr, b"one\n\xff\x00two\n");
    write(&world, "build-7", LogStream::Stdout, b"out\n");
    let shown = world.run(&["logs", "build-7"]).await;
    assert_eq!((shown.code, &shown.stdout[..]), (Some(0), &b"one\n\xff\x00two\n"[..]), "{}", shown.stderr);
    assert!(shown.stderr.starts_with("build-7: stderr of task main, allocation "), "{}", shown.stderr);
    assert!(shown.stderr.ends_with(" on client-1, running\n"), "{}", shown.stderr);
    assert_eq!(world.run(&["logs", "build-7", "--stdout"]).await.stdout, b"out\n");
    assert_eq!(world.run(&["logs", "build-7", "--tail", "1"]).await.stdout, b"\xff\x00two\n");
    assert!(world.methods().iter().all(|method| method == "GET"));
    // Compression would delay a log.
    let logs = world.simulator.requests().into_iter().filter(|request| request.path.contains("/fs/logs/"));
    let encodings: Vec<_> = logs.map(|request| request.accept_encoding).collect();
    assert_eq!(encodings, vec![Some("identity".to_owned()); 3]);
    // The log of a finished job is available while Nomad retains it.
    world.pass(200);
    assert_eq!(world.run(&["logs", "build-7"]).await.stdout, b"one\n\xff\x00two\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_and_its_last_lines() {
    let world = busy().await;
    let lines: String = (0..40_000).map(|line| format!("line {line} of a long log\n")).collect();
    write(&world, "build-7", LogStream::Stderr, lines.as_bytes());
    assert!(world.run(&["logs", "build-7"]).await.stdout == lines.as_bytes());
    let last = text(&world.run(&["logs", "build-7", "--tail", "30000"]).await);
    assert_eq!((last.lines().count(), last.lines().next()), (30_000, Some("line 10000 of a long log")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_survives_a_lost_connection_and_ends_with_its_build() {
    let world = busy().await;
    write(&world, "build-7", LogStream::Stderr, b"zero\none\n");
    let mut child = world.start(&["logs", "build-7", "--follow", "--tail", "1"]);
    read_until(&mut child, "one\n").await;
    world.simulator.faults().set("/v1/client/fs", Fault::Close);
    tokio::time::sleep(Duration::from_millis(200)).await;
    write(&world, "build-7", LogStream::Stderr, b"two\n");
    world.simulator.faults().clear();
    read_until(&mut child, "two\n").await;
    // Silent: no heartbeat, and no end.
    world.simulator.faults().set("/v1/client/fs", Fault::Hang);
    said(&mut child, "trying again").await;
    world.simulator.faults().clear();
    write(&world, "build-7", LogStream::Stderr, b"three\n");
    read_until(&mut child, "three\n").await;
    world.pass(200);
    let ended = ended(child).await;
    assert_eq!((ended.code, text(&ended).as_str()), (Some(0), ""), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_follow_cleanly() {
    let world = busy().await;
    let mut child = world.start(&["logs", "build-7", "-f"]);
    read_until(&mut child, "main begins").await;
    signal(&child, "INT");
    assert_eq!(ended(child).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_ends_the_log() {
    let world = busy().await;
    let lines = "a line\n".repeat(200_000);
    write(&world, "build-7", LogStream::Stderr, lines.as_bytes());
    let mut child = world.start(&["logs", "build-7"]);
    read_until(&mut child, "a line").await;
    drop(child.stdout.take());
    assert_eq!(ended(child).await.code, Some(0));
    let mut command = world.command(&["logs", "build-7"]);
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(ended(child).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_listed_or_interleaved() {
    let world = World::new(1, Settings::default()).await;
    world.cluster().submit(build("wide", 120).with_count(3));
    world.pass(20);
    let said = refused(&world, &["wide"]).await;
    assert!(
        said.contains("job `wide` has 3 running allocations; give --alloc ID or --all; they are\n  "),
        "{said}"
    );
    let id = world.cluster().allocations_of("ci", "wide")[1].to_string();
    let one = world.run(&["logs", "wide", "--alloc", &id[..8]]).await;
    assert!(text(&one).contains(" main begins on client-1\n"), "{}", one.stderr);
    for arguments in [&["logs", "wide", "--all"][..], &["logs", "wide", "--all", "--follow"]] {
        let child = world.start(arguments);
        if arguments.len() == 4 {
            let read = |world: &World| {
                let requests = world.simulator.requests();
                requests.iter().filter(|request| request.path.starts_with("/v1/client/fs/logs/")).count()
            };
            let before = read(&world);
            world.until("three logs", |world| read(world) >= before + 3).await;
            world.pass(200);
        }
        let all = ended(child).await;
        let text = text(&all);
        assert_eq!(all.code, Some(0), "{}", all.stderr);
        assert_eq!(text.matches("main begins").count(), 3, "{text}");
        assert!(text.contains(&format!("{} | wide.group[", &id[..8])), "{text}");
        assert_eq!(all.stderr.matches("allocation ").count(), 3, "{}", all.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_log_is_explained() {
    let world = busy().await;
    world.cluster().submit(build("huge", 60).with_resources(100, 1_000_000));
    let template = JobSpec::batch("deploy").in_namespace("ci").dispatched().with_resources(20, 16);
    world.cluster().submit(template);
    world.pass(5);
    let old = world.cluster().dispatch(&JobKey::new("ci", "deploy")).unwrap();
    world.pass(60);
    let new = world.cluster().dispatch(&JobKey::new("ci", "deploy")).unwrap();
    world.pass(20);
    let said = refused(&world, &["huge"]).await;
    assert!(
        said.contains("job `huge` has no logs yet: it is pending for ")
            && said.contains(": not enough memory"),
        "{said}"
    );
    let said = refused(&world, &["deploy"]).await;
    let place = |child: &str| said.find(&format!("\n  {child}: ")).unwrap_or_else(|| panic!("{said}"));
    assert!(place(&new) < place(&old), "{said}");
    let said = refused(&world, &["bulid-7"]).await;
    assert!(said.contains("there is no job `bulid-7`; did you mean `build-7`"), "{said}");
    let said = refused(&world, &["build-7", "--namespace", "default"]).await;
    assert!(said.contains("give --namespace ci"), "{said}");
    let said = refused(&world, &["build-7", "--task", "x\u{1b}"]).await;
    assert!(said.contains(r"give --task with one of main") && !said.contains('\u{1b}'), "{said}");
    let said = refused(&world, &["build-7", "--alloc", "ffffffff"]).await;
    assert!(said.contains("has no allocation `ffffffff`: it belongs to another job"), "{said}");
    let node = world.nodes[0];
    world.cluster().submit(build("slow", 60));
    world.pass(0);
    world.cluster().advance(Duration::from_millis(300));
    let said = refused(&world, &["slow"]).await;
    assert!(said.contains("has not started yet"), "{said}");
    world.cluster().node_down(node);
    let said = refused(&world, &["build-7"]).await;
    assert!(said.contains("cannot read the log because client client-1 is down"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_read_logs_capability_is_reported() {
    let tokens = [("s3cret", Policy::exporter())].map(|(token, policy)| (token.to_owned(), policy));
    let acl = Acl::On(BTreeMap::from(tokens));
    let world = World::new(1, Settings { acl, ..Settings::default() }).await;
    world.cluster().submit(build("build-7", 120));
    world.pass(20);
    let mut command = world.command(&["logs", "build-7"]);
    let ended = ended(command.env("NOMAD_TOKEN", "s3cret").spawn().unwrap()).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(r#"capabilities = ["read-logs"]"#), "{}", ended.stderr);
}
