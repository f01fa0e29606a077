//! Evaluations that wait.

use std::sync::Arc;

use super::context::Context;
use super::report::FetchError;
use super::store::{Refresh, Section};
use super::{at, earliest, list, reasons};
use crate::nomad::Endpoint;
use crate::nomad::api::Evaluation;
use crate::snapshot::Evaluations;
use crate::terms::EvalStatus;

/// For how many jobs the reason is kept, to be joined with the oldest pending ones. Nomad lists the oldest
/// evaluations first.
const MAX_REASONS: usize = 10_000;

/// Which evaluations wait. One list for both statuses: Nomad goes through all evaluations for each list.
const WAITING: &str = r#"Status == "blocked" or Status == "pending""#;

/// Reads blocked and pending evaluations; from servers that cannot filter, all of them.
pub(super) async fn fetch(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let mut requests = context.over_known_namespaces(Endpoint::Evaluations, "/v1/evaluations").await?;
    if context.servers().await.filter_lists {
        requests = requests.into_iter().map(|request| request.query("filter", WAITING)).collect();
    }
    let folded = list::fold(&context.client, requests, Evaluations::default(), add).await?;
    Ok(folded.refresh(|evaluations| vec![Section::Evaluations(evaluations)]))
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
