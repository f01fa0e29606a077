//! Events of the cluster, and the comparisons in between.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::answers::Answers;
use crate::cluster::Cluster;
use crate::commands::drain::Waiting;
use crate::commands::{self, ask};
use crate::comparison::compare;
use crate::exposition::Exposition;
use crate::metrics::{METRICS, USAGE};
use crate::process::Exporter;
use crate::programs::Program;
use crate::report::Report;
use crate::workload::{Becomes, NAMESPACES, Workload, ends, moves, runs, waits};
use crate::{command_line, conclusions, counters, deployed};

/// Flags of an exporter with all collectors and short intervals.
const FLAGS: [&str; 11] = [
    "--collect.interval=2s",
    "--collect.history-interval=2s",
    "--collect.client-interval=2s",
    "--collect.duty-cycle=1",
    "--collect.client-timeout=2s",
    "--collector.allocation_usage",
    "--collect.max-usage-allocations=1000",
    "--collect.job-types=service,batch,system,sysbatch",
    "--collect.max-jobs=1000",
    "--log.level=info",
    "--log.format=logfmt",
];
const JOB_TYPES: [&str; 4] = ["service", "batch", "system", "sysbatch"];

/// Runs all events on a cluster of these programs.
pub(crate) fn run(server: &Program, client: &Program, folder: &Path, report: &mut Report) {
    let mut cluster = Cluster::start(server, client, folder);
    report.phase("the exporter runs as a Nomad job");
    deployed::compare(&cluster, report);
    let serving = Exporter::start(&cluster.api.url, &FLAGS);
    // Events before its first refresh are not counted.
    wait_for_refresh(&cluster, &serving);
    prepare(&cluster);

    report.phase("workload is running");
    let mut workload = Workload::new(&cluster);
    // Jobs that fill client-c come before jobs that could run anywhere.
    waits::register(&mut workload);
    workload.settle();
    runs::register(&mut workload);
    ends::register(&mut workload);
    workload.settle();
    wait_for_refresh(&cluster, &serving);
    ends::change(&mut workload);
    runs::change(&mut workload);
    moves::register_lost(&mut workload);
    workload.settle();
    look_at_all(&cluster, &serving, report);
    commands::logs::compare(&cluster, report);
    conclusions::of_ends(&cluster, report);
    conclusions::of_logs(&cluster, report);
    conclusions::of_one_namespace(&cluster, report);

    report.phase("clients are drained");
    let mut workload = Workload::new(&cluster);
    commands::drain::begin_and_cancel(&cluster, report, "client-d");
    let path = format!("/v1/node/{}/eligibility", cluster.nodes["client-b"]);
    cluster.api.put(&path, &json!({"Eligibility": "ineligible"}));
    commands::drain::begin(&cluster, report, "client-c");
    moves::register(&mut workload);
    workload.settle();
    commands::drain::rehearse(&cluster, report, "client-d");
    let mut waiting = Waiting::start(&cluster, "client-d", moves::DRAIN_DEADLINE);
    look(&cluster, &serving, report);
    report.phase("a task is still running after the drain of its client");
    commands::drain::wait_for_the_last(&cluster, "client-d", "uploads-in-drain upload");
    look(&cluster, &serving, report);
    report.holds("drain client-d --wait ended while a task ran there", waiting.goes_on());
    std::fs::write(cluster.upload_ends(), "").unwrap();
    report.phase("a drain reached its deadline");
    let took = waiting.end(&cluster, report, Duration::from_secs(60));
    let least = moves::DRAIN_DEADLINE + moves::LINGERS;
    report.holds(&format!("drain --wait took {took:?}, which is less than {least:?}"), took >= least);
    conclusions::of_a_drain(&cluster, report);
    look_at_all(&cluster, &serving, report);

    report.phase("clients are lost");
    cluster.kill("client-b");
    cluster.kill("client-c");
    cluster.wait_for_node("client-b", "disconnected");
    cluster.wait_for_node("client-c", "down");
    let mut workload = Workload::new(&cluster);
    workload.expect("ci", "lost", Becomes::Blocked(0));
    workload.expect("team-a", "waits-for-room", Becomes::Blocked(0));
    workload.settle();
    cluster.configure_scheduler(&json!({"BatchSchedulerEnabled": true}), true);
    waits::register_unseen(&mut workload);
    workload.settle();
    look_at_all(&cluster, &serving, report);

    report.phase("counters");
    cluster.configure_scheduler(&json!({"BatchSchedulerEnabled": true}), false);
    waits::see(&mut workload);
    workload.settle();
    // The outcome of a job is known only after its allocations were read.
    wait_for_refresh(&cluster, &serving);
    wait_for_refresh(&cluster, &serving);
    let show = || page(&cluster, &serving);
    counters::compare_completions(report, &Answers::read(&cluster.api), &page(&cluster, &serving));
    counters::compare_placements(report, || Answers::read(&cluster.api), show);
    counters::compare_failures(report, || Answers::read(&cluster.api), show);
    let metrics = METRICS.iter().copied().flatten().chain(USAGE).map(|metric| metric.name);
    // No task of the tests reserves cores, because not every machine lets clients offer some. Without reserved cores,
    // the metric must be absent, which was compared.
    report.all_occurred(metrics.filter(|name| *name != "nomad_node_allocated_cores"));
    let log = serving.log();
    let bad = log.lines().find(|line| line.contains("panicked") || line.contains("level=error"));
    report.same("errors in the exporter's log", &None, &bad);
}

