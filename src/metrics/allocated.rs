//! Metrics of the resources allocated to each namespace.

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{AllocatedTotal, CollectorId};
use crate::terms::Term;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_allocated_cpu_hertz",
        help: "CPU that Nomad reserves for non-terminal allocations, by namespace and job type. This is not \
               the CPU that they use.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Allocations],
        emit: |view, out| allocated(view, out, |total| total.cpu_hertz),
    },
    Family {
        name: "nomad_allocated_memory_bytes",
        help: "Memory that Nomad reserves for non-terminal allocations, by namespace and job type. This is \
               not the memory that they use.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Allocations],
        emit: |view, out| allocated(view, out, |total| total.memory_bytes),
    },
];

/// Emits a sum of allocated resources; absent if an allocation has no known resources.
fn allocated(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&AllocatedTotal) -> f64) {
    let Some(live) = &view.sections().allocations else { return };
    view.each_job_type(&live.allocated, |namespace, job_type, total| {
        if total.unsized_count == 0 {
            out.add(&[namespace, job_type.as_str()], value(total));
        }
    });
}
