//! Drains, and which node is safe to terminate.

use serde_json::Value;

use crate::answers::{Answers, seconds, text, texts};
use crate::comparison::{Metric, Numbers, View, metric};

const NODE: &[&str] = &["node_id", "node"];

pub(super) const METRICS: &[Metric] = &[
    metric("nomad_node_drain_started_timestamp_seconds", NODE, |view| {
        draining(view, |node| seconds(&strategy(view.answers, node)["StartedAt"]))
    }),
    metric("nomad_node_drain_deadline_timestamp_seconds", NODE, |view| {
        draining(view, |node| seconds(&strategy(view.answers, node)["ForceDeadline"]))
    }),
    metric("nomad_node_drain_remaining_allocations", NODE, |view| {
        draining(view, |node| Some(remaining(view.answers, node)))
    }),
    metric("nomad_node_drained", NODE, |view| {
        let drained =
            |node: &Value| Some((texts(node, &["ID", "Name"]), f64::from(is_drained(view.answers, node)?)));
        view.answers.nodes.iter().filter_map(drained).collect()
    }),
];

fn draining(view: &View<'_>, value: impl Fn(&Value) -> Option<f64>) -> Numbers {
    let draining = view.answers.nodes.iter().filter(|node| node["Drain"] == true);
    draining.filter_map(|node| Some((texts(node, &["ID", "Name"]), value(node)?))).collect()
}

/// The terms of a node's drain, which it alone tells.
fn strategy<'a>(answers: &'a Answers, node: &Value) -> &'a Value {
    answers.node.get(text(node, "ID")).map_or(&Value::Null, |node| &node["DrainStrategy"])
}

/// How many allocations the drain waits for.
pub(crate) fn remaining(answers: &Answers, node: &Value) -> f64 {
    let ignores_system = strategy(answers, node)["IgnoreSystemJobs"] == true;
    let remaining = answers.live_on(node).filter(|row| !(ignores_system && text(row, "JobType") == "system"));
    remaining.count() as f64
}

/// Whether a node is safe to terminate. `None` where no drain is on or behind it.
pub(crate) fn is_drained(answers: &Answers, node: &Value) -> Option<bool> {
    if node["Drain"] == true {
        return Some(false);
    }
    let was_drained = node["LastDrain"]["Status"] == "complete";
    let is_out = text(node, "SchedulingEligibility") == "ineligible";
    // What a drain was told to leave may stay: jobs of the system that nobody told to stop.
    let is_left = |row: &Value| text(row, "JobType") == "system" && text(row, "DesiredStatus") == "run";
    (was_drained && is_out).then(|| answers.live_on(node).all(is_left))
}
