//! What an exporter counted that ran from the beginning.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::answers::{Answers, is_template, is_terminal, text};
use crate::exposition::Exposition;
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

/// Compares how many builds it saw finish with how many did. Services are left out: before 2.0.1 Nomad calls one dead
/// between the failure of its allocation and the evaluation that follows.
pub(crate) fn compare_completions(report: &mut Report, answers: &Answers, shown: &str) {
    let found = counts(shown, "nomad_job_completions_total");
    let builds = |row: &&Value| matches!(text(row, "Type"), "batch" | "sysbatch");
    let mut expected: BTreeMap<(String, String), (f64, f64)> = BTreeMap::new();
    for job in answers.work().filter(builds) {
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

/// How often a build was dead, at least and at most.
fn ends(answers: &Answers, job: &Value) -> (f64, f64) {
    // It was registered again after its first end.
    let before = if text(job, "ID") == "nightly-run" { 1.0 } else { 0.0 };
    let is_its = |row: &&Value| row["JobID"] == job["ID"] && row["Namespace"] == job["Namespace"];
    let ended = answers.allocations.iter().filter(is_its).any(is_terminal);
    match text(job, "Status") {
        "dead" => (before + 1.0, before + 1.0),
        // It may have been dead until it was to be placed again.
        _ if ended => (before, before + 1.0),
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
