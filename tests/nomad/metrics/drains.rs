//! Drains, and which nodes are safe to terminate.

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

/// Returns the settings of a node's drain, from its detail response.
fn strategy<'a>(answers: &'a Answers, node: &Value) -> &'a Value {
    answers.node.get(text(node, "ID")).map_or(&Value::Null, |node| &node["DrainStrategy"])
}

/// Returns the number of remaining allocations: non-terminal ones, and terminal ones with a running task.
pub(crate) fn remaining(answers: &Answers, node: &Value) -> f64 {
    let ignores_system = strategy(answers, node)["IgnoreSystemJobs"] == true;
    let remaining =
        occupying(answers, node).filter(|row| !(ignores_system && text(row, "JobType") == "system"));
    remaining.count() as f64
}

/// Returns the allocations that still occupy a client. On a down client, task states are outdated.
pub(crate) fn occupying<'a>(answers: &'a Answers, node: &'a Value) -> impl Iterator<Item = &'a Value> {
    let is_down = text(node, "Status") == "down";
    let on_it = answers.allocations.iter().filter(|row| row["NodeID"] == node["ID"]);
    on_it.filter(move |row| !is_terminal(row) || (has_running_task(row) && !is_down))
}

fn has_running_task(row: &Value) -> bool {
    let tasks = row["TaskStates"].as_object();
    tasks.is_some_and(|tasks| tasks.values().any(|task| task["State"] == "running"))
}

/// Returns whether a node is safe to terminate. `None` without an active or completed drain.
pub(crate) fn is_drained(answers: &Answers, node: &Value) -> Option<bool> {
    if node["Drain"] == true {
        return Some(false);
    }
    let was_drained = node["LastDrain"]["Status"] == "complete";
    let is_out = text(node, "SchedulingEligibility") == "ineligible";
    // Allocations that the drain ignores may stay: those of system jobs that are not stopping.
    let is_left = |row: &Value| text(row, "JobType") == "system" && text(row, "DesiredStatus") == "run";
    (was_drained && is_out).then(|| occupying(answers, node).all(is_left))
}
