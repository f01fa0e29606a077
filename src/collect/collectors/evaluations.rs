//! Blocked and pending evaluations.

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

/// Maximum number of jobs with an evaluation remembered.
const MAX_JOBS: usize = 1_000_000;

/// Collector of blocked and pending evaluations. Requests one list per status, or all evaluations if servers
/// cannot select them by status. A list per status costs the servers a twentieth of a list with a filter,
/// because no filter expression has to be evaluated for each evaluation.
pub(in crate::collect) struct EvaluationsCollector {
    /// Jobs that were waiting in the last list.
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
            // The order matters: an evaluation that is unblocked between the requests is then in both lists.
            // In the other order it would be in neither.
            for (status, name) in [(EvalStatus::Blocked, "blocked"), (EvalStatus::Pending, "pending")] {
                let requests = requests.iter().map(|request| request.clone().query("status", name)).collect();
                // A server that is older than assumed ignores the parameter and sends evaluations of all
                // statuses.
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
            // Unchanged lists have the same result only if no delay ends meanwhile, and if the same jobs were
            // waiting before.
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
