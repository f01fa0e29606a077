//! Jobs by status, and the age of pending jobs.

use std::time::UNIX_EPOCH;

use serde_json::Value;

use super::backlog::waits_since;
use super::{count, reason_of};
use crate::answers::{is_template, number, text, texts};
use crate::comparison::{Metric, Numbers, View, metric};

pub(super) const METRICS: &[Metric] = &[
    metric("nomad_jobs", &["namespace", "job_type", "status"], |view| {
        count(view.answers.work(), |job| texts(job, &["Namespace", "Type", "Status"]))
    })
    .filled(),
    metric("nomad_job_templates", &["namespace", "kind", "status"], |view| {
        count(view.answers.jobs.iter().filter(|job| is_template(job)), |job| {
            let kind = if job["Periodic"] == true { "periodic" } else { "parameterized" };
            [text(job, "Namespace"), kind, text(job, "Status")].map(str::to_owned).into()
        })
    })
    .filled(),
    metric("nomad_pending_jobs_oldest_timestamp_seconds", &["namespace", "job_type"], |view| {
        let mut oldest = Numbers::new();
        for job in pending(view) {
            let since = waits_since(view.answers, job);
            let known = oldest.entry(texts(job, &["Namespace", "Type"])).or_insert(since);
            *known = known.min(since);
        }
        oldest
    }),
    metric("nomad_pending_job_timestamp_seconds", &["namespace", "job_id", "reason"], |view| {
        let mut rows: Vec<&Value> = pending(view).collect();
        let since = |job: &Value| waits_since(view.answers, job);
        rows.sort_by(|one, other| since(one).total_cmp(&since(other)));
        rows.truncate(NAMED);
        let key = |job: &Value| {
            let mut key = texts(job, &["Namespace", "ID"]);
            key.push(reason_of(view.answers, job).to_owned());
            key
        };
        rows.into_iter().map(|job| (key(job), since(job))).collect()
    }),
    metric("nomad_pending_jobs_age_seconds_count", &["namespace"], |view| {
        count(pending(view), |job| texts(job, &["Namespace"]))
    })
    .filled(),
    metric("nomad_pending_jobs_age_seconds_bucket", &["namespace", "le"], ages).filled().between(),
];

/// Default number of pending jobs with series of their own.
const NAMED: usize = 20;

fn pending<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Value> + use<'a> {
    view.answers.work().filter(|job| text(job, "Status") == "pending")
}

/// Returns cumulative counts by age.
fn ages(view: &View<'_>) -> Numbers {
    let mut ages = Numbers::new();
    for job in pending(view) {
        let now = view.answers.taken.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let age = now - waits_since(view.answers, job);
        for bound in [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 14400] {
            let key = vec![text(job, "Namespace").to_owned(), format!("{bound}.0")];
            *ages.entry(key).or_insert(0.0) += if age <= number(&bound.into()) { 1.0 } else { 0.0 };
        }
        *ages.entry(vec![text(job, "Namespace").to_owned(), "+Inf".to_owned()]).or_insert(0.0) += 1.0;
    }
    ages
}
