//! Families about the exporter's process, as the prometheus crate measures it (on Linux).

use super::family::{Family, Kind, View};
use super::own;
use super::sink::Samples;

/// A family of the process, passed on as it is.
macro_rules! process {
    ($name:literal, $kind:ident, $help:literal) => {
        Family {
            name: $name,
            help: $help,
            kind: Kind::$kind,
            labels: &[],
            sources: &[],
            emit: |view: &View<'_>, out: &mut Samples<'_, '_>| own::pass_on(view, out, $name),
        }
    };
}

pub(super) const FAMILIES: &[Family] = &[
    process!(
        "process_cpu_seconds_total",
        Counter,
        "CPU time that the exporter used, in the kernel and outside."
    ),
    process!("process_open_fds", Gauge, "File descriptors that the exporter holds open."),
    process!("process_max_fds", Gauge, "File descriptors that the exporter may hold open."),
    process!("process_virtual_memory_bytes", Gauge, "Address space of the exporter."),
    process!("process_resident_memory_bytes", Gauge, "Memory of the exporter."),
    process!("process_start_time_seconds", Gauge, "When the exporter was started."),
    process!("process_threads", Gauge, "Threads of the exporter."),
];
