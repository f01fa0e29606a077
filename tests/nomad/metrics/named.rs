//! Jobs that have series of their own.

use serde_json::Value;

use super::backlog::queued_groups;
use crate::answers::{number, text, texts};
use crate::comparison::{Metric, Numbers, View, metric};

const GROUP: &[&str] = &["namespace", "job_id", "task_group", "status"];

pub(super) const METRICS: &[Metric] = &[
    metric("nomad_job_info", &["namespace", "job_id", "job_type", "node_pool", "priority"], |view| {
        let key = |job: &Value| {
            let mut key = texts(job, &["Namespace", "ID", "Type", "NodePool"]);
            key.push(job["Priority"].to_string());
            key
        };
        named(view).map(|job| (key(job), 1.0)).collect()
    }),
    metric("nomad_job_status", &["namespace", "job_id", "status"], |view| {
        named(view).map(|job| (texts(job, &["Namespace", "ID", "Status"]), 1.0)).collect()
    }),
    metric("nomad_job_allocations", GROUP, allocations).filled(),
    metric("nomad_job_allocations_ended", GROUP, ended).filled(),
];

/// Whether a job is of the chosen types. A build that is over has no series of its own.
pub(super) fn has_series(view: &View<'_>, job: &Value) -> bool {
    let is_over = text(job, "Status") == "dead" && matches!(text(job, "Type"), "batch" | "sysbatch");
    view.job_types.contains(&text(job, "Type")) && !(is_over && text(job, "ParentID").is_empty())
}

/// Jobs of the chosen types; children are part of their parent.
pub(super) fn named<'a>(view: &'a View<'_>) -> impl Iterator<Item = &'a Value> {
    view.answers.jobs.iter().filter(|job| text(job, "ParentID").is_empty() && has_series(view, job))
}

/// The job that a job is shown as.
pub(super) fn shown_as(job: &Value) -> [String; 2] {
    let parent = text(job, "ParentID");
    [text(job, "Namespace"), if parent.is_empty() { text(job, "ID") } else { parent }].map(str::to_owned)
}

fn allocations(view: &View<'_>) -> Numbers {
    let mut counts = Numbers::new();
    let live_jobs =
        view.answers.jobs.iter().filter(|job| text(job, "Status") != "dead" && has_series(view, job));
    for job in live_jobs {
        let [namespace, id] = shown_as(job);
        let mut add = |group: &str, status: &str, value: f64| {
            let key = [namespace.as_str(), &id, group, status].map(str::to_owned).into();
            *counts.entry(key).or_insert(0.0) += value;
        };
        for (group, queued) in queued_groups(view.answers, job) {
            add(&group, "queued", queued);
        }
        let is_its = |row: &&Value| row["JobID"] == job["ID"] && row["Namespace"] == job["Namespace"];
        for allocation in view.answers.live().filter(is_its) {
            let status = text(allocation, "ClientStatus");
            add(text(allocation, "TaskGroup"), if status == "pending" { "starting" } else { status }, 1.0);
        }
    }
    counts
}

fn ended(view: &View<'_>) -> Numbers {
    let mut counts = Numbers::new();
    for job in view.answers.jobs.iter().filter(|job| has_series(view, job)) {
        let [namespace, id] = shown_as(job);
        for (group, summary) in job["JobSummary"]["Summary"].as_object().into_iter().flatten() {
            for key in ["Complete", "Failed", "Lost"] {
                let labels = [&namespace, &id, group, &key.to_lowercase()].map(String::clone).into();
                *counts.entry(labels).or_insert(0.0) += number(&summary[key]);
            }
        }
    }
    counts
}
