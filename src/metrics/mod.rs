//! The families: const tables of name, help, kind, labels and a pure function from what is known to samples.
//!
//! A metric name is a literal in exactly one row of one table. Nothing here sees JSON or HTTP.

mod allocations;
mod backlog;
mod chosen;
mod drains;
mod exporter;
mod failures;
mod family;
mod hanging;
mod holdings;
mod hosts;
mod jobs;
mod named;
mod nodes;
mod own;
mod process;
mod selection;
mod servers;
mod sink;
mod usage;
mod view;
mod whole;

pub use family::{Family, Kind};
pub use own::{Own, OwnMetrics};
pub use selection::{Limits, Selection, SelectionError};
pub use sink::{Exposition, SamplePart, Samples};
pub use view::View;

/// A subject and its families, in the order of the exposition.
pub type Table = (&'static str, &'static [Family]);

/// Every family there is. The exporter's own come last: they tell of what stands before them.
pub const TABLES: &[Table] = &[
    ("Jobs", jobs::FAMILIES),
    ("Backlog", backlog::FAMILIES),
    ("Failures and restarts", failures::FAMILIES),
    ("Long-lived jobs", named::FAMILIES),
    ("Allocations", allocations::FAMILIES),
    ("Who uses the cluster", holdings::FAMILIES),
    ("Allocations that start, run and stop", hanging::FAMILIES),
    ("Allocation usage", usage::FAMILIES),
    ("Nodes", nodes::FAMILIES),
    ("Cores and devices", whole::FAMILIES),
    ("Metadata and attributes", chosen::FAMILIES),
    ("Drains", drains::FAMILIES),
    ("Hosts", hosts::FAMILIES),
    ("Servers and deployments", servers::FAMILIES),
    ("The exporter's process", process::FAMILIES),
    ("The exporter", exporter::FAMILIES),
];

/// Every family there is, in the order of the exposition.
pub fn families() -> impl Iterator<Item = &'static Family> {
    TABLES.iter().flat_map(|(_, families)| families.iter())
}

/// Sends the samples of every family that is selected to the format.
pub fn emit(view: &View<'_>, format: &mut dyn Exposition, selection: &Selection) {
    let mut sink = sink::Sink::new(selection);
    for family in selection.families() {
        sink.emit(family, &view.of(family), format);
    }
}
