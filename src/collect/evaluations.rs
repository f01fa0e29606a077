//! Evaluations that wait.

use std::sync::Arc;

use super::context::Context;
use super::report::FetchError;
use super::store::{Refresh, Section};
use super::{at, earliest, reasons};
use crate::nomad::api::{Evaluation, each_row};
use crate::nomad::{Endpoint, Meta, Request};
use crate::snapshot::Evaluations;
use crate::terms::EvalStatus;

const PATH: &str = "/v1/evaluations";
/// For how many jobs the reason is kept, to be joined with the oldest pending ones. Nomad lists the oldest
/// evaluations first.
const MAX_REASONS: usize = 10_000;
/// How many namespaces are asked one by one where the servers cannot list them at once.
const MAX_NAMESPACES: usize = 200;

/// Reads blocked and pending evaluations.
pub(super) async fn fetch(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let mut fold = Evaluations::default();
    let mut refresh = Refresh::default();
    for request in requests(&context).await? {
        let decode = move |json: &mut _| {
            let objects = each_row(json, |evaluation: Evaluation| add(&mut fold, evaluation))?;
            Ok((fold, objects))
        };
        let ((folded, objects), meta) = context.client.fetch(request, decode).await?;
        fold = folded;
        refresh.objects += objects;
        refresh.meta = Meta::or_older(refresh.meta, meta);
    }
    refresh.sections.push(Section::Evaluations(fold));
    Ok(refresh)
}

/// One request for each status; before Nomad 1.2.4, which knows neither the status nor all namespaces here, one
/// for each namespace.
async fn requests(context: &Context) -> Result<Vec<Request>, FetchError> {
    let servers = context.after(&["servers"]).await.servers;
    let by_status = servers.is_none_or(|servers| servers.list_evaluations_of_all_namespaces);
    if by_status {
        let statuses = [EvalStatus::Blocked, EvalStatus::Pending];
        let request = |status| context.list(Endpoint::Evaluations, PATH).query("status", status);
        return Ok(statuses.map(|status| request(crate::terms::Term::as_str(status))).into());
    }
    if context.settings.namespace != "*" {
        return Ok(vec![context.list(Endpoint::Evaluations, PATH)]);
    }
    let sections = context.after(&["namespaces", "jobs"]).await;
    let namespaces = sections.known_namespaces();
    if namespaces.is_empty() {
        return Err(FetchError::Needs("namespaces"));
    }
    let request = |name: &str| Request::new(Endpoint::Evaluations, PATH).query("namespace", name);
    Ok(namespaces.into_iter().take(MAX_NAMESPACES).map(request).collect())
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
