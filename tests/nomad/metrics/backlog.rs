//! What is queued, what it asks for, and why it waits.

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use serde_json::Value;

use super::{MHZ, MIB, count, earliest, sum};
use crate::answers::{Answers, number, seconds, text, texts};
use crate::comparison::{Metric, Numbers, View, metric};

pub(super) const METRICS: &[Metric] = &[
    metric("nomad_queued_allocations", &["namespace", "job_type", "node_pool"], |view| {
        sum(waiting(view.answers), |job| {
            (texts(job, &["Namespace", "Type", "NodePool"]), queued_of(view.answers, job))
        })
    })
    .filled(),
    metric("nomad_queued_cpu_hertz", &["namespace", "node_pool"], |view| {
        asked(view, |group| phases(group, |task| number(&task["Resources"]["CPU"])) * MHZ)
    })
    .filled(),
    metric("nomad_queued_memory_bytes", &["namespace", "node_pool"], |view| {
        asked(view, |group| phases(group, |task| number(&task["Resources"]["MemoryMB"])) * MIB)
    })
    .filled(),
    metric("nomad_queued_disk_bytes", &["namespace", "node_pool"], |view| {
        asked(view, |group| number(&group["EphemeralDisk"]["SizeMB"]) * MIB)
    })
    .filled(),
    metric("nomad_queued_cores", &["namespace", "node_pool"], |view| {
        asked(view, |group| {
            let tasks = group["Tasks"].as_array().into_iter().flatten();
            tasks.map(|task| number(&task["Resources"]["Cores"])).sum()
        })
    })
    .filled(),
    metric("nomad_queued_devices", &["namespace", "node_pool", "vendor", "type", "model"], |view| {
        // The one device that a job of the tests requests is of a type, and has no other name.
        let gpus = asked(view, |group| {
            let tasks = group["Tasks"].as_array().into_iter().flatten();
            let devices =
                tasks.flat_map(|task| task["Resources"]["Devices"].as_array().into_iter().flatten());
            devices.map(|device| number(&device["Count"])).sum()
        });
        let with_names = |mut key: Vec<String>| {
            key.extend(["", "gpu", ""].map(str::to_owned));
            key
        };
        gpus.into_iter()
            .filter(|(_, count)| *count > 0.0)
            .map(|(key, count)| (with_names(key), count))
            .collect()
    }),
    metric("nomad_queued_allocations_unsized", &["namespace"], |view| {
        let mut unsized_by_namespace = Numbers::new();
        for job in waiting(view.answers) {
            for (name, queued) in queued_groups(view.answers, job) {
                let is_sized = group(view.answers, job, &name).is_some_and(|group| !asks_for_cores(group));
                let unsized_instances = if is_sized { 0.0 } else { queued };
                *unsized_by_namespace.entry(texts(job, &["Namespace"])).or_insert(0.0) += unsized_instances;
            }
        }
        unsized_by_namespace
    })
    .filled(),
    metric("nomad_blocked_evaluations", &["namespace", "job_type"], |view| {
        count(of_status(view.answers, "blocked"), |row| texts(row, &["Namespace", "Type"]))
    })
    .filled(),
    metric("nomad_blocked_evaluations_oldest_timestamp_seconds", &["namespace", "job_type"], |view| {
        earliest(of_status(view.answers, "blocked"), "CreateTime", |row| texts(row, &["Namespace", "Type"]))
    }),
    metric("nomad_blocked_evaluations_by_reason", &["namespace", "reason"], |view| {
        let mut counts = Numbers::new();
        for row in of_status(view.answers, "blocked") {
            for reason in reasons(row) {
                *counts.entry(vec![text(row, "Namespace").to_owned(), reason.to_owned()]).or_insert(0.0) +=
                    1.0;
            }
        }
        counts
    })
    .filled(),
    metric("nomad_pending_evaluations", &["namespace", "job_type"], |view| {
        let ready = of_status(view.answers, "pending").filter(|row| !is_delayed(view.answers, row));
        count(ready, |row| texts(row, &["Namespace", "Type"]))
    })
    .filled(),
    metric("nomad_delayed_evaluations", &["namespace", "job_type"], |view| {
        let delayed = of_status(view.answers, "pending").filter(|row| is_delayed(view.answers, row));
        count(delayed, |row| texts(row, &["Namespace", "Type"]))
    })
    .filled(),
];

/// What is placed, or is to be placed, is no job that is dead.
fn waiting(answers: &Answers) -> impl Iterator<Item = &Value> {
    answers.jobs.iter().filter(|job| text(job, "Status") != "dead")
}

/// How many instances of a job are queued.
pub(crate) fn queued_of(answers: &Answers, job: &Value) -> f64 {
    queued_groups(answers, job).into_iter().map(|(_, queued)| queued).sum()
}

/// How many instances of each group are queued: those that the job's summary counts, if a scheduler is to place them
/// and the job still has the group.
pub(super) fn queued_groups(answers: &Answers, job: &Value) -> Vec<(String, f64)> {
    let groups = job["JobSummary"]["Summary"].as_object();
    let is_waiting = |row: &&Value| is_of(row, job) && !is_delayed(answers, row);
    let waits =
        of_status(answers, "blocked").chain(of_status(answers, "pending")).any(|row| is_waiting(&row));
    let queued = |name: &str, summary: &Value| match waits && group(answers, job, name).is_some() {
        true => number(&summary["Queued"]).max(0.0),
        false => 0.0,
    };
    groups.into_iter().flatten().map(|(name, summary)| (name.clone(), queued(name, summary))).collect()
}

