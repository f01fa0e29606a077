//! Compares the output of Nomad's own CLI with the exporter.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::answers::{Answers, text};
use crate::cluster::{CLIENTS, Cluster};
use crate::commands::ask;
use crate::exposition::Exposition;
use crate::report::Report;

/// Compares all common values.
pub(crate) fn compare(cluster: &Cluster, report: &mut Report) {
    let shown = || Exposition::parse(&ask(cluster, &["check"]).stdout);
    report.steady("nomad status", || job_statuses(cluster), || exporter_statuses(cluster));
    report.steady(
        "nomad node status -allocs",
        || running_by_node(cluster),
        || exporter_running_by_node(&shown()),
    );
    for (namespace, id) in
        [("default", "web"), ("team-a", "web"), ("team-a", "wants-port"), ("default", "on-every-client")]
    {
        report.steady(
            &format!("nomad job status {id} in {namespace}"),
            || summary(cluster, namespace, id),
            || exporter_summary(&shown(), namespace, id),
        );
    }
    for name in CLIENTS {
        // Nomad's CLI counts running allocations, and each of their tasks, so it agrees only for plain
        // allocations.
        if !is_plain(&Answers::read(&cluster.api), name) {
            continue;
        }
        report.steady(
            &format!("nomad node status of {name}"),
            || resources(cluster, name),
            || {
                let shown = shown();
                let value = |metric: &str| shown.value(metric, &[("node", name)]).unwrap_or_default();
                let cpu = ["allocated", "allocatable"]
                    .map(|kind| value(&format!("nomad_node_{kind}_cpu_hertz")) / 1e6);
                Some(cpu)
            },
        );
    }
}

/// Returns the output of a command whose name has this number of words.
fn nomad(cluster: &Cluster, words: usize, arguments: &[&str]) -> String {
    let address = format!("-address={}", cluster.api.url);
    // Flags come after the words of a command, and before its arguments.
    let (words, rest) = arguments.split_at(words);
    cluster.server.output(&[words, &[&address], rest].concat())
}

/// Returns the rows of the table whose heading has these words, as maps from heading to cell.
fn table(text: &str, begins: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(begins));
    let cells = |line: &str| -> Vec<String> {
        let cells = line.split("  ").map(str::trim);
        cells.filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    let Some(heading) = lines.next().map(cells) else { return Vec::new() };
    let rows = lines.take_while(|line| !line.trim().is_empty());
    rows.map(|line| heading.iter().cloned().zip(cells(line)).collect()).collect()
}

/// Returns the status of each job, by namespace and ID.
fn job_statuses(cluster: &Cluster) -> BTreeMap<String, String> {
    let rows = table(&nomad(cluster, 1, &["status", "-namespace=*"]), "ID");
    let status = |row: &BTreeMap<String, String>| row["Status"].replace(" (stopped)", "");
    rows.iter().map(|row| (format!("{}/{}", row["Namespace"], row["ID"]), status(row))).collect()
}

fn exporter_statuses(cluster: &Cluster) -> BTreeMap<String, String> {
    let ended = ask(cluster, &["jobs", "--json", "--limit", "1000"]);
    let jobs: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
    let rows = jobs["jobs"].as_array().into_iter().flatten();
    let name = |row: &Value| format!("{}/{}", text(row, "namespace"), text(row, "id"));
    rows.map(|row| (name(row), text(row, "status").to_owned())).collect()
}

/// Returns state and running allocations of each node, by name.
fn running_by_node(cluster: &Cluster) -> BTreeMap<String, String> {
    let rows = table(&nomad(cluster, 2, &["node", "status", "-allocs"]), "ID");
    let state = |row: &BTreeMap<String, String>| match row["Status"].as_str() {
        "ready" if row["Drain"] == "true" => "draining".to_owned(),
        "ready" if row["Eligibility"] == "ineligible" => "ineligible".to_owned(),
        "ready" => "active".to_owned(),
        status => status.to_owned(),
    };
    let shown = |row| format!("{}, {} run", state(row), row["Running Allocs"]);
    rows.iter().map(|row| (row["Name"].clone(), shown(row))).collect()
}

fn exporter_running_by_node(shown: &Exposition) -> BTreeMap<String, String> {
    let of_node = |name: &str| {
        let labels = [("node", name), ("client_status", "running")];
        let running = shown.value("nomad_node_allocations", &labels).unwrap_or(f64::NAN);
        let state = shown.find("nomad_node_state", &[("node", name)]).find(|sample| sample.value == 1.0);
        format!("{}, {running} run", state.map_or("?", |sample| &sample.labels["state"]))
    };
    CLIENTS.map(|name| (name.to_owned(), of_node(name))).into()
}

/// Returns the counts of each group of a job that both report.
fn summary(cluster: &Cluster, namespace: &str, id: &str) -> BTreeMap<String, f64> {
    let text = nomad(cluster, 2, &["job", "status", &format!("-namespace={namespace}"), id]);
    let mut counts = BTreeMap::new();
    for row in table(&text, "Task Group  Queued") {
        for (heading, cell) in row.iter().filter(|(heading, _)| *heading != "Task Group") {
            let count: f64 = cell.parse().unwrap_or(f64::NAN);
            if count != 0.0 {
                counts.insert(format!("{} {}", row["Task Group"], heading.to_lowercase()), count);
            }
        }
    }
    counts
}

fn exporter_summary(shown: &Exposition, namespace: &str, id: &str) -> BTreeMap<String, f64> {
    let labels = [("namespace", namespace), ("job_id", id)];
    let now = shown.find("nomad_job_allocations", &labels);
    let ended = shown.find("nomad_job_allocations_ended", &labels);
    let samples = now.chain(ended).filter(|sample| sample.value != 0.0);
    let key = |labels: &BTreeMap<String, String>| format!("{} {}", labels["task_group"], labels["status"]);
    samples.map(|sample| (key(&sample.labels), sample.value)).collect()
}

/// Returns whether all non-terminal allocations of a node run with one task each.
fn is_plain(answers: &Answers, name: &str) -> bool {
    let on_it = answers.live().filter(|row| text(row, "NodeName") == name);
    let tasks = |row: &Value| row["AllocatedResources"]["Tasks"].as_object().map_or(0, |tasks| tasks.len());
    on_it.into_iter().all(|row| text(row, "ClientStatus") == "running" && tasks(row) == 1)
}

/// Returns the allocated and allocatable MHz of a node, from `1500/3500 MHz`.
fn resources(cluster: &Cluster, name: &str) -> Option<[f64; 2]> {
    let text = nomad(cluster, 2, &["node", "status", &cluster.nodes[name]]);
    let mut lines = text.lines().skip_while(|line| !line.starts_with("Allocated Resources"));
    let (allocated, allocatable) = lines.nth(2)?.split_whitespace().next()?.split_once('/')?;
    Some([allocated.parse().ok()?, allocatable.parse().ok()?])
}
