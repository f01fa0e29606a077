//! Jobs, counted as they come.

use std::collections::{BinaryHeap, HashMap, HashSet};
use std::time::SystemTime;

use super::context::Context;
use super::observers::{CompletionsPass, JobPass};
use super::{at, earliest};
use crate::nomad::api::{Job, TaskGroupSummary, count};
use crate::snapshot::{
    AGE_BOUNDS_SECONDS, FinishedJobs, GroupCounts, JobInfo, LiveJobs, NamedJobs, PendingJob, Queue, Queued,
    SpecificationKey,
};
use crate::terms::{JobStatus, JobType, TemplateKind};

/// How many specifications queued instances may need; the youngest beyond that are counted as unsized.
const MAX_QUEUED_SPECIFICATIONS: usize = 5_000;

/// Counts jobs as they come.
pub(super) struct Fold {
    now: SystemTime,
    live: LiveJobs,
    finished: FinishedJobs,
    live_pass: JobPass,
    dead_pass: JobPass,
    completions: CompletionsPass,
    /// The oldest pending jobs, the youngest of them on top.
    oldest: BinaryHeap<PendingJob>,
    max_oldest: usize,
    /// The version of each template that was seen: Nomad lists a parent before its children.
    templates: HashMap<(String, String), u64>,
    job_types: Vec<JobType>,
    max_jobs: usize,
}

/// What a list of jobs came to.
pub(super) struct Finished {
    pub(super) live: LiveJobs,
    pub(super) finished: FinishedJobs,
    pub(super) live_pass: JobPass,
    pub(super) dead_pass: JobPass,
    pub(super) completions: CompletionsPass,
}

impl Fold {
    pub(super) fn new(context: &Context) -> Self {
        let settings = &context.settings;
        Self {
            now: (context.now)(),
            live: LiveJobs::default(),
            finished: FinishedJobs::default(),
            live_pass: context.placements.job_pass(),
            dead_pass: context.placements.job_pass(),
            completions: context.completions.pass(),
            oldest: BinaryHeap::with_capacity(settings.pending_jobs + 1),
            max_oldest: settings.pending_jobs,
            templates: HashMap::new(),
            job_types: settings.job_types.clone(),
            max_jobs: settings.max_jobs,
        }
    }

    pub(super) fn add(&mut self, job: &Job) {
        let kind = job.template();
        match (kind, job.status) {
            (Some(kind), JobStatus::Dead) => {
                at(&mut self.finished.by_namespace, job.namespace()).templates[kind] += 1;
            }
            (Some(kind), status) => self.add_template(job, kind, status),
            (None, JobStatus::Dead) => self.add_dead(job),
            (None, status) => self.add_live(job, status),
        }
        if self.job_types.contains(&job.job_type) {
            let named = if job.status.is_live() { &mut self.live.named } else { &mut self.finished.named };
            add_named(named, job, self.max_jobs);
        }
    }

    fn add_template(&mut self, job: &Job, kind: TemplateKind, status: JobStatus) {
        at(&mut self.live.by_namespace, job.namespace()).templates[kind][status] += 1;
        let id = job.id.clone().unwrap_or_default();
        self.templates.insert((job.namespace().to_owned(), id), job.job_modify_index.unwrap_or_default());
    }

    fn add_dead(&mut self, job: &Job) {
        let outcome = job.outcome();
        let namespace = at(&mut self.finished.by_namespace, job.namespace());
        namespace.outcomes[job.job_type][outcome] += 1;
        self.dead_pass.add(job);
        self.completions.add(job, outcome);
    }

    fn add_live(&mut self, job: &Job, status: JobStatus) {
        self.live_pass.add(job);
        let namespace = at(&mut self.live.by_namespace, job.namespace());
        namespace.jobs[job.job_type][status] += 1;
        let pool = job.node_pool.as_deref().unwrap_or_default();
        let queued = job.sum(|group| group.queued);
        at(&mut namespace.queued, pool)[job.job_type] += queued;
        if status == JobStatus::Pending {
            self.add_pending(job);
        }
        if queued > 0 {
            self.add_queued(job, pool);
        }
    }

    fn add_pending(&mut self, job: &Job) {
        // Without a submit time an age would be invented.
        let Some(submitted) = job.submitted() else { return };
        let namespace = at(&mut self.live.by_namespace, job.namespace());
        earliest(&mut namespace.oldest_pending[job.job_type], Some(submitted));
        // Clocks differ: a job from the future has not waited yet.
        let age = self.now.duration_since(submitted).unwrap_or_default();
        namespace.pending_ages.observe(&AGE_BOUNDS_SECONDS, age);
        // Without an ID its series could not be told apart.
        let Some(id) = job.id.clone().filter(|id| !id.is_empty()) else { return };
        self.oldest.push(PendingJob { submitted, namespace: job.namespace().to_owned(), id });
        if self.oldest.len() > self.max_oldest {
            self.oldest.pop();
        }
    }

