//! Jobs that are not dead.

use std::sync::Arc;

use super::finished_jobs::FinishedJobsFold;
use super::live_jobs::LiveJobsFold;
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::list;
use crate::collect::observers::{Completions, Handover, Observers, Placements};
use crate::collect::report::FetchError;
use crate::nomad::Request;
use crate::nomad::api::Job;
use crate::snapshot::{CollectorId, Sections, Servers};

/// Reads the jobs that are not dead; from servers that cannot filter, all of them.
pub(in crate::collect) struct JobsCollector {
    placements: Arc<Placements>,
    completions: Arc<Completions>,
    full_jobs: Arc<Handover<FinishedJobsFold>>,
}

reads!(JobsCollector: Servers);

/// Live jobs, and dead ones where they come along.
struct JobsFold {
    live: LiveJobsFold,
    finished: Option<FinishedJobsFold>,
}

impl Collect for JobsCollector {
    fn new(observers: &Observers) -> Self {
        Self {
            placements: observers.placements.clone(),
            completions: observers.completions.clone(),
            full_jobs: observers.full_jobs.clone(),
        }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let filter_lists = upstream.get::<Servers>().await.unwrap_or_default().filter_lists;
        let mut requests = context.over_jobs();
        if filter_lists {
            let live = |request: Request| request.query("filter", r#"Status != "dead""#);
            requests = requests.into_iter().map(live).collect();
        }
        let finished = || FinishedJobsFold::new(context, &self.placements, &self.completions, Arc::default());
        let fold = JobsFold {
            live: LiveJobsFold::new(context, self.placements.job_pass()),
            finished: (!filter_lists).then(finished),
        };
        let folded = list::fold(&context.client, requests, fold, JobsFold::add).await?;
        Ok(folded.refresh(|fold| {
            let (jobs, pass) = fold.live.finish();
            let dead_are_listed = !filter_lists || context.is_on(CollectorId::FinishedJobs);
            self.placements.commit_live(pass, dead_are_listed);
            fold.finished.into_iter().for_each(|fold| self.full_jobs.put(fold));
            Sections { jobs: Some(Arc::new(jobs)), ..Sections::default() }
        }))
    }
}

impl JobsFold {
    #[expect(clippy::needless_pass_by_value, reason = "rows are handed over")]
    fn add(&mut self, job: Job) {
        self.live.add(&job);
        if let Some(finished) = &mut self.finished {
            finished.add(&job);
        }
    }
}
