//! Dead jobs that Nomad still retains.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::named_jobs;
use crate::collect::chosen::{LabelSettings, add_job_meta};
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::events::{RowKey, Table};
use crate::collect::follower::ChangedRows;
use crate::collect::history::History;
use crate::collect::list::Known;
use crate::collect::observers::{
    Completions, CompletionsPass, Handover, JobPass, LookedFor, Observers, Placements, Which,
};
use crate::collect::report::FetchError;
use crate::nomad::api::Job;
use crate::snapshot::{
    CollectorId, DeadJob, FinishedJobs, FinishedNamespace, LiveJobs, NamedJobs, Sections, Servers,
};
use crate::terms::{JobKey, JobType, at};

/// Collector of dead jobs. If servers cannot filter, they are read together with the live ones.
pub(in crate::collect) struct FinishedJobsCollector {
    placements: Arc<Placements>,
    completions: Arc<Completions>,
    full_jobs: Arc<Handover<FinishedJobsFold>>,
    /// The last list, with the other inputs of its fold.
    known: Known<Beside>,
    /// Whether some outcomes were pending. The list must then be read even if it is unchanged, because the
    /// number of lists decides when to give up.
    is_unsettled: bool,
    history: History,
    /// The last result. Changes are applied to it while they are read row by row.
    last: Option<Last>,
}

/// The jobs whose first allocation was searched for, and the live jobs with series of their own.
type Beside = (LookedFor, NamedJobs);

#[derive(Clone)]
struct Last {
    jobs: Arc<FinishedJobs>,
    /// Its templates and jobs with series of their own, which affect more than counts.
    joined: HashSet<JobKey>,
    beside: Beside,
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
            history: History::new(Table::FinishedJobs),
            last: None,
        }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        if !upstream.get::<Servers>().await.unwrap_or_default().filter_lists {
            upstream.need::<LiveJobs>().await?;
            let sections = self.full_jobs.take().map(|fold| self.sections(fold, None)).unwrap_or_default();
            return Ok(Refresh { sections, ..Refresh::default() });
        }
        let requests = context.over_jobs().into_iter();
        let requests: Vec<_> =
            requests.map(|request| request.query("filter", r#"Status == "dead""#)).collect();
        let live = upstream.get::<LiveJobs>().await.unwrap_or_default();
        let mut fold = FinishedJobsFold::new(context, &self.placements, &self.completions, live.clone());
        let beside = (fold.pass.looked_for(), live.named.clone());
        let (stream, last) = (context.events.stream(), self.last.take());
        if let Some(last) = &last {
            let mut known = last.known();
            let is_used = |key: &RowKey, is_over: bool| is_over || known.contains(key.job());
            if let Some(changes) = self.history.changes(context, &requests, is_used).await? {
                if last.can_take(&changes, &beside, &fold) {
                    return Ok(self.apply(changes, last, beside, fold));
                }
                known.others.extend(changes.rows.iter().map(|(key, _)| key.job()));
            }
            fold.known = Some(known);
        }
        fold.jobs.jobs.reserve_exact(self.history.capacity());
        let add = |fold: &mut FinishedJobsFold, job: Job| fold.add(&job);
        if self.is_unsettled {
            self.known.forget();
        }
        let again = self.known.fold(&context.client, requests, true, beside.clone(), fold, add).await?;
        self.history.listed(context, stream, &again, |fold| &fold.new).await;
        self.last = last.filter(|_| self.history.is_followed());
        Ok(again.refresh(|fold| self.sections(fold, Some(beside))))
    }
}

impl FinishedJobsCollector {
    /// Applies changes to the last result.
    fn apply(
        &mut self,
        changes: ChangedRows<Job>,
        last: &Last,
        beside: Beside,
        mut fold: FinishedJobsFold,
    ) -> Refresh {
        let (objects, meta) = (last.jobs.jobs.len() as u64, changes.meta);
        if changes.rows.is_empty() && !self.is_unsettled && beside.0 == last.beside.0 {
            self.last = Some(last.clone());
            return Refresh { objects, meta, ..Refresh::default() };
        }
        fold.start_with(last, changes.rows.iter().map(|(key, _)| key));
        changes.existing(|key, job: &Job| job.key() == key.job()).for_each(|job| fold.add(&job));
        // The sections of the last list are no longer shown.
        self.known.forget();
        Refresh { sections: self.sections(fold, Some(beside)), objects, meta }
    }

