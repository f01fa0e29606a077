//! Families about what allocations use. They carry allocation IDs, so their collector is off unless switched on.

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{AllocationUsage, CollectorId};

const ALLOCATION: &[&str] = &["namespace", "job_id", "task_group", "alloc_id", "node_id"];
const COLLECTORS: &[CollectorId] = &[CollectorId::AllocationUsage];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_allocation_cpu_used_hertz",
        help: "CPU used by the running allocation.",
        kind: Kind::Gauge,
        labels: ALLOCATION,
        collectors: COLLECTORS,
        emit: |view, out| add(view, out, |usage| usage.cpu_used_hertz),
    },
    Family {
        name: "nomad_allocation_cpu_allocated_hertz",
        help: "CPU allocated to the running allocation.",
        kind: Kind::Gauge,
        labels: ALLOCATION,
        collectors: COLLECTORS,
        emit: |view, out| add(view, out, |usage| usage.cpu_allocated_hertz),
    },
    Family {
        name: "nomad_allocation_cpu_throttled_seconds_total",
        help: "Total time the running allocation was CPU-throttled.",
        kind: Kind::Counter,
        labels: ALLOCATION,
        collectors: COLLECTORS,
        emit: |view, out| add(view, out, |usage| usage.cpu_throttled_seconds),
    },
    Family {
        name: "nomad_allocation_memory_used_bytes",
        help: "Memory used by the running allocation.",
        kind: Kind::Gauge,
        labels: ALLOCATION,
        collectors: COLLECTORS,
        emit: |view, out| add(view, out, |usage| usage.memory_used_bytes),
    },
    Family {
        name: "nomad_allocation_memory_allocated_bytes",
        help: "Memory allocated to the running allocation.",
        kind: Kind::Gauge,
        labels: ALLOCATION,
        collectors: COLLECTORS,
        emit: |view, out| add(view, out, |usage| usage.memory_allocated_bytes),
    },
];

fn add(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&AllocationUsage) -> Option<f64>) {
    let Some(usage) = &view.sections().usage else { return };
    for allocation in &usage.allocations {
        let AllocationUsage { id, namespace, job_id, task_group, node_id, .. } = allocation;
        out.add_some(&[namespace, job_id, task_group, id, node_id], value(allocation));
    }
    out.drop_by_cap(usage.dropped);
}
