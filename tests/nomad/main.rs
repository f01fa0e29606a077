//! Tests the exporter and its commands with a real Nomad: `scripts/test-nomad.sh`.
//!
//! One server and four clients run on loopback, with jobs in every state. Every exposed number is compared
//! with values calculated from Nomad's raw responses; the calculation shares no code with the exporter.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic on failures, and print skips and results"
)]

mod agent;
mod answers;
mod api;
mod cluster;
mod command_line;
mod commands;
mod comparison;
mod conclusions;
mod cost;
mod counters;
mod deployed;
#[path = "../integration/support/exposition.rs"]
#[allow(dead_code, reason = "the integration tests use the rest")]
mod exposition;
mod metrics;
#[path = "../integration/support/process.rs"]
#[allow(dead_code, reason = "the integration tests use the rest")]
mod process;
mod programs;
#[path = "../integration/support/queries.rs"]
#[allow(dead_code, reason = "the integration tests use the rest")]
mod queries;
mod report;
mod scenario;
mod workload;

use std::path::{Path, PathBuf};
use std::time::Instant;

use programs::Program;
use report::Report;

/// Measures the CPU time of the server's process. No other test may run meanwhile.
#[test]
#[ignore = "it takes minutes and a Nomad: scripts/test-nomad.sh runs it"]
fn what_the_exporter_costs_nomad() {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(nomad), Some(folder)) = (variable("TEST_NOMAD"), variable("TEST_NOMAD_FOLDER")) else {
        eprintln!("skipped: a real Nomad: scripts/test-nomad.sh says which, and cleans up after it");
        return;
    };
    let nomad = Program::at(&nomad);
    println!("what the exporter costs {}", nomad.version);
    cost::measure(&nomad, &Path::new(&folder).join("cost"));
}

#[test]
#[ignore = "takes minutes and needs Nomad: run scripts/test-nomad.sh"]
fn the_exporter_agrees_with_nomad() {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(nomad), Some(folder)) = (variable("TEST_NOMAD"), variable("TEST_NOMAD_FOLDER")) else {
        eprintln!("skipped: tests with a real Nomad: run scripts/test-nomad.sh");
        return;
    };
    let server = Program::at(&nomad);
    let client = variable("TEST_CLIENT_NOMAD").map_or_else(|| server.clone(), |client| Program::at(&client));
    println!("servers {}, clients {}", server.version, client.version);
    let began = Instant::now();
    // Differences are kept where `cargo clean` removes them.
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("nomad-{}-{}", server.version, client.version));
    std::fs::remove_dir_all(&kept).ok();
    let mut report = Report::new(&kept);
    scenario::run(&server, &client, Path::new(&folder), &mut report);
    println!("  {} s", began.elapsed().as_secs());
    report.end();
}
