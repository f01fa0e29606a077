//! Families about drains.

use super::family::{Family, Kind};
use super::nodes::{NODE, each_node};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, Drain, Node};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_node_drain_started_timestamp_seconds",
        help: "When the drain of a draining node began.",
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
        help: "When the drain of a draining node stops whatever is left; absent where it waits without limit.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Drains],
        emit: |view, out| {
            each_drain(view, |node, drain| out.add_time(&[&node.id, &node.name], drain.deadline));
        },
    },
    Family {
        name: "nomad_node_drain_remaining_allocations",
        help: "Live allocations that the drain of a draining node waits for; system jobs only where it does not \
               ignore them.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Drains, CollectorId::Allocations],
        emit: remaining,
    },
    Family {
        name: "nomad_node_drained",
        help: "1: the drain is complete, the node takes no work and nothing that the drain waited for lives on it; \
               it is safe to terminate. 0: it drains, or allocations are still stopping. Absent otherwise.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: &[CollectorId::Nodes, CollectorId::Allocations],
        emit: drained,
    },
];

fn drain_of<'v>(view: &'v View<'_>, node: &Node) -> Option<&'v Drain> {
    view.sections().drains.as_ref()?.by_node.get(&node.id)
}

/// Calls for every draining node whose drain's terms are known.
fn each_drain(view: &View<'_>, mut call: impl FnMut(&Node, &Drain)) {
    each_node(view, |node| {
        if let (true, Some(drain)) = (node.draining, drain_of(view, node)) {
            call(node, drain);
        }
    });
}

fn remaining(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(allocations) = &view.sections().allocations else { return };
    each_drain(view, |node, drain| {
        out.add_count(&[&node.id, &node.name], drain.remaining(allocations.by_node.get(&node.id)));
    });
}

fn drained(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(allocations) = &view.sections().allocations else { return };
    each_node(view, |node| {
        out.add_some(&[&node.id, &node.name], node.is_drained(allocations).map(f64::from));
    });
}
