//! The families: const tables of name, help, kind, labels and a pure function from what is known to samples.
//!
//! A metric name is a literal in exactly one row of one table. Nothing here sees JSON or HTTP.

mod allocations;
mod backlog;
mod drains;
mod exporter;
mod family;
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

pub use family::{Family, Kind, View};
pub use own::{Own, OwnMetrics};
pub use selection::{Limits, Selection, SelectionError};
pub use sink::{Exposition, Part, Samples, Sink};

/// A subject and its families, in the order of the exposition.
pub type Table = (&'static str, &'static [Family]);

/// Every family there is. The exporter's own come last: they tell of what stands before them.
pub const TABLES: &[Table] = &[
    ("Jobs", jobs::FAMILIES),
    ("Backlog", backlog::FAMILIES),
    ("Long-lived jobs", named::FAMILIES),
    ("Allocations", allocations::FAMILIES),
    ("Allocation usage", usage::FAMILIES),
    ("Nodes", nodes::FAMILIES),
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

/// Sends the samples of every family that is selected to the sink.
pub fn emit(view: &View<'_>, sink: &mut Sink<'_>) {
    let selection = sink.selection();
    for family in families().filter(|family| selection.selects(family.name)) {
        (family.emit)(view, &mut sink.family(family));
    }
}