    fn add_queued(&mut self, job: &Job, pool: &str) {
        let key = self.specification_key(job);
        let queue = &mut self.live.queue.by_specification;
        let queued = queue.entry(key).or_insert_with(|| Queued {
            submitted: None,
            node_pool: pool.to_owned(),
            groups: Default::default(),
        });
        earliest(&mut queued.submitted, job.submitted());
        for (group, summary) in job.groups() {
            *at(&mut queued.groups, group) += count(summary.queued);
        }
        // Pruned now and then, so that it costs little.
        if queue.len() > 2 * MAX_QUEUED_SPECIFICATIONS {
            prune(&mut self.live.queue);
        }
    }

    /// Which job's specification tells what this one asks for.
    fn specification_key(&self, job: &Job) -> SpecificationKey {
        let own = job.job_modify_index.unwrap_or_default();
        let namespace = job.namespace().to_owned();
        if let Some(parent) = job.parent() {
            let version = self.templates.get(&(namespace.clone(), parent.to_owned()));
            // A child older than its parent's present version was started from another one.
            if let Some(version) = version.copied().filter(|version| *version <= own) {
                return SpecificationKey { namespace, job_id: parent.to_owned(), modify_index: version };
            }
        }
        SpecificationKey { namespace, job_id: job.id.clone().unwrap_or_default(), modify_index: own }
    }

    /// Ends it: what there is of live jobs, and of dead ones.
    pub(super) fn finish(mut self) -> Finished {
        self.live.oldest_pending = self.oldest.into_sorted_vec();
        // Two rows of one job would be the same series twice.
        let mut named = HashSet::new();
        self.live.oldest_pending.retain(|job| named.insert((job.namespace.clone(), job.id.clone())));
        prune(&mut self.live.queue);
        finish_named(&mut self.live.named);
        Finished {
            live: self.live,
            finished: self.finished,
            live_pass: self.live_pass,
            dead_pass: self.dead_pass,
            completions: self.completions,
        }
    }
}

/// Keeps the oldest of what is queued, within the cap.
fn prune(queue: &mut Queue) {
    let Some(excess) = queue.by_specification.len().checked_sub(MAX_QUEUED_SPECIFICATIONS).filter(|n| *n > 0)
    else {
        return;
    };
    let by_specification = &mut queue.by_specification;
    let mut by_age: Vec<_> =
        by_specification.iter().map(|(key, queued)| (queued.submitted, key.clone())).collect();
    by_age.sort_unstable();
    for (_, key) in by_age.into_iter().rev().take(excess) {
        let instances = by_specification.remove(&key).map_or(0, |queued| queued.groups.values().sum());
        *at(&mut queue.untracked, &key.namespace) += instances;
    }
}

/// Adds a job to those that have series of their own, or its instances to its parent.
fn add_named(named: &mut NamedJobs, job: &Job, max_jobs: usize) {
    let dead_build =
        job.status == JobStatus::Dead && matches!(job.job_type, JobType::Batch | JobType::Sysbatch);
    if dead_build && job.parent().is_none() {
        // Finished builds are counted, not named.
        return;
    }
    let id = job.parent().or(job.id.as_deref()).unwrap_or_default();
    let jobs = at(&mut named.by_namespace, job.namespace());
    if !jobs.contains_key(id) {
        if named.count >= max_jobs {
            if job.parent().is_none() {
                named.dropped_jobs += 1;
                named.dropped_groups += job.groups().count() as u64;
            }
            return;
        }
        named.count += 1;
    }
    let entry = at(jobs, id);
    if job.parent().is_none() {
        entry.info = Some(JobInfo {
            job_type: job.job_type,
            node_pool: job.node_pool.clone().unwrap_or_default(),
            priority: job.priority.unwrap_or_default(),
            status: job.status,
        });
    }
    for (group, summary) in job.groups() {
        *at(&mut entry.groups, group) += counts(summary);
    }
}

fn counts(summary: &TaskGroupSummary) -> GroupCounts {
    GroupCounts {
        queued: count(summary.queued),
        complete: count(summary.complete),
        failed: count(summary.failed),
        lost: count(summary.lost),
    }
}

/// Forgets children whose parent was not seen: there is no job to show them under.
fn finish_named(named: &mut NamedJobs) {
    for jobs in named.by_namespace.values_mut() {
        jobs.retain(|_, job| job.info.is_some());
    }
}
