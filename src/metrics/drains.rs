//! Metrics of drains.

use super::family::{Family, Kind};
use super::nodes::{NODE, each_node};
use super::view::View;
use crate::snapshot::{CollectorId, Drain, DrainState, Node};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_node_drain_started_timestamp_seconds",
        help: "Unix time at which the drain of a draining node started.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Drains],
        emit: |view, out| {
            each_node(view, |node| {
                if node.draining {
                    let of_terms = drain_of(view, node).and_then(|drain| drain.started);
                    let of_list = || node.last_drain.and_then(|drain| drain.started);
                    out.add_time(&[&node.id, &node.name], of_terms.or_else(of_list));
                }
            });
        },
    },
    Family {
        name: "nomad_node_drain_deadline_timestamp_seconds",
        help: "Unix time of the deadline at which Nomad stops the remaining allocations of a draining node. Absent if \
               the drain has no deadline.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Drains],
        emit: |view, out| {
            each_drain(view, |node, drain| out.add_time(&[&node.id, &node.name], drain.deadline));
        },
    },
    Family {
        name: "nomad_node_drain_remaining_allocations",
        help: "Number of allocations that the drain of a draining node waits for. Includes allocations that \
               have a terminal status but still have a running task. Excludes allocations of system jobs if the \
               drain ignores them.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: DRAINS,
        emit: |view, out| {
            for drain in drains(view).filter(|drain| drain.node.draining) {
                out.add_some(&[&drain.node.id, &drain.node.name], drain.remaining.map(|count| count as f64));
            }
        },
    },
    Family {
        name: "nomad_node_drained",
        help: "1 if the node is safe to terminate: its drain is complete, the node is ineligible, and no task that \
               the drain waited for runs on it, regardless of the status of its allocations. 0 if it is draining or \
               tasks are still running. Absent otherwise.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: DRAINS,
        emit: |view, out| {
            for drain in drains(view) {
                out.add_some(&[&drain.node.id, &drain.node.name], drain.drained.map(f64::from));
            }
        },
    },
];

/// Collectors for whether a node is drained.
const DRAINS: &[CollectorId] = &[CollectorId::Nodes, CollectorId::Allocations, CollectorId::Drains];

fn drains<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v DrainState> {
    view.joins().drains.iter().flat_map(|drains| drains.iter())
}

fn drain_of<'v>(view: &'v View<'_>, node: &Node) -> Option<&'v Drain> {
    view.sections().drains.as_ref()?.by_node.get(&node.id)
}

/// Calls for every draining node with known drain settings.
fn each_drain(view: &View<'_>, mut call: impl FnMut(&Node, &Drain)) {
    each_node(view, |node| {
        if let (true, Some(drain)) = (node.draining, drain_of(view, node)) {
            call(node, drain);
        }
    });
}
