//! What an exporter counted that ran from the beginning.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::answers::{Answers, is_template, is_terminal, text};
use crate::comparison::Numbers;
use crate::exposition::Exposition;
use crate::metrics::{ever_failed, restarts};
use crate::report::Report;

/// Counts by namespace and job type.
type Counts = BTreeMap<(String, String), f64>;

/// Compares how many jobs it saw placed with how many were. Nothing was purged.
pub(crate) fn compare_placements(
    report: &mut Report,
    mut ask: impl FnMut() -> Answers,
    mut show: impl FnMut() -> String,
) {
    let name = "nomad_job_placement_delay_seconds_count";
    report.steady(name, || placed(&ask()), || counts(&show(), name));
}

/// Compares how many jobs it saw finish with how many did. Nomad may call a job dead for a moment that is to be placed
/// again, and a dead one pending for a moment when a client on which it ran is gone: no job ends twice by that.
pub(crate) fn compare_completions(report: &mut Report, answers: &Answers, shown: &str) {
    let found = counts(shown, "nomad_job_completions_total");
    let mut expected: BTreeMap<(String, String), (f64, f64)> = BTreeMap::new();
    for job in answers.work() {
        let (least, most) = expected.entry(key(job)).or_default();
        let ends = ends(answers, job);
        *least += ends.0;
        *most += ends.1;
    }
    for (key, (least, most)) in expected {
        let found = found.get(&key).copied().unwrap_or_default();
        let what = format!("nomad_job_completions_total of {key:?} is {found}, not {least} to {most}");
        report.holds(&what, found >= least && found <= most);
    }
}

/// Compares how many allocations it saw fail and how often tasks were restarted with what Nomad tells of all of them.
/// Nothing was collected.
pub(crate) fn compare_failures(
    report: &mut Report,
    mut ask: impl FnMut() -> Answers,
    mut show: impl FnMut() -> String,
) {
    let name = "nomad_allocation_failures_total";
    let by_cause = |shown: &str| {
        let mut counts = Numbers::new();
        for sample in Exposition::parse(shown).find(name, &[]).filter(|sample| sample.value != 0.0) {
            let key = ["namespace", "job_type", "cause"].map(|label| sample.labels[label].clone());
            counts.insert(key.into(), sample.value);
        }
        counts
    };
    let found = by_cause(&show());
    let (least, most) = ever_failed(&ask());
    for key in most.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let of = |numbers: &Numbers| numbers.get(key).copied().unwrap_or_default();
        let (least, found, most) = (of(&least), of(&found), of(&most));
        let what = format!("{name} of {key:?} is {found}, not {least} to {most}");
        report.holds(&what, found >= least && found <= most);
    }
    let name = "nomad_task_restarts_total";
    report.steady(name, || restarts(&ask()), || counts(&show(), name));
    // Services alone have series of their own while they are dead.
    let name = "nomad_job_task_restarts_total";
    let of_services = |counts: Counts| -> f64 {
        counts.into_iter().filter(|((_, job_type), _)| job_type == "service").map(|(_, count)| count).sum()
    };
    let of_jobs = |answers: &Answers, shown: &str| -> f64 {
        let shown = Exposition::parse(shown);
        let services = answers.jobs.iter().filter(|job| text(job, "Type") == "service");
        let of_job = |job: &Value| {
            let labels = [("namespace", text(job, "Namespace")), ("job_id", text(job, "ID"))];
            shown.find(name, &labels).map(|sample| sample.value).sum::<f64>()
        };
        services.map(of_job).sum()
    };
    let answers = ask();
    report.steady(name, || of_services(restarts(&ask())), || of_jobs(&answers, &show()));
}

/// How often a job ended, at least and at most.
fn ends(answers: &Answers, job: &Value) -> (f64, f64) {
    // It was registered again after its first end.
    let before = if text(job, "ID") == "nightly-run" { 1.0 } else { 0.0 };
    let is_its = |row: &&Value| row["JobID"] == job["ID"] && row["Namespace"] == job["Namespace"];
    let ended: Vec<&Value> =
        answers.allocations.iter().filter(is_its).filter(|row| is_terminal(row)).collect();
    // Each time that its work was placed again, it may have been dead before. On each client, the allocations of a
    // sysbatch job have the same name.
    let place =
        |row: &Value| if text(job, "Type") == "sysbatch" { row["NodeID"].to_string() } else { String::new() };
    let names: BTreeSet<_> =
        ended.iter().map(|row| (text(row, "Name"), row["JobVersion"].as_u64(), place(row))).collect();
    let again = (ended.len() - names.len()) as f64;
    match text(job, "Status") {
        "dead" => (before + 1.0, before + 1.0 + again),
        _ if !ended.is_empty() => (before, before + 1.0 + again),
        _ => (before, before),
    }
}

/// What a counter shows, summed over its other labels.
fn counts(shown: &str, name: &str) -> Counts {
    let mut counts = Counts::new();
    for sample in Exposition::parse(shown).find(name, &[]).filter(|sample| sample.value != 0.0) {
        let key = (sample.labels["namespace"].clone(), sample.labels["job_type"].clone());
        *counts.entry(key).or_default() += sample.value;
    }
    counts
}

/// Submissions of jobs that have an allocation.
fn placed(answers: &Answers) -> Counts {
    let mut counts = Counts::new();
    for job in answers.jobs.iter().filter(|job| !is_template(job)) {
        let is_its = |row: &&Value| row["JobID"] == job["ID"] && row["Namespace"] == job["Namespace"];
        if answers.allocations.iter().any(|row| is_its(&row)) {
            *counts.entry(key(job)).or_default() += 1.0;
        }
    }
    counts
}

fn key(job: &Value) -> (String, String) {
    (text(job, "Namespace").to_owned(), text(job, "Type").to_owned())
}
