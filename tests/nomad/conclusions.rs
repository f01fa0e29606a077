//! Conclusions of the exporter where Nomad's own status is misleading.

use std::time::Duration;

use serde_json::Value;

use crate::answers::{number, text};
use crate::cluster::Cluster;
use crate::commands::{ask, ask_with, json};
use crate::exposition::Exposition;
use crate::programs::Version;
use crate::report::Report;

/// Returns a row of `jobs --json`.
fn job(cluster: &Cluster, id: &str) -> Value {
    let jobs = json(cluster, &["jobs", "--limit", "1000"]);
    let rows = jobs["jobs"].as_array().into_iter().flatten();
    rows.into_iter().find(|row| text(row, "id") == id).cloned().unwrap_or_default()
}

/// An old failed run is not a current failure, and a removed group has no queued allocations.
pub(crate) fn of_ends(cluster: &Cluster, report: &mut Report) {
    let nightly = job(cluster, "nightly-run");
    report.same(
        "outcome of nightly-run, which failed once and then succeeded",
        &"complete",
        &text(&nightly, "outcome"),
    );
    let removed = number(&job(cluster, "removed-group")["queued_allocations"]);
    report.same("queued instances of a service whose waiting group was removed", &0.0, &removed);
    let shown = Exposition::parse(&ask(cluster, &["check"]).stdout);
    let of_default = [("namespace", "default")];
    for name in ["nomad_queued_allocations", "nomad_queued_allocations_unsized"] {
        let sum: f64 = shown.find(name, &of_default).map(|sample| sample.value).sum();
        report.same(&format!("{name} of the namespace where nothing else waits"), &0.0, &sum);
    }
}

/// For a task that never started, the events are shown, and nothing is awaited.
pub(crate) fn of_logs(cluster: &Cluster, report: &mut Report) {
    for (id, word) in [
        ("driver-fails", "Driver Failure"),
        ("artifact-fails", "Failed Artifact Download"),
        ("validation-fails", "Failed Validation"),
        ("prestart-fails", "because task `setup` failed"),
    ] {
        for flags in [&[][..], &["--follow"]] {
            let line = [&["logs", id, "--namespace", "ci", "--task", "agent"], flags].concat();
            let Some((code, stderr)) = within(cluster, &line, Duration::from_secs(20)) else {
                report.wrong(&format!("{} goes on for 20 s", line.join(" ")));
                continue;
            };
            report.same(&format!("exit code of {}", line.join(" ")), &Some(1), &code);
            let what = format!("{} says that it never started, by {word:?}: {stderr:?}", line.join(" "));
            report
                .holds(&what, stderr.contains(word) || stderr.to_lowercase().contains(&word.to_lowercase()));
        }
    }
}

/// Returns the exit code and stderr of a command that ends in time.
fn within(cluster: &Cluster, line: &[&str], limit: Duration) -> Option<(Option<i32>, String)> {
    use std::io::Read;
    use std::process::Stdio;
    let mut command = crate::process::exporter(&[line, &["--nomad.address", &cluster.api.url]].concat());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut child = crate::process::Running(child);
    let began = std::time::Instant::now();
    while began.elapsed() < limit {
        if let Some(status) = child.0.try_wait().unwrap() {
            let mut text = String::new();
            child.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
            return Some((status.code(), text));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

/// With a single namespace, per-node sums are absent. In a Nomad task the variable is ignored, so all
/// namespaces are read.
pub(crate) fn of_one_namespace(cluster: &Cluster, report: &mut Report) {
    let sums = |variables: &[(&str, &str)]| {
        let shown = Exposition::parse(&ask_with(cluster, variables, &["check"]).stdout);
        let of_nodes = ["nomad_node_allocated_cpu_hertz", "nomad_node_allocations", "nomad_node_drained"];
        let count = of_nodes.map(|name| shown.find(name, &[]).count());
        (count[0], count[1], shown.value("nomad_exporter_sees_all_namespaces", &[]))
    };
    let namespace = ("NOMAD_NAMESPACE", "default");
    report.same("sums over nodes with NOMAD_NAMESPACE=default", &(0, 0, Some(0.0)), &sums(&[namespace]));
    let in_a_task = sums(&[namespace, ("NOMAD_ALLOC_ID", "0ff9f9a5-4a5e-4b0a-9b64-5d2f6a3bbd50")]);
    report.same("sums over nodes in a task of Nomad", &(4, 12, Some(1.0)), &in_a_task);
    let check = ask_with(cluster, &[namespace], &["check"]);
    report.holds(
        "check says that it reads one namespace alone",
        check.stderr.contains("not all namespaces are read"),
    );
}

/// A build killed by a drain is not a success, and the client is drained only after its last task has ended.
pub(crate) fn of_a_drain(cluster: &Cluster, report: &mut Report) {
    // Before 1.11, Nomad places allocations killed by a drain again.
    if cluster.server.version >= Version(1, 11, 0) {
        for id in ["drained-away", "stops-slowly"] {
            let outcome = text(&job(cluster, id), "outcome").to_owned();
            report.same(&format!("outcome of {id}, which a drain killed"), &"drained", &outcome.as_str());
        }
    }
    report.same(
        "outcome of finishes-in-drain",
        &"complete",
        &text(&job(cluster, "finishes-in-drain"), "outcome"),
    );
}
