//! The Grafana dashboards of nomad-exporter, described in code: see README.md on how to change them.

mod backlog;
mod board;
mod exporter;
mod holdings;
mod nodes;
mod overview;
mod panel;
mod promql;
mod table;

use serde_json::Value;

/// The name of each dashboard's file, and what belongs into it.
#[must_use]
pub fn dashboards() -> Vec<(&'static str, Value)> {
    vec![
        ("nomad-overview.json", overview::dashboard()),
        ("nomad-backlog.json", backlog::dashboard()),
        ("nomad-nodes.json", nodes::dashboard()),
        ("nomad-exporter.json", exporter::dashboard()),
    ]
}
