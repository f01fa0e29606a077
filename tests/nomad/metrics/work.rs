//! Failures, desired counts, hanging and unplaceable allocations.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use serde_json::Value;

use super::backlog::{asks_for_cores, group, is_delayed, is_of, of_status, phases, queued_groups};
use super::named::{has_series, named, shown_as};
use super::nodes::{allocatable, allocated_to_system_jobs};
use super::{MHZ, MIB, count, earliest, outcome};
use crate::answers::{Answers, is_template, is_terminal, number, text, texts};
use crate::comparison::{Metric, Numbers, View, metric};

const NAMESPACE_TYPE: &[&str] = &["Namespace", "JobType"];
const LABELS: &[&str] = &["namespace", "job_type"];

pub(super) const METRICS: &[Metric] = &[
    metric("nomad_failed_allocations", &["namespace", "job_type", "cause"], |view| failed(view.answers))
        .filled(),
    metric("nomad_job_stopped", &["namespace", "job_id"], |view| {
        named(view).map(|job| (texts(job, &["Namespace", "ID"]), f64::from(job["Stop"] == true))).collect()
    }),
    metric("nomad_job_allocations_desired", &["namespace", "job_id", "task_group"], desired),
    metric("nomad_starting_allocations_oldest_timestamp_seconds", LABELS, |view| {
        earliest(starting(view.answers), "CreateTime", |row| texts(row, NAMESPACE_TYPE))
    }),
    metric("nomad_node_starting_allocations_oldest_timestamp_seconds", &["node_id", "node"], |view| {
        earliest(starting(view.answers), "CreateTime", |row| texts(row, &["NodeID", "NodeName"]))
    }),
    metric("nomad_stopping_allocations", LABELS, |view| {
        let told = view.answers.live().filter(|row| text(row, "DesiredStatus") != "run");
        count(told, |row| texts(row, NAMESPACE_TYPE))
    })
    .filled(),
    metric("nomad_running_allocations_age_seconds_count", LABELS, |view| {
        count(running(view.answers), |row| texts(row, NAMESPACE_TYPE))
    })
    .filled(),
    metric("nomad_running_allocations_age_seconds_bucket", &["namespace", "job_type", "le"], ages)
        .filled()
        .between(),
    metric("nomad_running_job_start_timestamp_seconds", &["namespace", "job_id"], |view| {
        let builds = running(view.answers).filter(|row| matches!(text(row, "JobType"), "batch" | "sysbatch"));
        let all = earliest(builds, "CreateTime", |row| texts(row, &["Namespace", "JobID"]));
        let mut oldest: Vec<_> = all.into_iter().collect();
        oldest.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        oldest.truncate(20);
        oldest.into_iter().collect()
    }),
    metric("nomad_pending_evaluations_oldest_timestamp_seconds", LABELS, |view| {
        let ready = of_status(view.answers, "pending").filter(|row| !is_delayed(view.answers, row));
        earliest(ready, "CreateTime", |row| texts(row, &["Namespace", "Type"]))
    }),
    metric("nomad_queued_allocations_unplaceable", &["namespace", "node_pool", "reason"], unplaceable)
        .filled(),
    metric("nomad_periodic_job_last_success_timestamp_seconds", &["namespace", "job_id"], |view| {
        let mut last = Numbers::new();
        let answers = view.answers;
        for job in answers.jobs.iter().filter(|job| text(job, "ID").contains("/periodic-")) {
            // Nomad 1.4 reports a dead job as pending again when the client of its allocation is gone.
            let its: Vec<&Value> = answers.allocations.iter().filter(|row| is_of(row, job)).collect();
            let is_over = !its.is_empty() && its.iter().all(|row| is_terminal(row));
            if is_over && outcome(answers, job) == "complete" {
                let ended =
                    its.iter().map(|row| (number(&row["ModifyTime"]) / 1e9).floor()).fold(0.0, f64::max);
                let known = last.entry(texts(job, &["Namespace", "ParentID"])).or_insert(ended);
                *known = known.max(ended);
            }
        }
        last
    }),
];

/// Returns failed allocations by namespace, type and cause: the last event of a failed task with a cause.
fn failed(answers: &Answers) -> Numbers {
    by_cause(answers, |row| {
        let was_killed = text(row, "DesiredStatus") == "evict"
            || text(row, "DesiredStatus") == "stop"
                && text(row, "DesiredDescription") == "alloc is being migrated";
        text(row, "ClientStatus") == "failed" && !was_killed
    })
}

/// Returns the minimum and maximum number of failed allocations: those that are failed, and those with
/// another status since, because their client was lost or drained.
pub(crate) fn ever_failed(answers: &Answers) -> (Numbers, Numbers) {
    let has_failed = |row: &Value| {
        let mut tasks = row["TaskStates"].as_object().into_iter().flat_map(|tasks| tasks.values());
        text(row, "ClientStatus") == "failed" || tasks.any(|task| task["Failed"] == true)
    };
    (failed(answers), by_cause(answers, has_failed))
}

fn by_cause(answers: &Answers, is_failure: impl Fn(&Value) -> bool) -> Numbers {
    count(answers.allocations.iter().filter(|row| is_failure(row)), |row| {
        let mut key = texts(row, NAMESPACE_TYPE);
        key.push(cause(row).to_owned());
        key
    })
}

