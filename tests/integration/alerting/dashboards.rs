//! Queries of the dashboards, executed by a real Prometheus.

use std::time::Instant;

use regex::Regex;
use serde_json::Value;

use crate::support::path;
use crate::support::process::SOON;
use crate::support::prometheus::Prometheus;

/// A query of a panel, with Grafana's variables replaced.
pub(super) struct Query {
    /// File of the dashboard, and title of the panel.
    pub(super) panel: String,
    /// Whether it is a range query.
    pub(super) is_range: bool,
    /// Type of the panel, such as `timeseries`.
    pub(super) kind: String,
    pub(super) expr: String,
}

/// Executes every query of every dashboard. Queries that may be empty are listed with the reason.
pub(super) fn every_dashboard_query_returns_data(prometheus: &Prometheus) {
    let is_excused = |query: &Query| {
        MAY_BE_SILENT.iter().any(|(part, _)| query.panel.contains(part) || query.expr.contains(part))
    };
    let asked_for = queries(".*", ".*", "10s").into_iter().filter(|query| !is_excused(query));
    let mut silent: Vec<String> = asked_for.map(|query| query.expr).collect();
    let asked = Instant::now();
    // Rates need several scrapes.
    while !silent.is_empty() && asked.elapsed() < SOON {
        silent.retain(|query| prometheus.query(query).is_none_or(|series| series.is_empty()));
    }
    assert!(silent.is_empty(), "these return nothing:\n{}", silent.join("\n"));
}

/// Metrics that are absent in a healthy cluster, and panels.
const MAY_BE_SILENT: [(&str, &str); 13] = [
    ("Time to clear the backlog", "no client has room, so that nothing is placed"),
    ("nomad_node_drain", "no node drains"),
    ("nomad_exporter_series_dropped", "no cap cut anything"),
    ("nomad_node_driver_unhealthy", "every driver is healthy"),
    ("Missing allocations by job", "every service runs as desired"),
    ("Services that lack allocations", "every service runs as desired"),
    ("Restarts by job", "no task was restarted"),
    ("Out-of-memory kills by job", "no task was killed"),
    ("Tasks that restart", "no task was restarted or killed"),
    ("Jobs that somebody stopped", "nobody stopped a job"),
    ("Failures to start, by node", "nothing fails to start"),
    ("Oldest starting allocation by node", "everything started"),
    ("nomad_clients_", "the rules of deploy/autoscaler are not loaded"),
];

/// Returns the queries of all panels for these nodes and long-lived jobs, with all values of the other
/// variables.
pub(super) fn queries(nodes: &str, jobs: &str, rate_interval: &str) -> Vec<Query> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path("dashboards")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|kind| kind == "json") {
            let dashboard: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let name = file.file_stem().unwrap().to_str().unwrap();
            collect_queries(name, &dashboard["panels"], &mut found);
        }
    }
    let filled = Regex::new(r"\$(cluster|region|instance|namespace|node_pool)\b").unwrap();
    for query in &mut found {
        let expr = query.expr.replace("$__rate_interval", rate_interval);
        query.expr = filled.replace_all(&expr, ".*").replace("$node", nodes).replace("$job", jobs);
        assert!(!query.expr.contains('$'), "{}: what is the variable in {}?", query.panel, query.expr);
    }
    found.sort_by(|one, other| one.panel.cmp(&other.panel));
    assert!(found.len() > 60, "{} queries", found.len());
    found
}

fn collect_queries(dashboard: &str, panels: &Value, queries: &mut Vec<Query>) {
    for panel in panels.as_array().into_iter().flatten() {
        collect_queries(dashboard, &panel["panels"], queries);
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push(Query {
                panel: format!("{dashboard}: {}", panel["title"].as_str().unwrap_or_default()),
                is_range: target["range"] == true,
                kind: panel["type"].as_str().unwrap_or_default().to_owned(),
                expr: target["expr"].as_str().unwrap().to_owned(),
            });
        }
    }
}
