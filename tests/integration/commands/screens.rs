//! Screens and JSON of the commands, for each recorded cluster.
//!
//! `UPDATE_GOLDENS=1 cargo test commands::screens` updates them; review the diff before committing.

use std::process::{Command, Stdio};

use nomad_exporter::commands::Terminal;
use serde_json::json;

use super::{STEERS, show, simulated};
use crate::goldens::difference;
use crate::support::{path, read, recordings, tools};

/// Name of the golden, and command line.
const COMMANDS: [(&str, &[&str]); 6] = [
    ("status", &["status"]),
    ("jobs", &["jobs"]),
    ("jobs-pending", &["jobs", "--status", "pending", "--type", "batch", "--limit", "2"]),
    ("nodes", &["nodes"]),
    ("nodes-down", &["nodes", "--state", "down", "--pool", "builders"]),
    ("node", &["node", "client-a"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn screens_match_their_goldens() {
    let mut different = Vec::new();
    for recording in ["2.0.5-drain", "1.1.18-drain"] {
        let simulator = recordings::replay(recording).await;
        for (name, line) in COMMANDS {
            let shown = show(&simulator.url(), line).await;
            let mut text = String::new();
            for (title, width, colored) in [
                ("80 columns", 80, false),
                ("80 columns, in colour", 80, true),
                ("140 columns", 140, false),
                ("140 columns, in colour", 140, true),
                ("40 columns", 40, false),
            ] {
                let screen = (shown.screen)(&Terminal::new(Some(width), colored)).replace('\u{1b}', "␛");
                text.push_str(&format!("== {title}\n{screen}\n"));
            }
            text.push_str(&format!("== JSON\n{:#}\n", shown.json));
            // The address of the simulator differs in each run.
            let text = text.replace(&simulator.url(), "http://nomad.example:4646");
            different.extend(difference(&format!("commands/{name}-{recording}.txt"), &text));
        }
    }
    assert!(different.is_empty(), "these differ:\n{}", different.join("\n"));
}

/// Jobs of all kinds: pending, failed, crash looping, and a periodic or parameterized parent.
#[tokio::test(flavor = "multi_thread")]
async fn screens_of_jobs_match_their_goldens() {
    let mut different = Vec::new();
    let simulator = recordings::replay("2.0.5-outcomes").await;
    for job in [
        "web",
        "never-fits",
        "never-meets",
        "crash-loop",
        "crash-loop-slow",
        "sibling",
        "drained-away",
        "periodic",
    ] {
        let shown = show(&simulator.url(), &["job", job]).await;
        let mut text = String::new();
        for (title, width, colored) in
            [("80 columns", 80, false), ("140 columns, in colour", 140, true), ("40 columns", 40, false)]
        {
            let screen = (shown.screen)(&Terminal::new(Some(width), colored)).replace('\u{1b}', "␛");
            text.push_str(&format!("== {title}\n{screen}\n"));
        }
        text.push_str(&format!("== JSON\n{:#}\n", shown.json));
        let text = text.replace(&simulator.url(), "http://nomad.example:4646");
        different.extend(difference(&format!("commands/job-{job}.txt"), &text));
    }
    assert!(different.is_empty(), "these differ:\n{}", different.join("\n"));
}

/// docs/commands.md shows the actual output.
#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_shows_the_screen() {
    let simulator = recordings::replay("2.0.5-drain").await;
    let screen = show(&simulator.url(), &["status"]).await.plain(Some(80));
    assert!(
        read("docs/commands.md").contains(&screen),
        "docs/commands.md shows another screen than\n{screen}"
    );
}

/// No line is longer than the width of the terminal, from 40 columns.
#[tokio::test(flavor = "multi_thread")]
async fn screens_fit_the_terminal() {
    let (_cluster, world) = simulated(false).await;
    let recording = recordings::replay("2.0.5-drain").await;
    for url in [world.url(), recording.url()] {
        let is_world = url == world.url();
        let client = if is_world { "client-1" } else { "client-a" };
        let job = if is_world { "build-huge" } else { "build-backlog" };
        for line in [&["status"][..], &["jobs"], &["job", job], &["nodes"], &["node", client]] {
            let shown = show(&url, line).await;
            for width in [40, 60, 80, 100, 140, 200] {
                for row in shown.plain(Some(width)).lines() {
                    assert!(row.chars().count() <= width, "{line:?} at {width} columns: {row}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_from_nomad_are_escaped() {
    let (_cluster, simulator) = simulated(true).await;
    let client = format!("client-1{STEERS}");
    for line in [&["status"][..], &["jobs"], &["job", "build-0"], &["nodes"], &["node", &client]] {
        let shown = show(&simulator.url(), line).await.plain(None);
        assert!(shown.contains(r"\u{1b}[2J\u{1b}]0;title\u{7}\r\n\u{202e}"), "{line:?}: {shown}");
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(steers), "{line:?}: {shown:?}");
    }
}

/// Returns the IDs of some jobs.
async fn ids_of_jobs(simulator: &nomad_simulator::Simulator) -> Vec<String> {
    let url = format!("{}/v1/jobs?namespace=*", simulator.url());
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&reqwest::get(url).await.unwrap().text().await.unwrap()).unwrap();
    rows.iter().step_by(3).map(|row| row["ID"].as_str().unwrap().to_owned()).collect()
}

/// Validates the JSON with another program. Unlike elsewhere, unknown fields are errors.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python's jsonschema: make check-formats"]
async fn the_json_follows_its_schema() {
    let Some(python) = tools::find_optional("jsonschema-python", "validating JSON with jsonschema") else {
        return;
    };
    const SCRIPT: &str = "\
import json, sys
from jsonschema import Draft202012Validator as Validator
schema = json.load(open(sys.argv[1]))
def close(part):
    if isinstance(part, dict):
        if 'properties' in part and part.get('type') == 'object': part['additionalProperties'] = False
        for value in part.values(): close(value)
close(schema)
Validator.check_schema(schema)
for name, value in json.load(sys.stdin):
    validator = Validator({**schema, '$ref': '#/$defs/' + name}, format_checker=Validator.FORMAT_CHECKER)
    for error in validator.iter_errors(value): print(name, error.json_path, error.message)
";
    let (_cluster, world) = simulated(true).await;
    let client = format!("client-1{STEERS}");
    let mut clusters = vec![(world, client.as_str())];
    for recording in recordings::readable() {
        clusters.push((recordings::replay(recording).await, "client-a"));
    }
    let mut values = Vec::new();
    for (simulator, client) in &clusters {
        for line in [&["status"][..], &["jobs"], &["nodes"], &["node", client]] {
            values.push((line[0], show(&simulator.url(), line).await.json));
        }
        let jobs =
            if *client == "client-a" { ids_of_jobs(simulator).await } else { vec!["build-huge".into()] };
        for job in &jobs {
            values.push(("job", show(&simulator.url(), &["job", job]).await.json));
        }
    }
    let known = values.len();
    // Checks that the validator reports errors.
    values.push(("level", json!({"amount": 1})));
    values.push(("level", json!({"amount": 1, "total": 2, "more": 3})));

    let schema = path("docs/commands.schema.json");
    let mut judge = Command::new(python)
        .args(["-c", SCRIPT, schema.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(judge.stdin.take().unwrap(), &values).unwrap();
    let output = judge.wait_with_output().unwrap();
    assert!(output.status.success() && known > 30);
    let errors = String::from_utf8(output.stdout).unwrap();
    let expected = "level $ 'total' is a required property\n\
                    level $ Additional properties are not allowed ('more' was unexpected)\n";
    assert_eq!(errors, expected);
}
