//! Outcomes of dead jobs, by their allocations.

use std::collections::BTreeMap;

use serde_json::Value;

use super::count;
use crate::answers::{Answers, text, texts};
use crate::comparison::{Metric, metric};

pub(super) const METRICS: &[Metric] =
    &[metric("nomad_jobs_finished", &["namespace", "job_type", "outcome"], |view| {
        count(view.answers.work().filter(|job| text(job, "Status") == "dead"), |job| {
            let mut key = texts(job, &["Namespace", "Type"]);
            key.push(outcome(view.answers, job).to_owned());
            key
        })
    })
    .filled()];

/// From the worst to the best.
const ORDER: [&str; 7] = ["failed", "lost", "timeout", "preempted", "drained", "stopped", "complete"];

/// Returns the outcome of a dead job: the worst of its newest allocations.
pub(crate) fn outcome(answers: &Answers, job: &Value) -> &'static str {
    if job["Stop"] == true {
        return "stopped";
    }
    let outcomes: Vec<&str> = newest(answers, job).map(of_one).collect();
    ORDER.into_iter().find(|outcome| outcomes.contains(outcome)).unwrap_or("unknown")
}

/// Returns the newest allocation of each name, of the highest version.
fn newest<'a>(answers: &'a Answers, job: &Value) -> impl Iterator<Item = &'a Value> {
    let is_its = |row: &&Value| row["JobID"] == job["ID"] && row["Namespace"] == job["Namespace"];
    let all: Vec<&Value> = answers.allocations.iter().filter(is_its).collect();
    let version = all.iter().map(|row| row["JobVersion"].as_u64()).max().flatten();
    let mut newest: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
    for row in all.into_iter().filter(|row| row["JobVersion"].as_u64() == version) {
        // On each client, the allocations of a sysbatch job have the same name.
        let place = if text(job, "Type") == "sysbatch" { text(row, "NodeID") } else { "" };
        let known = newest.entry((text(row, "Name"), place)).or_insert(row);
        if row["CreateIndex"].as_u64() > known["CreateIndex"].as_u64() {
            *known = row;
        }
    }
    newest.into_values()
}

/// Returns the outcome of an allocation.
fn of_one(row: &Value) -> &'static str {
    let was_migrated = text(row, "DesiredDescription") == "alloc is being migrated";
    match (text(row, "ClientStatus"), text(row, "DesiredStatus")) {
        ("lost", _) => "lost",
        (_, "evict") => "preempted",
        (_, "stop") if was_migrated => "drained",
        ("failed", _) => "failed",
        _ if text(row, "ClientDescription").contains("exceeded max_run_duration") => "timeout",
        (_, "stop") => "stopped",
        _ => "complete",
    }
}
