//! Evaluations that wait.

use std::sync::Arc;

use super::reasons;
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::collect::{at, earliest, list};
use crate::nomad::Endpoint;
use crate::nomad::api::Evaluation;
use crate::snapshot::{Evaluations, LiveJobs, Namespaces, Sections, Servers};
use crate::terms::EvalStatus;

/// For how many jobs the reason is kept, to be joined with the oldest pending ones. Nomad lists the oldest
/// evaluations first.
const MAX_REASONS: usize = 10_000;

/// Which evaluations wait. One list for both statuses: Nomad goes through all evaluations for each list.
const WAITING: &str = r#"Status == "blocked" or Status == "pending""#;

/// Reads blocked and pending evaluations; from servers that cannot filter, all of them.
pub(in crate::collect) struct EvaluationsCollector;

reads!(EvaluationsCollector: Servers, Namespaces, LiveJobs);

impl Collect for EvaluationsCollector {
    fn new(_: &Observers) -> Self {
        Self
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
        let folded = list::fold(&context.client, requests, Evaluations::default(), add).await?;
        Ok(folded.refresh(|fold| Sections { evaluations: Some(Arc::new(fold)), ..Sections::default() }))
    }
}

fn add(fold: &mut Evaluations, evaluation: Evaluation) {
    let blocked = match evaluation.status {
        EvalStatus::Blocked => true,
        EvalStatus::Pending => false,
        _ => return,
    };
    let namespace = evaluation.namespace.as_deref().unwrap_or_default();
    let counts = at(&mut fold.by_namespace, namespace);
    if !blocked {
        counts.pending[evaluation.job_type] += 1;
        return;
    }
    counts.blocked[evaluation.job_type] += 1;
    earliest(&mut counts.oldest_blocked[evaluation.job_type], evaluation.created());
    let reasons = reasons::all(&evaluation);
    reasons.iter().for_each(|reason| counts.by_reason[reason] += 1);
    if let (Some(job_id), true) = (evaluation.job_id, fold.reasons.len() < MAX_REASONS) {
        let namespace = evaluation.namespace.unwrap_or_default();
        fold.reasons.insert((namespace, job_id), reasons::main(reasons));
    }
}