/// Creates namespaces, and enables memory oversubscription.
fn prepare(cluster: &Cluster) {
    for name in NAMESPACES {
        cluster.api.put("/v1/namespace", &json!({"Name": name}));
    }
    cluster.configure_scheduler(&json!({"SystemSchedulerEnabled": true}), false);
}

/// Compares the metrics of one collection, and the served ones.
fn look(cluster: &Cluster, serving: &Exporter, report: &mut Report) {
    let answers = || Answers::read(&cluster.api);
    compare(METRICS, &["service", "system"], answers, || ask(cluster, &["check"]).stdout, report);
    let with_usage = [METRICS, &[USAGE]].concat();
    compare(&with_usage, &JOB_TYPES, answers, || page(cluster, serving), report);
}

/// Compares the metrics, the commands, and Nomad's own CLI.
fn look_at_all(cluster: &Cluster, serving: &Exporter, report: &mut Report) {
    look(cluster, serving, report);
    commands::compare(cluster, report);
    command_line::compare(cluster, report);
}

/// Returns the served metrics, after a refresh.
fn page(cluster: &Cluster, serving: &Exporter) -> String {
    wait_for_refresh(cluster, serving);
    cluster.api.page(&format!("{}/metrics", serving.url))
}

/// Waits until every collector has started and finished another refresh.
fn wait_for_refresh(cluster: &Cluster, serving: &Exporter) {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut lagging = Vec::new();
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(200));
        let shown = Exposition::parse(&cluster.api.page(&format!("{}/metrics", serving.url)));
        let up = shown.find("nomad_exporter_collector_up", &[]);
        let names: Vec<&str> = up.map(|sample| sample.labels["collector"].as_str()).collect();
        let started = |collector: &str| {
            let value = |name: &str| shown.value(name, &[("collector", collector)]);
            let ended = value("nomad_exporter_collector_last_success_timestamp_seconds")?;
            Some(ended - value("nomad_exporter_collector_refresh_duration_seconds")?)
        };
        let late = names.iter().filter(|collector| started(collector) <= Some(began));
        lagging = late.map(|collector| (*collector).to_owned()).collect();
        if !names.is_empty() && lagging.is_empty() {
            return;
        }
    }
    panic!("these collectors were not refreshed for 40 s: {lagging:?}; the log: {}", serving.log());
}
