//! How dead jobs ended.

use serde_json::Value;

use super::count;
use crate::answers::{Answers, number, text, texts};
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

/// How a dead job ended, by its summary.
pub(crate) fn outcome(_answers: &Answers, job: &Value) -> &'static str {
    let groups = job["JobSummary"]["Summary"].as_object();
    let any = |key: &str| groups.is_some_and(|groups| groups.values().any(|group| number(&group[key]) > 0.0));
    match job {
        job if job["Stop"] == true => "stopped",
        _ if any("Failed") => "failed",
        _ if any("Lost") => "lost",
        _ => "complete",
    }
}
