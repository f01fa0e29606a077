//! Metrics of reserved CPU cores, and of devices such as GPUs.

use std::collections::BTreeSet;

use super::backlog::{DEMAND, requested};
use super::family::{Family, Kind};
use super::nodes::{NODE, each_loaded_node, each_node};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, DeviceKind};

/// Maximum number of queued device kinds: jobs name devices in free text.
const MAX_QUEUED_KINDS: usize = 1_000;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_node_allocatable_cores",
        help: "Number of CPU cores of the node that jobs can reserve: ReservableCpuCores minus the cores of \
               client.reserved. Absent if the node does not report it (before Nomad 1.1).",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes],
        emit: |view, out| {
            each_node(view, |node| {
                out.add_some(&[&node.id, &node.name], node.cores.map(|cores| cores as f64));
            });
        },
    },
    Family {
        name: "nomad_node_allocated_cores",
        help: "Number of CPU cores of the node that non-terminal allocations have reserved; absent if they have reserved \
               none. nomad_node_allocated_cpu_hertz includes their CPU.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Allocations],
        emit: |view, out| {
            each_loaded_node(view, |node, load| {
                if load.cores_and_devices.cores > 0 && load.unsized_count == 0 {
                    out.add_count(&[&node.id, &node.name], load.cores_and_devices.cores);
                }
            });
        },
    },
    Family {
        name: "nomad_node_devices",
        help: "Number of healthy devices of the node, such as GPUs.",
        kind: Kind::Gauge,
        labels: &["node_id", "node", "vendor", "type", "model"],
        collectors: &[CollectorId::Nodes],
        emit: |view, out| {
            each_node(view, |node| {
                for (DeviceKind { vendor, device_type, model }, count) in &node.devices {
                    out.add_count(&[&node.id, &node.name, vendor, device_type, model], *count);
                }
            });
        },
    },
    Family {
        name: "nomad_node_allocated_devices",
        help: "Number of devices of the node that are allocated to non-terminal allocations. Exceeds the \
               number of healthy devices if one failed while it was allocated.",
        kind: Kind::Gauge,
        labels: &["node_id", "node", "vendor", "type", "model"],
        collectors: &[CollectorId::Nodes, CollectorId::Allocations],
        emit: allocated_devices,
    },
    Family {
        name: "nomad_queued_cores",
        help: "Number of CPU cores requested by queued allocations.",
        kind: Kind::Gauge,
        labels: &["namespace", "node_pool"],
        collectors: DEMAND,
        emit: queued_cores,
    },
    Family {
        name: "nomad_queued_devices",
        help: "Number of devices requested by queued allocations. Labels that a request does not specify are empty: \
               a request for any GPU has the type gpu, and an empty vendor and model.",
        kind: Kind::Gauge,
        labels: &["namespace", "node_pool", "vendor", "type", "model"],
        collectors: DEMAND,
        emit: queued_devices,
    },
];

fn allocated_devices(view: &View<'_>, out: &mut Samples<'_, '_>) {
    each_loaded_node(view, |node, load| {
        if load.unsized_count > 0 {
            return;
        }
        let allocated = &load.cores_and_devices.devices;
        // Includes allocated devices of a kind that the node no longer reports.
        let kinds: BTreeSet<&DeviceKind> = node.devices.keys().chain(allocated.keys()).collect();
        for kind in kinds {
            let DeviceKind { vendor, device_type, model } = kind;
            let count = allocated.get(kind).copied().unwrap_or_default();
            out.add_count(&[&node.id, &node.name, vendor, device_type, model], count);
        }
    });
}

fn queued_cores(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(requested) = requested(view) else { return };
    view.each_pool(&requested.cores_and_devices_by_pool, |namespace, pool, cores_and_devices| {
        out.add_count(&[namespace, pool], cores_and_devices.cores);
    });
}

fn queued_devices(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(requested) = requested(view) else { return };
    let mut shown = 0;
    view.each_pool(&requested.cores_and_devices_by_pool, |namespace, pool, cores_and_devices| {
        for (DeviceKind { vendor, device_type, model }, count) in &cores_and_devices.devices {
            if shown == MAX_QUEUED_KINDS {
                out.drop_by_cap(1);
                continue;
            }
            shown += 1;
            out.add_count(&[namespace, pool, vendor, device_type, model], *count);
        }
    });
}
