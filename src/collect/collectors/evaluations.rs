//! Evaluations that wait.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::reasons;
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::earliest;
use crate::collect::list::{Folded, Known};
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::nomad::Endpoint;
use crate::nomad::api::Evaluation;
use crate::snapshot::{Evaluations, JobEvaluations, LiveJobs, Namespaces, Sections, Servers};
use crate::terms::{BlockReason, EvalStatus, JobKey, at, hash_of};

/// How many jobs are remembered that have an evaluation.
const MAX_JOBS: usize = 1_000_000;

/// Reads blocked and pending evaluations; from servers that cannot list them by status, all. A list for each status
/// costs the servers a twentieth of one with a filter: no expression looks at each evaluation there is.
pub(in crate::collect) struct EvaluationsCollector {
    /// Jobs that the last list showed waiting.
    waited_before: HashSet<JobKey>,
    /// The last lists, one for each status.
    known: Known<()>,
}

reads!(EvaluationsCollector: Servers, Namespaces, LiveJobs);

impl Collect for EvaluationsCollector {
    fn new(_: &Observers) -> Self {
        Self { waited_before: HashSet::new(), known: Known::default() }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let requests =
            context.over_known_namespaces(upstream, Endpoint::Evaluations, "/v1/evaluations").await?;
        let by_status = upstream.get::<Servers>().await.unwrap_or_default().list_everywhere;
        if let [request] = &requests[..]
            && let Some(same) = self.known.probe(&context.client, request, by_status, &()).await?
        {
            return Ok(same);
        }
        let (client, now) = (&context.client, (context.now)());
        let mut folded = Folded::new(Evaluations::default());
        if by_status {
            // One that gets room in between is in both lists, and in none the other way round.
            for (status, name) in [(EvalStatus::Blocked, "blocked"), (EvalStatus::Pending, "pending")] {
                let requests = requests.iter().map(|request| request.clone().query("status", name)).collect();
                // A server that is older than it is thought to be sends those of other statuses too.
                let add = move |fold: &mut Evaluations, row: Evaluation| {
                    if row.status == status {
                        add(fold, &row, now);
                    }
                };
                folded = folded.and(client, requests, add).await?;
            }
        } else {
            let add = move |fold: &mut Evaluations, row: Evaluation| add(fold, &row, now);
            folded = folded.and(client, requests, add).await?;
        }
        let (index, (meta, objects)) = (folded.index(), folded.told());
        Ok(folded.refresh(|fold| {
            let waiting =
                fold.by_job.iter().filter(|(_, known)| known.waits()).map(|(job, _)| *job).collect();
            let waited_before = std::mem::replace(&mut self.waited_before, waiting);
            // The same lists would tell something else if a delay ends, or if it is not what they told before.
            let is_steady = waited_before == self.waited_before && !fold.has_delayed();
            match by_status && is_steady {
                true => self.known.remember(meta, objects, ()),
                false => self.known.forget(),
            }
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
