//! What the dashboards ask for, asked of a real Prometheus.

use std::time::{Duration, Instant};

use regex::Regex;

use crate::support::path;
use crate::support::prometheus::Prometheus;

const SOON: Duration = Duration::from_secs(60);

/// Asks every query of every dashboard. Those that may rightly have nothing to show are named, each with its reason.
pub(super) fn every_dashboard_query_returns_data(prometheus: &Prometheus) {
    let mut queries = Vec::new();
    for entry in std::fs::read_dir(path("dashboards")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|kind| kind == "json") {
            let dashboard: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            collect_queries(&dashboard["panels"], &mut queries);
        }
    }
    assert!(queries.len() > 60, "{} queries", queries.len());
    let is_excused = |query: &String| MAY_BE_SILENT.iter().any(|(part, _)| query.contains(part));
    let mut silent: Vec<String> = queries.into_iter().filter(|query| !is_excused(query)).collect();
    let asked = Instant::now();
    // Rates need a few scrapes.
    while !silent.is_empty() && asked.elapsed() < SOON {
        silent.retain(|query| prometheus.query(query).is_none_or(|series| series.is_empty()));
    }
    assert!(silent.is_empty(), "these return nothing:\n{}", silent.join("\n"));
}

/// Families that are rightly absent in a cluster where all is well.
const MAY_BE_SILENT: [(&str, &str); 3] = [
    ("nomad_node_drain", "no node drains"),
    ("nomad_exporter_series_dropped", "no cap cut anything"),
    ("nomad_node_driver_healthy", "every driver is healthy"),
];

/// The expressions of panels, with Grafana's variables filled in.
fn collect_queries(panels: &serde_json::Value, queries: &mut Vec<String>) {
    let filled = Regex::new(r"\$(cluster|region|instance|namespace|node_pool|node)\b").unwrap();
    for panel in panels.as_array().into_iter().flatten() {
        collect_queries(&panel["panels"], queries);
        for target in panel["targets"].as_array().into_iter().flatten() {
            let Some(expr) = target["expr"].as_str() else { continue };
            let expr = expr
                .replace("$__rate_interval", "10s")
                .replace("$__range", "1m")
                .replace("$__interval", "5s");
            queries.push(filled.replace_all(&expr, ".*").into_owned());
        }
    }
}
