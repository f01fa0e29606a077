//! Metric tables: name, help, kind, labels, and a pure function from a snapshot to samples.
//!
//! Each metric name is a literal in exactly one row of one table. This module knows neither JSON nor HTTP.

mod allocated;
mod allocations;
mod backlog;
mod chosen;
mod cores_and_devices;
mod drains;
mod exporter;
mod failures;
mod family;
mod hanging;
mod hosts;
mod jobs;
mod named;
mod nodes;
mod own;
mod pools;
mod process;
mod selection;
mod servers;
mod sink;
mod usage;
mod view;

pub use family::{Family, Kind};
pub use own::{Own, OwnMetrics};
pub use selection::{Limits, Selection, SelectionError};
pub use sink::{Exposition, SamplePart, Samples};
pub use view::View;

/// A subject and its metrics, in the order of the exposition.
pub type Table = (&'static str, &'static [Family]);

/// All metrics. The exporter's own come last, because some of them count the others.
pub const TABLES: &[Table] = &[
    ("Jobs", jobs::FAMILIES),
    ("Backlog", backlog::FAMILIES),
    ("Failures and restarts", failures::FAMILIES),
    ("Long-lived jobs", named::FAMILIES),
    ("Allocations", allocations::FAMILIES),
    ("Allocated resources by namespace", allocated::FAMILIES),
    ("Starting, running and stopping allocations", hanging::FAMILIES),
    ("Allocation usage", usage::FAMILIES),
    ("Nodes", nodes::FAMILIES),
    ("Node pools", pools::FAMILIES),
    ("Cores and devices", cores_and_devices::FAMILIES),
    ("Metadata and attributes", chosen::FAMILIES),
    ("Drains", drains::FAMILIES),
    ("Hosts", hosts::FAMILIES),
    ("Servers and deployments", servers::FAMILIES),
    ("Exporter process", process::FAMILIES),
    ("Exporter", exporter::FAMILIES),
];

/// Returns all metrics, in the order of the exposition.
pub fn families() -> impl Iterator<Item = &'static Family> {
    TABLES.iter().flat_map(|(_, families)| families.iter())
}

/// Emits the samples of all selected metrics.
pub fn emit(view: &View<'_>, format: &mut dyn Exposition, selection: &Selection) {
    let mut sink = sink::Sink::new(selection);
    for family in selection.families() {
        sink.emit(family, &view.of(family), format);
    }
}
