//! Families about the capacity of node pools.

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, PoolCapacity};

const CAPACITY: &[CollectorId] = &[CollectorId::Nodes, CollectorId::Allocations];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_pool_allocatable_cpu_hertz",
        help: "CPU that the scheduler can allocate on the active nodes of the node pool: the sum of \
               nomad_node_allocatable_cpu_hertz over active nodes that also have nomad_node_allocated_cpu_hertz.",
        kind: Kind::Gauge,
        labels: &["node_pool"],
        collectors: CAPACITY,
        emit: |view, out| each_pool(view, out, |pool| pool.cpu_hertz.allocatable),
    },
    Family {
        name: "nomad_pool_allocatable_memory_bytes",
        help: "Memory that the scheduler can allocate on the active nodes of the node pool, summed in the same way as \
               nomad_pool_allocatable_cpu_hertz.",
        kind: Kind::Gauge,
        labels: &["node_pool"],
        collectors: CAPACITY,
        emit: |view, out| each_pool(view, out, |pool| pool.memory_bytes.allocatable),
    },
    Family {
        name: "nomad_pool_allocated_cpu_hertz",
        help: "CPU allocated on the active nodes of the node pool, summed over the same nodes as \
               nomad_pool_allocatable_cpu_hertz.",
        kind: Kind::Gauge,
        labels: &["node_pool"],
        collectors: CAPACITY,
        emit: |view, out| each_pool(view, out, |pool| pool.cpu_hertz.allocated),
    },
    Family {
        name: "nomad_pool_allocated_memory_bytes",
        help: "Memory allocated on the active nodes of the node pool, summed over the same nodes as \
               nomad_pool_allocatable_memory_bytes.",
        kind: Kind::Gauge,
        labels: &["node_pool"],
        collectors: CAPACITY,
        emit: |view, out| each_pool(view, out, |pool| pool.memory_bytes.allocated),
    },
    Family {
        name: "nomad_pool_largest_free_cpu_hertz",
        help: "Largest amount of free CPU on a single active node of the node pool. An allocation that requests more has to \
               wait, even if the pool has more in total.",
        kind: Kind::Gauge,
        labels: &["node_pool"],
        collectors: CAPACITY,
        emit: |view, out| each_pool(view, out, |pool| pool.cpu_hertz.largest_free),
    },
    Family {
        name: "nomad_pool_largest_free_memory_bytes",
        help: "Largest amount of free memory on a single active node of the node pool.",
        kind: Kind::Gauge,
        labels: &["node_pool"],
        collectors: CAPACITY,
        emit: |view, out| each_pool(view, out, |pool| pool.memory_bytes.largest_free),
    },
];

fn each_pool(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&PoolCapacity) -> f64) {
    for (name, capacity) in view.joins().capacity.iter().flat_map(|pools| pools.iter()) {
        out.add(&[name], value(capacity));
    }
}
