//! Drains, and which node is safe to terminate.

use serde_json::Value;

use crate::answers::{Answers, is_terminal, seconds, text, texts};
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

/// How many allocations the drain waits for: those that live, and those that are over while one of their tasks runs.
pub(crate) fn remaining(answers: &Answers, node: &Value) -> f64 {
    let ignores_system = strategy(answers, node)["IgnoreSystemJobs"] == true;
    let remaining =
        occupying(answers, node).filter(|row| !(ignores_system && text(row, "JobType") == "system"));
    remaining.count() as f64
}

/// Allocations for which the client still has something to do. Of one that is down, the tasks say what they last did.
pub(crate) fn occupying<'a>(answers: &'a Answers, node: &'a Value) -> impl Iterator<Item = &'a Value> {
    let is_down = text(node, "Status") == "down";
    let on_it = answers.allocations.iter().filter(|row| row["NodeID"] == node["ID"]);
    on_it.filter(move |row| !is_terminal(row) || (has_running_task(row) && !is_down))
}

fn has_running_task(row: &Value) -> bool {
    let tasks = row["TaskStates"].as_object();
    tasks.is_some_and(|tasks| tasks.values().any(|task| task["State"] == "running"))
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
    (was_drained && is_out).then(|| occupying(answers, node).all(is_left))
}
