//! Jobs: the live ones every interval, the dead ones less often.

use std::sync::Arc;

use super::context::Context;
use super::job_fold::Fold;
use super::list;
use super::report::FetchError;
use super::store::{Refresh, Section};
use crate::nomad::Endpoint;
use crate::nomad::api::Job;

/// Reads the jobs that are not dead; from servers that cannot filter, all of them.
pub(super) async fn fetch_live(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let filtered = context.servers().await.filter_lists;
    let folded = fetch(&context, filtered.then_some(r#"Status != "dead""#)).await?;
    Ok(folded.refresh(|fold| {
        let all = fold.finish();
        let dead_are_listed = !filtered || context.is_on("finished_jobs");
        let delays = context.placements.commit_live(all.live_pass, dead_are_listed);
        let mut sections = vec![Section::Placements(delays), Section::Jobs(all.live)];
        if !filtered {
            context.placements.commit_dead(all.dead_pass);
            sections.push(Section::Completions(context.completions.commit(all.completions)));
            sections.push(Section::FinishedJobs(all.finished));
        }
        sections
    }))
}

/// Reads the dead jobs, unless the live refresh does.
pub(super) async fn fetch_finished(context: Arc<Context>) -> Result<Refresh, FetchError> {
    if !context.servers().await.filter_lists {
        return Ok(Refresh::default());
    }
    let folded = fetch(&context, Some(r#"Status == "dead""#)).await?;
    Ok(folded.refresh(|fold| {
        let all = fold.finish();
        context.placements.commit_dead(all.dead_pass);
        let completions = context.completions.commit(all.completions);
        vec![Section::Completions(completions), Section::FinishedJobs(all.finished)]
    }))
}

async fn fetch(context: &Context, filter: Option<&str>) -> Result<list::Folded<Fold>, FetchError> {
    let mut requests = context.over_namespaces(Endpoint::Jobs, "/v1/jobs");
    if let Some(filter) = filter {
        requests = requests.into_iter().map(|request| request.query("filter", filter)).collect();
    }
    list::fold(&context.client, requests, Fold::new(context), |fold: &mut Fold, job: Job| fold.add(&job))
        .await
}