fn cause(allocation: &Value) -> &'static str {
    let tasks = allocation["TaskStates"].as_object().into_iter().flat_map(|tasks| tasks.values());
    let failed = tasks.filter(|task| task["Failed"] == true);
    let events = failed.flat_map(|task| task["Events"].as_array().into_iter().flatten());
    let told = events.filter_map(|event| {
        let detail = |name: &str| event["Details"][name].as_str().unwrap_or_default();
        let cause = match text(event, "Type") {
            "Terminated" if detail("oom_killed") == "true" => "oom",
            "Terminated" if detail("signal") != "0" => "signal",
            "Terminated" => "exit",
            "Driver Failure" => "driver",
            "Failed Artifact Download" => "artifact",
            "Failed Validation" => "validation",
            "Setup Failure" | "Task hook failed" => "setup",
            "Killing" if detail("fails_task") == "true" => "setup",
            _ => return None,
        };
        Some((event["Time"].as_i64(), cause))
    });
    told.max_by_key(|(time, _)| *time).map_or("other", |(_, cause)| cause)
}

fn desired(view: &View<'_>) -> Numbers {
    let mut desired = Numbers::new();
    for job in view.answers.jobs.iter().filter(|job| has_series(view, job)) {
        let is_child = !text(job, "ParentID").is_empty();
        if matches!(text(job, "Type"), "system" | "sysbatch") || is_child && text(job, "Status") == "dead" {
            continue;
        }
        let key = (text(job, "Namespace").to_owned(), text(job, "ID").to_owned());
        let groups = view.answers.specifications.get(&key).map(|job| &job["TaskGroups"]);
        for group in groups.and_then(Value::as_array).into_iter().flatten() {
            let [namespace, id] = shown_as(job);
            let wanted = if is_template(job) { 0.0 } else { number(&group["Count"]) };
            *desired.entry(vec![namespace, id, text(group, "Name").to_owned()]).or_insert(0.0) += wanted;
        }
    }
    desired
}

fn starting(answers: &Answers) -> impl Iterator<Item = &Value> {
    let live = answers.live();
    live.filter(|row| text(row, "ClientStatus") == "pending" && text(row, "DesiredStatus") == "run")
}

fn running(answers: &Answers) -> impl Iterator<Item = &Value> {
    answers.live().filter(|row| text(row, "ClientStatus") == "running")
}

/// Returns cumulative counts by age.
fn ages(view: &View<'_>) -> Numbers {
    let mut ages = Numbers::new();
    let now = view.answers.taken.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    for row in running(view.answers) {
        let age = now - number(&row["CreateTime"]) / 1e9;
        for bound in [60, 300, 900, 1800, 3600, 7200, 18000, 43200, 86400] {
            let mut key = texts(row, NAMESPACE_TYPE);
            key.push(format!("{bound}.0"));
            *ages.entry(key).or_insert(0.0) += f64::from(age <= f64::from(bound));
        }
        let mut key = texts(row, NAMESPACE_TYPE);
        key.push("+Inf".to_owned());
        *ages.entry(key).or_insert(0.0) += 1.0;
    }
    ages
}

/// Queued allocations that are too large for every client of their pool that is not down, beside its system
/// jobs, or that constraints exclude from all of them.
fn unplaceable(view: &View<'_>) -> Numbers {
    let answers = view.answers;
    let mut counts = Numbers::new();
    for job in answers.jobs.iter().filter(|job| text(job, "Status") != "dead") {
        let pool = text(job, "NodePool");
        for (name, queued) in queued_groups(answers, job) {
            let Some(group) = group(answers, job, &name) else { continue };
            let reason = if is_kept_off(answers, job, &name) {
                "constraint"
            } else if is_too_large(answers, pool, group) {
                "size"
            } else {
                continue;
            };
            let key = vec![text(job, "Namespace").to_owned(), pool.to_owned(), reason.to_owned()];
            *counts.entry(key).or_insert(0.0) += queued;
        }
    }
    counts
}

fn is_kept_off(answers: &Answers, job: &Value, group: &str) -> bool {
    of_status(answers, "blocked").filter(|row| is_of(row, job)).any(|row| {
        let failure = &row["FailedTGAllocs"][group];
        let filtered = failure["ConstraintFiltered"].as_object().into_iter().flat_map(|map| map.keys());
        let passes = filtered.clone().any(|text| text.starts_with("distinct_") || text.starts_with("CSI "));
        let evaluated = number(&failure["NodesEvaluated"]);
        evaluated > 0.0 && number(&failure["NodesFiltered"]) >= evaluated && !passes
    })
}

fn is_too_large(answers: &Answers, pool: &str, group: &Value) -> bool {
    let of_pool = answers.nodes.iter().filter(|node| text(node, "Status") != "down");
    let mut of_pool = of_pool.filter(|node| pool == "all" || text(node, "NodePool") == pool).peekable();
    let cpu = phases(group, |task| number(&task["Resources"]["CPU"])) * MHZ;
    let memory = phases(group, |task| number(&task["Resources"]["MemoryMB"])) * MIB;
    let disk = number(&group["EphemeralDisk"]["SizeMB"]) * MIB;
    of_pool.peek().is_some()
        && !asks_for_cores(group)
        && of_pool.all(|node| {
            let (has, system) = (allocatable(node), allocated_to_system_jobs(answers, node));
            has.cpu - system.cpu < cpu || has.memory - system.memory < memory || has.disk - system.disk < disk
        })
}

/// Returns the number of task restarts, by namespace and type.
pub(crate) fn restarts(answers: &Answers) -> BTreeMap<(String, String), f64> {
    let mut sums = BTreeMap::new();
    for row in &answers.allocations {
        let tasks = row["TaskStates"].as_object().into_iter().flat_map(|tasks| tasks.values());
        let restarts: f64 = tasks.map(|task| number(&task["Restarts"])).sum();
        if restarts > 0.0 {
            let key = (text(row, "Namespace").to_owned(), text(row, "JobType").to_owned());
            *sums.entry(key).or_default() += restarts;
        }
    }
    sums
}