    /// Returns the sections. `beside` is `None` if the list cannot be followed.
    fn sections(&mut self, fold: FinishedJobsFold, beside: Option<Beside>) -> Sections {
        self.placements.commit_dead(fold.pass);
        let mut jobs = fold.jobs;
        jobs.jobs.sort_unstable_by_key(|job| job.key);
        (jobs.list, jobs.unsettled) = self.completions.commit_jobs(fold.completions, &jobs.namespaces);
        self.is_unsettled = !jobs.unsettled.is_empty();
        let jobs = Arc::new(jobs);
        let beside = beside.filter(|_| self.history.is_followed());
        self.last = beside.map(|beside| Last { jobs: jobs.clone(), joined: fold.joined, beside });
        Sections { finished_jobs: Some(jobs), ..Sections::default() }
    }
}

/// The jobs that a list is compared with.
#[derive(Debug)]
struct KnownJobs {
    jobs: Arc<FinishedJobs>,
    /// Keys of templates, and of jobs that changed.
    others: HashSet<JobKey>,
}

impl KnownJobs {
    fn contains(&self, key: JobKey) -> bool {
        self.jobs.contains(key) || self.others.contains(&key)
    }
}

impl Last {
    /// Returns what a list is compared with.
    fn known(&self) -> KnownJobs {
        KnownJobs { jobs: self.jobs.clone(), others: self.joined.clone() }
    }

    /// Returns whether changes only affect the jobs that changed.
    fn can_take(&self, changes: &ChangedRows<Job>, beside: &Beside, fold: &FinishedJobsFold) -> bool {
        let is_joined = |(key, job): &(RowKey, Option<Job>)| {
            self.joined.contains(&key.job()) || job.as_ref().is_some_and(|job| fold.is_joined(job))
        };
        let is_same = self.joined.is_empty() || self.beside.1 == beside.1;
        is_same && !changes.rows.iter().any(is_joined)
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
    /// Templates and jobs with series of their own.
    joined: HashSet<JobKey>,
    /// What is compared with the list.
    known: Option<KnownJobs>,
    /// Hashes of the keys of jobs that were unknown.
    new: Vec<u64>,
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
            pass: placements.job_pass(Which::Finished),
            completions: completions.pass(context.is_on(CollectorId::FinishedAllocations)),
            job_types: context.settings.job_types.clone(),
            max_jobs: context.settings.max_jobs,
            labels: context.settings.labels.clone(),
            joined: HashSet::new(),
            known: None,
            new: Vec::new(),
        }
    }

    /// Starts with the last result, without the jobs that changed. Then only those are added.
    fn start_with<'a>(&mut self, last: &Last, changed: impl Iterator<Item = &'a RowKey>) {
        self.joined.clone_from(&last.joined);
        self.pass.start_with_dead();
        let changed: HashMap<JobKey, &RowKey> = changed.map(|key| (key.job(), key)).collect();
        self.completions.start_with_last(|job| changed.contains_key(&job));
        // Without a rest pattern, so that a new field is not forgotten. The last two are known when the changes are committed.
        let FinishedJobs { by_namespace, jobs: before, namespaces, periodic, named, list: _, unsettled: _ } =
            &*last.jobs;
        self.jobs = FinishedJobs {
            by_namespace: by_namespace.clone(),
            // Sized at once, because growing would leave as much memory free but resident.
            jobs: Vec::with_capacity(before.len() + changed.len()),
            namespaces: namespaces.clone(),
            periodic: periodic.clone(),
            named: named.clone(),
            ..FinishedJobs::default()
        };
        let FinishedJobs { by_namespace, jobs, periodic, .. } = &mut self.jobs;
        periodic.retain(|(job, _)| !changed.contains_key(&job.key));
        for job in before {
            let Some(RowKey { namespace, id }) = changed.get(&job.key) else {
                jobs.push(*job);
                continue;
            };
            self.pass.remove(namespace, id, job.create_index);
            let count = &mut at(by_namespace, namespace).jobs[job.job_type];
            *count = count.saturating_sub(1);
        }
        by_namespace.retain(|_, counts| *counts != FinishedNamespace::default());
    }

    /// Returns whether a job affects more than counts.
    fn is_joined(&self, job: &Job) -> bool {
        let is_named = self.job_types.contains(&job.job_type) && named_jobs::is_named(job);
        !job.status.is_live() && (job.template().is_some() || is_named)
    }

    pub(in crate::collect) fn add(&mut self, job: &Job) {
        if job.status.is_live() {
            return;
        }
        if self.known.as_ref().is_some_and(|known| !known.contains(job.key())) {
            self.new.push(RowKey::new(job.namespace(), job.id.as_deref().unwrap_or_default()).hash());
        }
        if self.is_joined(job) {
            self.joined.insert(job.key());
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
                    self.jobs.periodic.push((dead, parent.into()));
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
