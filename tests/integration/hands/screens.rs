//! Screens of `logs` and `drain`. `UPDATE_GOLDENS=1 cargo test hands::screens` updates them.

use std::time::SystemTime;

use nomad_simulator::cluster::{JobKey, JobSpec, NodeSpec, Settings};
use regex::Regex;

use super::{World, build};
use crate::goldens::difference;

/// Creates a client with builds of all kinds, one of them with a malicious name.
async fn world() -> World {
    let world = World::new(1, Settings { start: SystemTime::now(), ..Settings::default() }).await;
    {
        let mut cluster = world.cluster();
        let other = NodeSpec { node_pool: "other".to_owned(), ..NodeSpec::new("client-\u{1b}[2J") };
        cluster.register_node(other);
        cluster.submit(build("elsewhere", 600).in_pool("other"));
        cluster
            .submit(build("build-of-a-branch-whose-name-is-much-longer-than-anybody-would-wish-for-it", 600));
        cluster.submit(build("steers-\u{1b}[2J", 600));
        cluster.submit(build("wide", 600).with_count(3));
        cluster.submit(build("huge", 60).with_resources(100, 1_000_000));
        cluster.submit(JobSpec::system("agent").with_resources(20, 16));
        cluster.submit(JobSpec::batch("deploy").in_namespace("ci").dispatched().with_resources(20, 16));
    }
    world.pass(5);
    world.cluster().dispatch(&JobKey::new("ci", "deploy")).unwrap();
    world.pass(20);
    world
}

/// Returns the output of a command, with ages and dependent spaces normalized.
async fn shown(world: &World, line: &[&str], width: usize, color: &str) -> String {
    let mut command = world.command(&[line, &["--color", color]].concat());
    let ended = super::ended(command.env("COLUMNS", width.to_string()).spawn().unwrap()).await;
    let ages = Regex::new(r"\d+ (d|h|min|s)\b( \d+ (h|min|s)\b)?").unwrap();
    let times = Regex::new(r"dispatch-\d+").unwrap();
    let stdout = String::from_utf8(ended.stdout).unwrap();
    let text = format!("{stdout}-- stderr, exit code {}\n{}", ended.code.unwrap(), ended.stderr);
    times.replace_all(&ages.replace_all(&text, "AGE"), "dispatch-NNNNNNNNNN").replace('\u{1b}', "␛")
}

#[tokio::test(flavor = "multi_thread")]
async fn screens_match_their_goldens() {
    let mut different = Vec::new();
    for (name, line) in [
        ("drain-dry-run", &["drain", "client-1", "--dry-run"][..]),
        ("drain-begun", &["drain", "client-1", "--yes", "--deadline", "2h"]),
        ("drain-late", &["drain", "client-1", "--yes", "--wait", "--timeout", "1ms"]),
        ("drain-unknown", &["drain", "cleint-1", "--yes"]),
        ("logs", &["logs", "steers"]),
        ("logs-elsewhere", &["logs", "elsewhere"]),
        ("logs-several", &["logs", "wide"]),
        ("logs-all", &["logs", "wide", "--all", "--tail", "1"]),
        ("logs-pending", &["logs", "huge"]),
        ("logs-parent", &["logs", "deploy"]),
    ] {
        let mut text = String::new();
        for (title, width, color) in [
            ("80 columns", 80, "never"),
            ("80 columns, in colour", 80, "always"),
            ("140 columns", 140, "never"),
            ("140 columns, in colour", 140, "always"),
            ("40 columns", 40, "never"),
        ] {
            // Each command needs a new cluster, because drains change it.
            let world = world().await;
            text.push_str(&format!("== {title}\n{}\n", shown(&world, line, width, color).await));
        }
        different.extend(difference(&format!("commands/{name}.txt"), &text));
    }
    assert!(different.is_empty(), "these differ:\n{}", different.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn help_is_one_screen() {
    let world = World::new(1, Settings::default()).await;
    for command in ["logs", "drain"] {
        let mut asking = world.command(&[command, "--help"]);
        let help = super::ended(asking.env("COLUMNS", "80").spawn().unwrap()).await;
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(text.lines().count() <= 50 && text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
