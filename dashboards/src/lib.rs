//! The Grafana dashboards of nomad-exporter as code. README.md describes how to change them.

mod backlog;
mod board;
mod exporter;
mod hanging;
mod holdings;
mod nodes;
mod overview;
mod panel;
mod promql;
mod services;
mod table;

use serde_json::Value;

/// Returns the file name and the content of each dashboard.
#[must_use]
pub fn dashboards() -> Vec<(&'static str, Value)> {
    vec![
        ("nomad-overview.json", overview::dashboard()),
        ("nomad-backlog.json", backlog::dashboard()),
        ("nomad-nodes.json", nodes::dashboard()),
        ("nomad-services.json", services::dashboard()),
        ("nomad-exporter.json", exporter::dashboard()),
    ]
}
