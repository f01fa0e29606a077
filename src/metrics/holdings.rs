//! Families about who uses the cluster.

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, Holding};
use crate::terms::Term;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_allocated_cpu_hertz",
        help: "CPU allocated to live allocations. It is what Nomad reserves for them, and not what they use.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Allocations],
        emit: |view, out| allocated(view, out, |holding| holding.cpu_hertz),
    },
    Family {
        name: "nomad_allocated_memory_bytes",
        help: "Memory allocated to live allocations. It is what Nomad reserves for them, and not what they use.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Allocations],
        emit: |view, out| allocated(view, out, |holding| holding.memory_bytes),
    },
];

/// A sum over what is allocated; absent where an allocation came without its size.
fn allocated(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&Holding) -> f64) {
    let Some(live) = &view.sections().allocations else { return };
    let none = Default::default();
    for namespace in view.namespaces() {
        for (job_type, holding) in live.holdings.get(namespace).unwrap_or(&none).shown() {
            if holding.unsized_count == 0 {
                out.add(&[namespace, job_type.as_str()], value(holding));
            }
        }
    }
}
