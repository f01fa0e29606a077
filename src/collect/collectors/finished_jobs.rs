//! Dead jobs that Nomad still retains.

use std::sync::Arc;

use super::named_jobs;
use crate::collect::chosen::{LabelSettings, add_job_meta};
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::list::Known;
use crate::collect::observers::{
    Completions, CompletionsPass, Handover, JobPass, LookedFor, Observers, Placements,
};
use crate::collect::report::FetchError;
use crate::nomad::api::Job;
use crate::snapshot::{CollectorId, DeadJob, FinishedJobs, LiveJobs, NamedJobs, Sections, Servers};
use crate::terms::{JobType, at};

/// Collector of dead jobs. If servers cannot filter, they are read together with the live ones.
pub(in crate::collect) struct FinishedJobsCollector {
    placements: Arc<Placements>,
    completions: Arc<Completions>,
    full_jobs: Arc<Handover<FinishedJobsFold>>,
    /// The last list, the jobs whose first allocation was searched for at that time, and the live jobs with
    /// series of their own.
    known: Known<(LookedFor, NamedJobs)>,
    /// Whether some outcomes were pending. The list must then be read even if it is unchanged, because the
    /// number of lists decides when to give up.
    is_unsettled: bool,
}

reads!(FinishedJobsCollector: Servers, LiveJobs);

impl Collect for FinishedJobsCollector {
    fn new(observers: &Observers) -> Self {
        Self {
            placements: observers.placements.clone(),
            completions: observers.completions.clone(),
            full_jobs: observers.full_jobs.clone(),
            known: Known::default(),
            is_unsettled: false,
        }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        if !upstream.get::<Servers>().await.unwrap_or_default().filter_lists {
            upstream.need::<LiveJobs>().await?;
            let sections = self.full_jobs.take().map(|fold| self.sections(fold)).unwrap_or_default();
            return Ok(Refresh { sections, ..Refresh::default() });
        }
        let requests = context.over_jobs().into_iter();
        let requests = requests.map(|request| request.query("filter", r#"Status == "dead""#)).collect();
        let live = upstream.get::<LiveJobs>().await.unwrap_or_default();
        let fold = FinishedJobsFold::new(context, &self.placements, &self.completions, live.clone());
        let add = |fold: &mut FinishedJobsFold, job: Job| fold.add(&job);
        if self.is_unsettled {
            self.known.forget();
        }
        let beside = (fold.pass.looked_for(), live.named.clone());
        let again = self.known.fold(&context.client, requests, true, beside, fold, add).await?;
        Ok(again.refresh(|fold| self.sections(fold)))
    }
}

impl FinishedJobsCollector {
    fn sections(&mut self, fold: FinishedJobsFold) -> Sections {
        self.placements.commit_dead(fold.pass);
        let mut jobs = fold.jobs;
        (jobs.list, jobs.unsettled) = self.completions.commit_jobs(fold.completions, &jobs.namespaces);
        self.is_unsettled = !jobs.unsettled.is_empty();
        Sections { finished_jobs: Some(Arc::new(jobs)), ..Sections::default() }
    }
}

/// Counts the jobs of a list. Live ones, which servers without filters send too, are counted by another
/// collector.
#[derive(Debug)]
pub(in crate::collect) struct FinishedJobsFold {
    /// Live jobs of the last list; empty if all jobs are in one list.
    live: Arc<LiveJobs>,
    jobs: FinishedJobs,
    pass: JobPass,
    completions: CompletionsPass,
    job_types: Vec<JobType>,
    max_jobs: usize,
    labels: LabelSettings,
}

impl FinishedJobsFold {
    pub(in crate::collect) fn new(
        context: &Context,
        placements: &Placements,
        completions: &Completions,
        live: Arc<LiveJobs>,
    ) -> Self {
        Self {
            live,
            jobs: FinishedJobs::default(),
            pass: placements.job_pass(),
            completions: completions.pass(context.is_on(CollectorId::FinishedAllocations)),
            job_types: context.settings.job_types.clone(),
            max_jobs: context.settings.max_jobs,
            labels: context.settings.labels.clone(),
        }
    }

    pub(in crate::collect) fn add(&mut self, job: &Job) {
        if job.status.is_live() {
            return;
        }
        let namespace = at(&mut self.jobs.by_namespace, job.namespace());
        match job.template() {
            Some(kind) => namespace.templates[kind] += 1,
            None => {
                namespace.jobs[job.job_type] += 1;
                let dead = DeadJob {
                    key: job.key(),
                    create_index: job.create_index,
                    namespace: self.namespace(job.namespace()),
                    job_type: job.job_type,
                    stopped: job.stop == Some(true),
                    summarized: job.summarized_outcome(),
                };
                self.pass.add(job);
                self.completions.add(job, &dead);
                if let Some(parent) = job.periodic_parent() {
                    let place = u32::try_from(self.jobs.jobs.len()).unwrap_or(u32::MAX);
                    self.jobs.periodic.push((place, parent.into()));
                }
                self.jobs.jobs.push(dead);
            }
        }
        if self.job_types.contains(&job.job_type) {
            named_jobs::add_dead(&mut self.jobs.named, job, self.max_jobs, &self.live.named);
            add_job_meta(&mut self.jobs.named, job, &self.labels);
        }
    }

    /// Returns the index of a namespace. A linear search from the end is fast, because there are few
    /// namespaces and jobs are mostly grouped by them.
    fn namespace(&mut self, name: &str) -> u32 {
        let namespaces = &mut self.jobs.namespaces;
        let place = namespaces.iter().rposition(|known| known == name).unwrap_or_else(|| {
            namespaces.push(name.to_owned());
            namespaces.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }
}
