//! Jobs: the live ones every interval, the dead ones less often.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::SystemTime;

use super::context::Context;
use super::report::FetchError;
use super::store::{Refresh, Section};
use super::{at, earliest};
use crate::nomad::Endpoint;
use crate::nomad::api::{Job, each_row};
use crate::snapshot::{FinishedJobs, LiveJobs, PendingJob};
use crate::terms::{JobStatus, Outcome, TemplateKind};

/// Reads the jobs that are not dead; from servers that cannot filter, all of them.
pub(super) async fn fetch_live(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let filtered = context.lists_are_filtered().await;
    let (mut fold, mut refresh) = fetch(&context, filtered.then_some(r#"Status != "dead""#)).await?;
    refresh.sections.push(Section::Jobs(fold.live()));
    if !filtered {
        refresh.sections.push(Section::FinishedJobs(fold.finished));
    }
    Ok(refresh)
}

/// Reads the dead jobs, unless the live refresh does.
pub(super) async fn fetch_finished(context: Arc<Context>) -> Result<Refresh, FetchError> {
    if !context.lists_are_filtered().await {
        return Ok(Refresh::default());
    }
    let (fold, mut refresh) = fetch(&context, Some(r#"Status == "dead""#)).await?;
    refresh.sections.push(Section::FinishedJobs(fold.finished));
    Ok(refresh)
}

async fn fetch(context: &Context, filter: Option<&str>) -> Result<(Fold, Refresh), FetchError> {
    let mut request = context.list(Endpoint::Jobs, "/v1/jobs");
    if let Some(filter) = filter {
        request = request.query("filter", filter);
    }
    let mut fold = Fold::new((context.now)(), context.settings.pending_jobs);
    let decode = move |json: &mut _| {
        let objects = each_row(json, |job: Job| fold.add(&job))?;
        Ok((fold, objects))
    };
    let ((fold, objects), meta) = context.client.fetch(request, decode).await?;
    Ok((fold, Refresh { sections: Vec::new(), objects, meta }))
}

/// Counts jobs as they come.
struct Fold {
    now: SystemTime,
    live: LiveJobs,
    finished: FinishedJobs,
    /// The oldest pending jobs, the youngest of them on top.
    oldest: BinaryHeap<PendingJob>,
    max_oldest: usize,
}

impl Fold {
    fn new(now: SystemTime, max_oldest: usize) -> Self {
        let (live, finished) = (LiveJobs::default(), FinishedJobs::default());
        Self { now, live, finished, oldest: BinaryHeap::with_capacity(max_oldest + 1), max_oldest }
    }

    fn add(&mut self, job: &Job) {
        match (template_kind(job), job.status) {
            (Some(kind), JobStatus::Dead) => {
                at(&mut self.finished.by_namespace, job.namespace()).templates[kind] += 1;
            }
            (Some(kind), status) => {
                at(&mut self.live.by_namespace, job.namespace()).templates[kind][status] += 1
            }
            (None, JobStatus::Dead) => {
                let namespace = at(&mut self.finished.by_namespace, job.namespace());
                namespace.outcomes[job.job_type][outcome(job)] += 1;
            }
            (None, status) => self.add_live(job, status),
        }
    }

    fn add_live(&mut self, job: &Job, status: JobStatus) {
        let namespace = at(&mut self.live.by_namespace, job.namespace());
        namespace.jobs[job.job_type][status] += 1;
        let pool = job.node_pool.as_deref().unwrap_or_default();
        at(&mut namespace.queued, pool)[job.job_type] += job.sum(|group| group.queued);
        // Without a submit time an age would be invented.
        let (JobStatus::Pending, Some(submitted)) = (status, job.submitted()) else { return };
        earliest(&mut namespace.oldest_pending[job.job_type], Some(submitted));
        // Clocks differ: a job from the future has not waited yet.
        namespace.pending_ages.observe(self.now.duration_since(submitted).unwrap_or_default());
        self.oldest.push(PendingJob {
            submitted,
            namespace: job.namespace().to_owned(),
            id: job.id.clone().unwrap_or_default(),
        });
        if self.oldest.len() > self.max_oldest {
            self.oldest.pop();
        }
    }

    fn live(&mut self) -> LiveJobs {
        let mut live = std::mem::take(&mut self.live);
        live.oldest_pending = std::mem::take(&mut self.oldest).into_sorted_vec();
        live
    }
}

/// What kind of template a job is, if it is one. Children carry their parent's ID and are work.
fn template_kind(job: &Job) -> Option<TemplateKind> {
    if job.parent_id.as_deref().is_some_and(|parent| !parent.is_empty()) {
        return None;
    }
    if job.periodic == Some(true) {
        return Some(TemplateKind::Periodic);
    }
    (job.parameterized_job == Some(true)).then_some(TemplateKind::Parameterized)
}

fn outcome(job: &Job) -> Outcome {
    if job.stop == Some(true) {
        Outcome::Stopped
    } else if job.sum(|group| group.failed) > 0 {
        Outcome::Failed
    } else if job.sum(|group| group.lost) > 0 {
        Outcome::Lost
    } else {
        Outcome::Complete
    }
}
