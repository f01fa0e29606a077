//! Blocked and pending evaluations.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::reasons;
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::earliest;
use crate::collect::events::Table;
use crate::collect::list::{Folded, Known};
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::collect::waiting::{Rows, Waiting};
use crate::nomad::api::Evaluation;
use crate::nomad::{Endpoint, Index, Meta, Request};
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
    /// When the first delay of an evaluation ends, which changes the result of unchanged lists.
    delayed_until: Option<SystemTime>,
    /// The last lists, one for each status.
    known: Known<()>,
    /// The result of the last lists, while events show whether they change.
    last: Option<Last>,
}

struct Last {
    evaluations: Arc<Evaluations>,
    objects: u64,
    waiting: Waiting,
}

reads!(EvaluationsCollector: Servers, Namespaces, LiveJobs);

impl Collect for EvaluationsCollector {
    fn new(_: &Observers) -> Self {
        Self { waited_before: HashSet::new(), delayed_until: None, known: Known::default(), last: None }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let requests =
            context.over_known_namespaces(upstream, Endpoint::Evaluations, "/v1/evaluations").await?;
        let by_status = upstream.get::<Servers>().await.unwrap_or_default().list_everywhere;
        let (stream, mut last) = (context.events.stream(), self.last.take());
        let (client, now) = (&context.client, (context.now)());
        let is_delay_over = self.delayed_until.is_some_and(|until| until <= now);
        if let [request] = &requests[..]
            && !is_delay_over
        {
            let same = match last.as_mut().filter(|last| !last.waiting.is_due()) {
                Some(last) => last.unchanged(context, request, &self.waited_before).await?,
                None => self.known.probe(client, request, by_status, &()).await?,
            };
            if let Some(same) = same {
                self.last = last;
                return Ok(same);
            }
        }
        // Lists with a new evaluation would have to be requested again soon, because that is processed at once.
        context.events.settled(Table::Evaluations, |_, change| change.is_over).await;
        let mut folded = Folded::new((Evaluations::default(), Rows::default()));
        if by_status {
            // The order matters: an evaluation that is unblocked between the requests is then in both lists.
            // In the other order it would be in neither.
            for (status, name) in [(EvalStatus::Blocked, "blocked"), (EvalStatus::Pending, "pending")] {
                let requests = requests.iter().map(|request| request.clone().query("status", name)).collect();
                // A server that is older than assumed ignores the parameter and sends evaluations of all
                // statuses.
                let add = move |(fold, rows): &mut (Evaluations, Rows), row: Evaluation| {
                    if row.status == status {
                        add(fold, &row, now);
                        rows.add(&row, now);
                    }
                };
                folded = folded.and(client, requests, add).await?;
            }
        } else {
            let add = move |(fold, _): &mut (Evaluations, Rows), row: Evaluation| add(fold, &row, now);
            folded = folded.and(client, requests, add).await?;
        }
        let (folded, rows) = folded.split();
        let (lowest, (meta, objects)) = (folded.index(), folded.told());
        let jobs = folded.fold.by_job.iter().filter(|(_, known)| known.waits());
        let waited_before = std::mem::replace(&mut self.waited_before, jobs.map(|(job, _)| *job).collect());
        self.delayed_until = rows.delayed_until();
        // Unchanged lists have the same result only if the same jobs were waiting before.
        match by_status && waited_before == self.waited_before {
            true => self.known.remember(meta, objects, ()),
            false => self.known.forget(),
        }
        let index = lowest.map(Index::raft);
        let evaluations = Arc::new(Evaluations { waited_before, index, ..folded.fold });
        let before = last.map(|last| last.waiting);
        let waiting = Waiting::listed(context, stream, (meta, lowest), rows, before).await;
        self.last = waiting.filter(|_| by_status).map(|waiting| Last {
            evaluations: evaluations.clone(),
            objects,
            waiting,
        });
        Ok(refresh(evaluations, objects, meta))
    }
}

impl Last {
    /// Returns a refresh with the same evaluations, or `None` if they may have changed. `list` is the list of all evaluations,
    /// and `waited` are the jobs that wait.
    async fn unchanged(
        &mut self,
        context: &Arc<Context>,
        list: &Request,
        waited: &HashSet<JobKey>,
    ) -> Result<Option<Refresh>, FetchError> {
        let Some((index, meta)) = self.waiting.unchanged(context, list).await? else { return Ok(None) };
        let index = self.evaluations.index.max(index);
        let before = &self.evaluations;
        if index != before.index || *waited != before.waited_before {
            // Summaries of jobs up to this index were written while no other job was waiting.
            let waited_before = waited.clone();
            self.evaluations =
                Arc::new(Evaluations { index, waited_before, ..Evaluations::clone(&self.evaluations) });
        }
        Ok(Some(refresh(self.evaluations.clone(), self.objects, meta)))
    }
}

fn refresh(evaluations: Arc<Evaluations>, objects: u64, meta: Meta) -> Refresh {
    let sections = Sections { evaluations: Some(evaluations), ..Sections::default() };
    Refresh { sections, objects, meta }
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
