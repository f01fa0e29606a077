//! Collector of jobs that are not dead.

use std::sync::Arc;
use std::time::SystemTime;

use super::finished_jobs::FinishedJobsFold;
use super::live_jobs::{LiveJobsFold, PendingSince, aged};
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::kept::Kept;
use crate::collect::list::{self, Again};
use crate::collect::observers::{Completions, Handover, LookedFor, Observers, Placements, Which};
use crate::collect::report::FetchError;
use crate::nomad::Request;
use crate::nomad::api::Job;
use crate::snapshot::{CollectorId, LiveJobs, Sections, Servers};

/// Reads jobs that are not dead. Reads all jobs if the servers do not support filters.
pub(in crate::collect) struct JobsCollector {
    placements: Arc<Placements>,
    completions: Arc<Completions>,
    full_jobs: Arc<Handover<FinishedJobsFold>>,
    /// The last list, with the jobs whose first allocation was searched for.
    kept: Kept<Job, LookedFor>,
    /// Section built from the last list. While the list is unchanged, only the ages of pending jobs change.
    last: Option<(Arc<LiveJobs>, PendingSince)>,
}

reads!(JobsCollector: Servers);

/// Folds of live jobs and, if the list contains them, of dead jobs.
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
            kept: Kept::default(),
            last: None,
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
            live: LiveJobsFold::new(context, self.placements.job_pass(Which::Live)),
            finished: (!filter_lists).then(finished),
        };
        let again = if filter_lists {
            let beside = fold.live.looked_for();
            self.kept.fold(context, requests, beside, fold, JobsFold::add).await?
        } else {
            let add = |fold: &mut JobsFold, job: Job| fold.add(&job);
            Again::New(list::fold(&context.client, requests, fold, add).await?)
        };
        if let Again::Same(refresh) = again {
            return Ok(Refresh { sections: self.aged((context.now)()), ..*refresh });
        }
        Ok(again.refresh(|fold| {
            let (jobs, since, pass) = fold.live.finish();
            let dead_are_listed = !filter_lists || context.is_on(CollectorId::FinishedJobs);
            self.placements.commit_live(pass, dead_are_listed);
            fold.finished.into_iter().for_each(|fold| self.full_jobs.put(fold));
            if since.is_none() {
                // The ages of pending jobs cannot be computed without decoding the list again.
                self.kept.forget();
            }
            let jobs = Arc::new(jobs);
            self.last = Some((jobs.clone(), since));
            Sections { jobs: Some(jobs), ..Sections::default() }
        }))
    }
}

impl JobsCollector {
    /// Returns the section built from the last list, with current ages.
    fn aged(&self, now: SystemTime) -> Sections {
        let aged = self.last.as_ref().and_then(|(jobs, since)| aged(jobs, since.as_ref()?, now));
        Sections { jobs: aged.map(Arc::new), ..Sections::default() }
    }
}

impl JobsFold {
    fn add(&mut self, job: &Job) {
        self.live.add(job);
        if let Some(finished) = &mut self.finished {
            finished.add(job);
        }
    }
}
