//! Evaluations that wait.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::reasons;
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::collect::{earliest, list};
use crate::nomad::Endpoint;
use crate::nomad::api::Evaluation;
use crate::snapshot::{Evaluations, JobEvaluations, LiveJobs, Namespaces, Sections, Servers};
use crate::terms::{BlockReason, EvalStatus, JobKey, at, hash_of};

/// How many jobs are remembered that have an evaluation.
const MAX_JOBS: usize = 1_000_000;

/// Which evaluations wait. One list for both statuses: Nomad goes through all evaluations for each list.
const WAITING: &str = r#"Status == "blocked" or Status == "pending""#;

/// Reads blocked and pending evaluations; from servers that cannot filter, all of them.
pub(in crate::collect) struct EvaluationsCollector {
    /// Jobs that the last list showed waiting.
    waited_before: HashSet<JobKey>,
}

reads!(EvaluationsCollector: Servers, Namespaces, LiveJobs);

impl Collect for EvaluationsCollector {
    fn new(_: &Observers) -> Self {
        Self { waited_before: HashSet::new() }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let mut requests =
            context.over_known_namespaces(upstream, Endpoint::Evaluations, "/v1/evaluations").await?;
        if upstream.get::<Servers>().await.unwrap_or_default().filter_lists {
            requests = requests.into_iter().map(|request| request.query("filter", WAITING)).collect();
        }
        let now = (context.now)();
        let add = move |fold: &mut Evaluations, evaluation: Evaluation| add(fold, &evaluation, now);
        let folded = list::fold(&context.client, requests, Evaluations::default(), add).await?;
        let index = folded.index();
        Ok(folded.refresh(|fold| {
            let waiting =
                fold.by_job.iter().filter(|(_, known)| known.waits()).map(|(job, _)| *job).collect();
            let waited_before = std::mem::replace(&mut self.waited_before, waiting);
            let evaluations = Evaluations { waited_before, index, ..fold };
            Sections { evaluations: Some(Arc::new(evaluations)), ..Sections::default() }
        }))
    }
}

fn add(fold: &mut Evaluations, evaluation: &Evaluation, now: SystemTime) {
    let namespace = evaluation.namespace.as_deref().unwrap_or_default();
    let reason = match evaluation.status {
        EvalStatus::Blocked => {
            let counts = at(&mut fold.by_namespace, namespace);
            counts.blocked[evaluation.job_type] += 1;
            earliest(&mut counts.oldest_blocked[evaluation.job_type], evaluation.created());
            let reasons = reasons::all(evaluation);
            reasons.iter().for_each(|reason| counts.by_reason[reason] += 1);
            reasons::main(reasons)
        }
        EvalStatus::Pending if evaluation.is_delayed(now) => {
            at(&mut fold.by_namespace, namespace).delayed[evaluation.job_type] += 1;
            BlockReason::Delayed
        }
        EvalStatus::Pending => {
            let counts = at(&mut fold.by_namespace, namespace);
            counts.pending[evaluation.job_type] += 1;
            earliest(&mut counts.oldest_pending[evaluation.job_type], evaluation.created());
            BlockReason::Scheduling
        }
        _ => return,
    };
    let Some(job_id) = evaluation.job_id.as_deref() else { return };
    let known = JobEvaluations { oldest: evaluation.created(), reason };
    let key = JobKey::new(namespace, job_id);
    if fold.by_job.len() >= MAX_JOBS && !fold.by_job.contains_key(&key) {
        fold.is_incomplete = true;
        return;
    }
    if evaluation.status == EvalStatus::Blocked {
        let groups = reasons::constrained_groups(evaluation);
        fold.constrained.extend(groups.map(|group| hash_of((key, group))));
    }
    fold.by_job.entry(key).and_modify(|first| first.add(known)).or_insert(known);
}