/// Whether an evaluation is about a job.
pub(super) fn is_of(evaluation: &Value, job: &Value) -> bool {
    evaluation["JobID"] == job["ID"] && evaluation["Namespace"] == job["Namespace"]
}

/// Whether no scheduler is to look at a pending evaluation before some later time.
pub(super) fn is_delayed(answers: &Answers, evaluation: &Value) -> bool {
    let until = seconds(&evaluation["WaitUntil"]);
    let now = answers.taken.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    text(evaluation, "Status") == "pending" && until.is_some_and(|until| until > now)
}

/// Since when a pending job waits: its submission, or if it ran before, its oldest evaluation that is not over.
pub(crate) fn waits_since(answers: &Answers, job: &Value) -> f64 {
    let groups = job["JobSummary"]["Summary"].as_object();
    let ended = |group: &Value| ["Complete", "Failed", "Lost"].iter().any(|key| number(&group[*key]) > 0.0);
    let ran_before = groups.is_some_and(|groups| groups.values().any(ended));
    let open =
        of_status(answers, "blocked").chain(of_status(answers, "pending")).filter(|row| is_of(row, job));
    let oldest = open.map(|row| number(&row["CreateTime"])).reduce(f64::min);
    oldest.filter(|_| ran_before).unwrap_or_else(|| number(&job["SubmitTime"])) / 1e9
}

/// A group of a job's current specification.
pub(super) fn group<'a>(answers: &'a Answers, job: &Value, name: &str) -> Option<&'a Value> {
    let key = (text(job, "Namespace").to_owned(), text(job, "ID").to_owned());
    let groups = answers.specifications.get(&key)?["TaskGroups"].as_array()?;
    groups.iter().find(|group| text(group, "Name") == name)
}

pub(super) fn asks_for_cores(group: &Value) -> bool {
    group["Tasks"].as_array().into_iter().flatten().any(|task| number(&task["Resources"]["Cores"]) > 0.0)
}

/// What all queued instances ask for.
fn asked(view: &View<'_>, of_one: impl Fn(&Value) -> f64) -> Numbers {
    let mut asked = Numbers::new();
    for job in waiting(view.answers) {
        for (name, queued) in queued_groups(view.answers, job) {
            let of_one = group(view.answers, job, &name).map_or(0.0, &of_one);
            *asked.entry(texts(job, &["Namespace", "NodePool"])).or_insert(0.0) += of_one * queued;
        }
    }
    asked
}

/// The largest of what the tasks before, beside and after the main ones need at once.
pub(super) fn phases(group: &Value, need: impl Fn(&Value) -> f64) -> f64 {
    let sum_of = |phases: &[&str]| -> f64 {
        let tasks = group["Tasks"].as_array().into_iter().flatten();
        tasks.filter(|task| phases.contains(&phase(&task["Lifecycle"]))).map(&need).sum()
    };
    let during = sum_of(&["main", "poststart", "sidecar"]);
    during.max(sum_of(&["prestart", "sidecar"])).max(sum_of(&["poststop"]))
}

/// When a task runs.
pub(super) fn phase(lifecycle: &Value) -> &str {
    match lifecycle["Hook"].as_str() {
        None | Some("") => "main",
        Some("prestart") if lifecycle["Sidecar"] == true => "sidecar",
        Some(hook) => hook,
    }
}

pub(super) fn of_status<'a>(answers: &'a Answers, status: &'a str) -> impl Iterator<Item = &'a Value> {
    answers.evaluations.iter().filter(move |row| text(row, "Status") == status)
}

/// Why a job waits: the first of these that its blocked evaluation tells, or that nobody has looked at it yet.
pub(crate) fn reason_of(answers: &Answers, job: &Value) -> &'static str {
    const ORDER: [&str; 11] = [
        "quota",
        "no_nodes",
        "device",
        "cores",
        "memory",
        "cpu",
        "disk",
        "volume",
        "network",
        "constraint",
        "other",
    ];
    let told: BTreeSet<&str> =
        of_status(answers, "blocked").filter(|row| is_of(row, job)).flat_map(reasons).collect();
    let pending: Vec<&Value> = of_status(answers, "pending").filter(|row| is_of(row, job)).collect();
    match ORDER.into_iter().find(|reason| told.contains(reason)) {
        Some(reason) => reason,
        None if pending.iter().any(|row| !is_delayed(answers, row)) => "scheduling",
        None if !pending.is_empty() => "delayed",
        None => "other",
    }
}

/// Every reason that a blocked evaluation tells, of those that the tests make.
fn reasons(evaluation: &Value) -> BTreeSet<&'static str> {
    let mut reasons = BTreeSet::new();
    for failure in evaluation["FailedTGAllocs"].as_object().into_iter().flat_map(|groups| groups.values()) {
        let keys = |name: &str| failure[name].as_object().into_iter().flat_map(|map| map.keys()).cloned();
        reasons.extend(keys("DimensionExhausted").map(
            |text| match text.split(':').next().unwrap_or_default() {
                "cpu" => "cpu",
                "memory" => "memory",
                "disk" => "disk",
                "cores" => "cores",
                "network" | "reserved port collision http=27999" => "network",
                "devices" => "device",
                _ => "other",
            },
        ));
        reasons.extend(keys("ConstraintFiltered").map(|text| match text.as_str() {
            "missing devices" => "device",
            "missing compatible host volumes" => "volume",
            _ => "constraint",
        }));
        if number(&failure["NodesEvaluated"]) == 0.0 {
            reasons.insert("no_nodes");
        }
    }
    if reasons.is_empty() {
        reasons.insert("other");
    }
    reasons
}
