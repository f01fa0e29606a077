//! Metrics with selected metadata and attributes as labels.

use super::family::{Family, Kind};
use super::named::each_job;
use super::nodes::{NODE, each_node};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{Chosen, CollectorId, Node, NodeDetail, NodeDetails};

const OF_NODES: &[CollectorId] = &[CollectorId::Nodes, CollectorId::NodeDetails];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_job_meta_info",
        help: "Metadata of a long-lived job: a label meta_KEY for each key of --metrics.job-meta that the \
               job has. Absent without that flag, for jobs without any of the keys, and before Nomad 1.4.3.",
        kind: Kind::Info,
        labels: &["namespace", "job_id"],
        collectors: &[CollectorId::Jobs, CollectorId::FinishedJobs],
        emit: job_meta,
    },
    Family {
        name: "nomad_node_meta_info",
        help: "Metadata of the node: a label meta_KEY for each key of --metrics.node-meta that the node has. \
               Absent without that flag, and for nodes without any of the keys.",
        kind: Kind::Info,
        labels: NODE,
        collectors: OF_NODES,
        emit: |view, out| {
            each_detail(view, |node, detail, all| {
                add(out, &[&node.id, &node.name], &all.meta_labels, detail.meta.as_ref());
            });
        },
    },
    Family {
        name: "nomad_node_attribute_info",
        help: "Attributes of the node: a label attr_NAME for each name of --metrics.node-attributes that the \
               node has. Absent without that flag, and for nodes without any of the attributes.",
        kind: Kind::Info,
        labels: NODE,
        collectors: OF_NODES,
        emit: |view, out| {
            each_detail(view, |node, detail, all| {
                add(out, &[&node.id, &node.name], &all.attribute_labels, detail.attributes.as_ref());
            });
        },
    },
    Family {
        name: "nomad_node_max_allocations",
        help: "Maximum number of non-terminal allocations of the node: node_max_allocs in the client's configuration \
               (Nomad 1.10.2 and later). Absent if it is not set. Needs --metrics.node-meta or \
               --metrics.node-attributes, because Nomad's list of nodes does not contain it.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: OF_NODES,
        emit: |view, out| {
            each_detail(view, |node, detail, _| {
                let limit = detail.max_allocations.map(|limit| limit as f64);
                out.add_some(&[&node.id, &node.name], limit);
            });
        },
    },
];

fn job_meta(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let live = view.sections().jobs.as_ref().map(|jobs| &jobs.named);
    let dead = view.sections().finished_jobs.as_ref().map(|jobs| &jobs.named);
    // Both lists derive the names from the same keys; a list without any metadata has none.
    let names = live.into_iter().chain(dead).map(|named| &named.meta_labels).find(|names| !names.is_empty());
    let Some(names) = names else { return };
    each_job(view, |namespace, id, job| add(out, &[namespace, id], names, job.meta.as_deref()));
}

fn each_detail(view: &View<'_>, mut call: impl FnMut(&Node, &NodeDetail, &NodeDetails)) {
    let Some(all) = &view.sections().node_details else { return };
    each_node(view, |node| {
        if let Some(detail) = all.by_node.get(&node.id) {
            call(node, detail, all);
        }
    });
}

fn add(out: &mut Samples<'_, '_>, labels: &[&str], names: &[String], chosen: Option<&Chosen>) {
    let Some(chosen) = chosen else { return };
    let more = names.iter().map(String::as_str).zip(chosen.values.iter().map(|value| &**value));
    out.add_info(labels, more.filter(|(_, value)| !value.is_empty()), chosen.is_shortened);
}
