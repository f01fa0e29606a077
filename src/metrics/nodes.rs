//! Metrics of nodes and their allocated resources.

use std::collections::BTreeMap;

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, Node, NodeLoad};
use crate::terms::{ByTerm, ClientStatus, NodeState, Term};

/// Labels of all per-node series.
pub(super) const NODE: &[&str] = &["node_id", "node"];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_nodes",
        help: "Number of nodes by state. Each node is counted once, under the first matching state: down, \
               disconnected, initializing, draining, ineligible, active. Active nodes are the capacity of the \
               cluster.",
        kind: Kind::Gauge,
        labels: &["datacenter", "node_pool", "node_class", "state"],
        collectors: &[CollectorId::Nodes],
        emit: nodes,
    },
    Family {
        name: "nomad_node_info",
        help: "Name, datacenter, node pool, class, Nomad version and address of a node, as labels.",
        kind: Kind::Info,
        labels: &["node_id", "node", "datacenter", "node_pool", "node_class", "version", "address"],
        collectors: &[CollectorId::Nodes],
        emit: |view, out| {
            each_node(view, |node| {
                let Node { id, name, datacenter, pool, class, version, address, .. } = node;
                out.add(&[id, name, datacenter, pool, class, version, address], 1.0);
            });
        },
    },
    Family {
        name: "nomad_node_state",
        help: "1 for the current state of a node.",
        kind: Kind::Gauge,
        labels: &["node_id", "node", "state"],
        collectors: &[CollectorId::Nodes],
        emit: |view, out| {
            each_node(view, |node| out.add(&[&node.id, &node.name, node.state.as_str()], 1.0));
        },
    },
    Family {
        name: "nomad_node_allocations",
        help: "Number of non-terminal allocations on the node by client status.",
        kind: Kind::Gauge,
        labels: &["node_id", "node", "client_status"],
        collectors: &[CollectorId::Nodes, CollectorId::Allocations],
        emit: |view, out| {
            each_loaded_node(view, |node, load| {
                for (status, count) in load.by_status.shown().filter(|(status, _)| status.is_live()) {
                    out.add_count(&[&node.id, &node.name, status.as_str()], *count);
                }
            });
        },
    },
    Family {
        name: "nomad_node_allocatable_cpu_hertz",
        help: "CPU of the node that the scheduler can allocate: its total (NodeResources.Cpu.CpuShares) minus \
               client.reserved (ReservedResources.Cpu.CpuShares). Equals the second number for CPU under Allocated \
               Resources in the output of nomad node status.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes],
        emit: |view, out| of_node(view, out, |node| node.allocatable.cpu_hertz),
    },
    Family {
        name: "nomad_node_allocatable_memory_bytes",
        help: "Memory of the node that the scheduler can allocate: its total (NodeResources.Memory.MemoryMB) minus \
               client.reserved (ReservedResources.Memory.MemoryMB). Equals the second number for Memory under \
               Allocated Resources in the output of nomad node status.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes],
        emit: |view, out| of_node(view, out, |node| node.allocatable.memory_bytes),
    },
    Family {
        name: "nomad_node_allocatable_disk_bytes",
        help: "Disk space of the node that the scheduler can allocate: its total (NodeResources.Disk.DiskMB) minus \
               client.reserved (ReservedResources.Disk.DiskMB). Equals the second number for Disk under Allocated \
               Resources in the output of nomad node status.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes],
        emit: |view, out| of_node(view, out, |node| node.allocatable.disk_bytes),
    },
    Family {
        name: "nomad_node_allocated_cpu_hertz",
        help: "CPU allocated to non-terminal allocations on the node, calculated like the scheduler of Nomad 1.9.4 and \
               later. Includes allocations that are still stopping. The tasks of an allocation run in phases \
               (prestart, main, poststop), and only the phase with the largest sum is included. Nomad's own metric \
               client.allocated.cpu excludes stopping allocations. The command nomad node status counts only \
               running allocations and adds up all their tasks.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Allocations],
        emit: |view, out| allocated(view, out, |load| load.cpu_hertz),
    },
    Family {
        name: "nomad_node_allocated_memory_bytes",
        help: "Memory allocated to non-terminal allocations on the node. Counted as in \
               nomad_node_allocated_cpu_hertz; Nomad's own metric is client.allocated.memory.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Allocations],
        emit: |view, out| allocated(view, out, |load| load.memory_bytes),
    },
    Family {
        name: "nomad_node_allocated_memory_max_bytes",
        help: "Memory limit of non-terminal allocations on the node: memory_max of tasks with memory \
               oversubscription, and the allocated memory of other tasks. Nomad's own metric is \
               client.allocated.max_memory.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Allocations],
        emit: |view, out| allocated(view, out, |load| load.memory_max_bytes),
    },
    Family {
        name: "nomad_node_allocated_disk_bytes",
        help: "Disk space allocated to non-terminal allocations on the node. Counted as in \
               nomad_node_allocated_cpu_hertz; Nomad's own metric is client.allocated.disk.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Allocations],
        emit: |view, out| allocated(view, out, |load| load.disk_bytes),
    },
    Family {
        name: "nomad_node_driver_healthy",
        help: "1 if the detected task driver is healthy, 0 otherwise.",
        kind: Kind::Gauge,
        labels: &["node_id", "node", "driver"],
        collectors: &[CollectorId::Nodes],
        emit: |view, out| {
            each_node(view, |node| {
                for (driver, healthy) in &node.drivers {
                    out.add(&[&node.id, &node.name, driver], f64::from(*healthy));
                }
            });
        },
    },
];

fn nodes(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let mut groups: BTreeMap<[&str; 3], ByTerm<NodeState, u64>> = BTreeMap::new();
    each_node(view, |node| {
        groups.entry([&node.datacenter, &node.pool, &node.class]).or_default()[node.state] += 1;
    });
    for ([datacenter, pool, class], states) in &groups {
        for (state, count) in states.shown() {
            out.add_count(&[datacenter, pool, class, state.as_str()], *count);
        }
    }
}

/// Calls for every node, if nodes are known.
pub(super) fn each_node<'v>(view: &'v View<'_>, mut call: impl FnMut(&'v Node)) {
    view.sections().nodes.iter().flat_map(|nodes| nodes.iter()).for_each(&mut call);
}

/// Calls for every node with its allocations, if both are known, including those with an unknown status.
pub(super) fn each_loaded_node(view: &View<'_>, mut call: impl FnMut(&Node, &NodeLoad)) {
    let Some(loads) = &view.sections().node_loads else { return };
    let nothing = NodeLoad::default();
    each_node(view, |node| call(node, loads.by_node.get(&node.id).unwrap_or(&nothing)));
}

fn of_node(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&Node) -> Option<f64>) {
    each_node(view, |node| out.add_some(&[&node.id, &node.name], value(node)));
}

/// Emits a sum of allocated resources; absent if an allocation has no known resources.
fn allocated(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&NodeLoad) -> f64) {
    each_loaded_node(view, |node, load| {
        if load.unsized_count == 0 {
            out.add(&[&node.id, &node.name], value(load));
        }
    });
}

const _: () =
    assert!(ClientStatus::ALL.len() == 7, "a new client status needs a decision on whether it is live");
