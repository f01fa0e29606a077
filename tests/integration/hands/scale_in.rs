//! The lifecycle hook: a complete scale-in with the shipped script, and stubs for the cloud's CLI.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nomad_simulator::Fault;
use nomad_simulator::cluster::{NodeSpec, Settings};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{World, build, ended, instance, signal};
use crate::support::process::{run, write_script};
use crate::support::{path, read, tools};

/// Starts the script as the hook of a client. The stub of the cloud's CLI logs its arguments to a file.
fn start(world: &World, folder: &TempDir, variables: &[(&str, &str)]) -> Child {
    start_with(world, folder, variables, "")
}

/// The same with this behavior of the cloud's CLI.
fn start_with(world: &World, folder: &TempDir, variables: &[(&str, &str)], does: &str) -> Child {
    let mut command = Command::new(path("deploy/scale-in/lifecycle-hook.sh"));
    command.arg("client-1").envs(variables.iter().copied());
    command.env("NOMAD_ADDR", world.simulator.url());
    spawn(command, folder, does)
}

/// Starts a command that finds this build's exporter, the hook, and a stub of the cloud's CLI.
fn spawn(mut command: Command, folder: &TempDir, does: &str) -> Child {
    let stub = folder.path().join("aws");
    write_script(&stub, &format!("echo \"$*\" >>\"$0.log\"\n{does}"));
    let exporter = Path::new(env!("CARGO_BIN_EXE_nomad-exporter")).parent().unwrap();
    let own = [folder.path(), exporter, &path("deploy/scale-in")].map(|folder| folder.display().to_string());
    let paths = format!("{}:{}", own.join(":"), std::env::var("PATH").unwrap());
    command.env("PATH", paths).env("NOMAD_EXPORTER_NOMAD_TIMEOUT", "2s");
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
async fn the_hook_is_completed_once_the_client_is_drained() {
    let (world, folder) = busy().await;
    let child = start(&world, &folder, &AWS);
    world.until("heartbeats", |_| log(&folder).lines().count() >= 3).await;
    assert!(!log(&folder).contains("complete-lifecycle-action"), "{}", log(&folder));
    world.until("drain", World::is_draining).await;
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

/// Runs the commands of the page, with another address and token. NOMAD_ADDR is a server's address, and no
/// local agent is needed.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_commands_drain_with_a_servers_address() {
    let (world, folder) = busy().await;
    let page = read("deploy/scale-in/README.md");
    let commands = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let (given, token) = ("NOMAD_ADDR=https://nomad.example:4646", " NOMAD_TOKEN=…");
    assert!(commands.contains(given) && commands.contains(token), "{commands}");
    let address = format!("NOMAD_ADDR={}", world.simulator.url());
    let mut command = Command::new("bash");
    command.args(["-euc", &commands.replace(given, &address).replace(token, "")]);
    let child = spawn(command, &folder, "");
    world.until("drain", World::is_draining).await;
    world.pass(150);
    let ended = ended(child).await;
    assert_eq!((ended.code, world.live(0)), (Some(0), 0), "{}", ended.stderr);
    assert!(!world.simulator.requests().iter().any(|request| request.path == "/v1/agent/self"));
    assert!(log(&folder).contains(&format!("--instance-id {}", instance(1))), "{}", log(&folder));
}

/// Returns processes of the killed shell that are left: each has the folder in its environment.
fn left(folder: &TempDir) -> Vec<String> {
    let mark = folder.path().display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let of_hook = processes.filter(|process| {
        std::fs::read(process.join("environ"))
            .is_ok_and(|text| String::from_utf8_lossy(&text).contains(&mark))
    });
    let name = |process: PathBuf| std::fs::read_to_string(process.join("cmdline")).ok();
    of_hook.filter_map(name).map(|line| line.replace('\0', " ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn children_end_with_the_script_even_if_it_is_killed() {
    let (world, folder) = busy().await;
    let mut child = start(&world, &folder, &AWS);
    world.until("drain", World::is_draining).await;
    world.until("heartbeats", |_| log(&folder).lines().count() >= 2).await;
    assert!(left(&folder).iter().any(|line| line.contains("drain client-1")));
    signal(&child, "KILL");
    child.wait().await.unwrap();
    world.until("end of all children", |_| left(&folder).is_empty()).await;
    let beats = log(&folder).lines().count();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(log(&folder).lines().count(), beats, "heartbeats must stop when the drain stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_heartbeat_delays_nothing() {
    let (world, folder) = busy().await;
    // Longer than this test waits for anything.
    let hangs = "case $* in *heartbeat*) exec sleep 600 ;; esac";
    let child = start_with(&world, &folder, &AWS, hangs);
    world.until("drain", World::is_draining).await;
    world.pass(150);
    assert_eq!(ended(child).await.code, Some(0));
    // Each one has its own timeout.
    std::fs::remove_file(folder.path().join("aws.log")).unwrap();
    let (world, folder) = busy().await;
    let variables = [&AWS[..], &[("COMMAND_TIMEOUT", "1")]].concat();
    let child = start_with(&world, &folder, &variables, hangs);
    world.until("heartbeats", |_| log(&folder).matches("heartbeat").count() >= 3).await;
    signal(&child, "TERM");
    let ended = ended(child).await;
    assert!(ended.stderr.contains("the heartbeat of hook nomad-drain failed"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_completion_is_retried_and_has_its_own_exit_code() {
    let throttled = |times: usize| {
        format!(
            "[ $(grep -c complete-lifecycle \"$0.log\") -gt {times} ] || case $* in *complete-*) exit 254 ;; esac"
        )
    };
    for (fails, attempts, code, asked) in [(2, "8", 0, 3), (9, "2", 6, 2)] {
        let (world, folder) = busy().await;
        world.cluster().node_down(world.nodes[0]);
        let variables = [&AWS[..], &[("COMPLETE_ATTEMPTS", attempts)]].concat();
        let ended = ended(start_with(&world, &folder, &variables, &throttled(fails))).await;
        let expected = if code == 0 { 4 } else { code };
        assert_eq!(ended.code, Some(expected), "{}", ended.stderr);
        assert_eq!(log(&folder).matches("complete-lifecycle-action").count(), asked, "{}", ended.stderr);
        assert!(ended.stderr.contains("could not be completed (attempt 1 of "), "{}", ended.stderr);
    }
}

/// Without heartbeats, the machine would be terminated with its builds while somebody fixes the policy.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_drain_is_retried_while_heartbeats_continue() {
    let (world, folder) = busy().await;
    let refused = Fault::Status { code: 403, body: "Permission denied".into() };
    world.simulator.faults().set("/v1/nodes", refused);
    let variables = [&AWS[..], &[("RETRY_SECONDS", "1")]].concat();
    let child = start(&world, &folder, &variables);
    world.until("heartbeats", |_| log(&folder).lines().count() >= 3).await;
    world.simulator.faults().clear();
    world.until("drain", World::is_draining).await;
    world.pass(150);
    let drained = ended(child).await;
    assert_eq!(drained.code, Some(0), "{}", drained.stderr);
    assert!(drained.stderr.contains("the drain failed (attempt 1 of 10); trying again in 1 s"));
    // It gives up in the end, or at once on invalid usage.
    let unknown =
        [&AWS[..], &[("DRAIN_ATTEMPTS", "2"), ("RETRY_SECONDS", "1"), ("NOMAD_ADDR", "http://127.0.0.1:9")]];
    for (variables, code) in [(unknown.concat(), 1), ([&AWS[..], &[("DRAIN_DEADLINE", "soon")]].concat(), 2)]
    {
        let (world, folder) = busy().await;
        world.simulator.faults().set("/v1/nodes", Fault::Status { code: 403, body: "no".into() });
        let failed = ended(start(&world, &folder, &variables)).await;
        assert_eq!(failed.code, Some(code), "{}", failed.stderr);
        assert!(failed.stderr.contains("is left alone: the drain failed"), "{}", failed.stderr);
    }
}

/// Responds to every request depending on its head, until the test ends.
fn serve(answer: impl Fn(&str) -> Option<&'static str> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let length = connection.read(&mut head).unwrap_or(0);
            let (status, body) = match answer(&String::from_utf8_lossy(&head[..length])) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", ""),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            drop(connection.write_all((head + body).as_bytes()));
        }
    });
    url
}

/// Returns the watcher of a cloud, whose metadata announce the termination at some time.
fn watcher(world: &World, cloud: &str, metadata: &str) -> Command {
    let mut command = Command::new(path("deploy/scale-in/watch.sh"));
    command.arg(cloud).env("METADATA_URL", metadata).env("POLL_SECONDS", "1");
    command
        .env("NOMAD_ADDR", world.simulator.url())
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION");
    command
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs curl: make check-deploy"]
async fn an_aws_instance_drains_itself_when_its_group_scales_in() {
    if tools::find_optional("curl", "watching the metadata of an instance").is_none() {
        return;
    }
    let (world, folder) = busy().await;
    let goes = Arc::new(AtomicBool::new(false));
    let told = goes.clone();
    let metadata = serve(move |head| {
        let path = head.split(' ').nth(1)?.trim_start_matches("/latest/");
        if path == "api/token" {
            return head.starts_with("PUT ").then_some("a-token");
        }
        assert!(head.to_lowercase().contains("x-aws-ec2-metadata-token: a-token"), "{head}");
        match path.trim_start_matches("meta-data/") {
            "autoscaling/target-lifecycle-state" if told.load(Ordering::Relaxed) => Some("Terminated"),
            "autoscaling/target-lifecycle-state" => Some("InService"),
            "instance-id" => Some("i-0123456789abcde01"),
            "placement/region" => Some("eu-central-1"),
            _ => None,
        }
    });
    let says = "echo \"$AWS_DEFAULT_REGION\" >>\"$0.log\"; case $* in *describe*) echo builders ;; esac";
    let child = spawn(watcher(&world, "aws", &metadata), &folder, says);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(log(&folder), "", "no client is drained before the group terminates it");
    goes.store(true, Ordering::Relaxed);
    world.until("drain", World::is_draining).await;
    world.pass(150);
    let ended = ended(child).await;
    assert_eq!((ended.code, world.live(0)), (Some(0), 0), "{}", ended.stderr);
    let log = log(&folder);
    let of = "--auto-scaling-group-name builders --lifecycle-hook-name nomad-drain --instance-id i-0123456789abcde01";
    assert!(
        log.contains(&format!("complete-lifecycle-action --lifecycle-action-result CONTINUE {of}")),
        "{log}"
    );
    assert!(log.contains("eu-central-1"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs curl: make check-deploy"]
async fn a_google_cloud_instance_drains_itself_in_a_graceful_shutdown() {
    if tools::find_optional("curl", "watching the metadata of an instance").is_none() {
        return;
    }
    let (world, folder) = busy().await;
    let metadata = serve(|head| {
        assert!(head.to_lowercase().contains("metadata-flavor: google"), "{head}");
        match head.split(' ').nth(1)?.trim_start_matches("/computeMetadata/v1/instance/") {
            "shutdown-details/stop-state" => Some("PENDING_STOP"),
            "id" => Some("i-0123456789abcde01"),
            _ => None,
        }
    });
    let off = folder.path().join("off");
    let mut command = watcher(&world, "gce", &metadata);
    command.env("COMPLETE_COMMAND", format!("touch {}", off.display()));
    let child = spawn(command, &folder, "");
    world.until("drain", World::is_draining).await;
    assert!(!off.exists());
    world.pass(150);
    let ended = ended(child).await;
    assert_eq!((ended.code, off.exists()), (Some(0), true), "{}", ended.stderr);
}

/// Two clients of a group are named by their instance IDs and have no attributes. One place in the cluster
/// drains both; then one of the drains is cancelled.
#[tokio::test(flavor = "multi_thread")]
async fn one_place_drains_the_clients_of_a_group() {
    let (world, folder) = busy().await;
    let names = [instance(7), instance(8)];
    let nodes = {
        let mut cluster = world.cluster();
        let nodes = names.each_ref().map(|name| cluster.register_node(NodeSpec::new(name)));
        let build = |number: usize| {
            let build =
                build(&format!("late-{number}"), 120).requiring("${node.unique.name}", &names[number]);
            drop(cluster.submit(build));
        };
        (0..2).for_each(build);
        nodes
    };
    world.pass(10);
    let leaving = folder.path().join("leaving");
    std::fs::write(&leaving, "").unwrap();
    let does = format!("case \"$*\" in *describe-auto-scaling-groups*) cat {} ;; esac", leaving.display());
    let mut command = Command::new(path("deploy/scale-in/watch-group.sh"));
    command.arg("builders").env("NOMAD_ADDR", world.simulator.url());
    command.env("POLL_SECONDS", "1").env("HEARTBEAT_SECONDS", "1");
    let child = spawn(command, &folder, &does);
    world.until("question", |_| log(&folder).contains("--auto-scaling-group-names builders")).await;
    let drains = |world: &World| world.methods().iter().filter(|method| *method == "PUT").count();
    assert_eq!(drains(&world), 0, "no instance is released");

    std::fs::write(&leaving, names.join("\t")).unwrap();
    world.until("two drains", |world| drains(world) == 2).await;
    for name in &names {
        let heartbeat = format!(
            "record-lifecycle-action-heartbeat --auto-scaling-group-name builders \
            --lifecycle-hook-name nomad-drain --instance-id {name}"
        );
        world.until("heartbeat", |_| log(&folder).contains(&heartbeat)).await;
    }
    world.cluster().cancel_drain(nodes[1], true);
    // Its hook ends, and no other one is started, however often the group is polled.
    let questions = |_: &World| log(&folder).matches("describe-auto-scaling-groups").count();
    let asked = questions(&world);
    world.until("a few more questions", |world| questions(world) >= asked + 4).await;
    assert_eq!(drains(&world), 2, "a cancelled drain is not repeated");
    world.pass(150);
    let completed = |name: &str| {
        log(&folder).lines().any(|line| line.contains("complete-lifecycle-action") && line.contains(name))
    };
    world.until("completion", |_| completed(&names[0])).await;
    assert!(!completed(&names[1]), "{}", log(&folder));
    signal(&child, "TERM");
    let ended = ended(child).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("{}: the hook ended with exit code 5", names[1])),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_client_completes_the_hook() {
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
async fn an_active_or_cancelled_drain_does_not_complete_the_hook() {
    let (world, folder) = busy().await;
    let mut variables = AWS.to_vec();
    variables.push(("DRAIN_TIMEOUT", "1s"));
    let late = ended(start(&world, &folder, &variables)).await;
    assert_eq!(late.code, Some(3), "{}", late.stderr);
    let child = start(&world, &folder, &AWS);
    // It finds the client, reads it, joins the drain, and reads it again.
    world.asked_again(8).await;
    signal(&child, "TERM");
    let stopped = ended(child).await;
    assert_eq!(stopped.code, Some(3), "{}", stopped.stderr);
    assert!(
        stopped.stderr.contains("the deadline is unchanged")
            && stopped.stderr.contains("continues; do not terminate it yet")
    );
    let child = start(&world, &folder, &AWS);
    // It finds the client, reads it, joins the drain, and reads it again.
    world.asked_again(8).await;
    let node = world.nodes[0];
    world.cluster().cancel_drain(node, true);
    let cancelled = ended(child).await;
    assert_eq!(cancelled.code, Some(5), "{}", cancelled.stderr);
    assert!(!log(&folder).contains("complete"), "{}", log(&folder));
    assert_eq!(world.methods().iter().filter(|method| *method == "PUT").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_clouds_use_custom_commands() {
    let (world, folder) = busy().await;
    let told = folder.path().join("told").display().to_string();
    let (beat, complete) = (format!("echo beat >>{told}"), format!("echo complete >>{told}"));
    let child = start(&world, &folder, &[("HEARTBEAT_COMMAND", &beat), ("COMPLETE_COMMAND", &complete)]);
    world.until("heartbeat", |_| std::fs::exists(&told).unwrap()).await;
    world.until("drain", World::is_draining).await;
    world.pass(150);
    let ended = ended(child).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&told).unwrap(), "beat\ncomplete\n");
    // Without either, nothing starts.
    let refused = super::ended(start(&world, &folder, &[])).await;
    assert!(refused.code != Some(0) && refused.stderr.contains("GROUP"), "{}", refused.stderr);
}

#[test]
#[ignore = "needs shellcheck: make check-deploy"]
fn shellcheck_reports_nothing() {
    let shellcheck = tools::find("shellcheck");
    let mut check = std::process::Command::new(shellcheck);
    check.args(
        ["lifecycle-hook.sh", "watch.sh", "watch-group.sh"]
            .map(|script| path("deploy/scale-in").join(script)),
    );
    let (code, found, _) = run(check);
    assert_eq!(code, Some(0), "{found}");
}
