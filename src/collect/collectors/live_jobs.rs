//! Counting of jobs that are not dead.

use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::time::SystemTime;

use super::named_jobs;
use crate::collect::chosen::{LabelSettings, add_job_meta};
use crate::collect::context::Context;
use crate::collect::earliest;
use crate::collect::observers::{JobPass, LookedFor};
use crate::nomad::api::{Job, count};
use crate::snapshot::{LiveJobs, PendingJob, Queue, Queued, QueuedGroup, SpecificationKey};
use crate::terms::{JobStatus, JobType, TemplateKind, at};

/// Maximum number of specifications of queued allocations. Allocations of the newest ones above it are
/// counted as unsized.
const MAX_QUEUED_SPECIFICATIONS: usize = 5_000;
/// Maximum number of pending jobs whose submit time is remembered.
const MAX_PENDING_SINCE: usize = 100_000;
/// Maximum number of pending jobs remembered that ran before.
const MAX_PENDING_AGAIN: usize = 100_000;

/// Start of the wait of each pending job, by namespace; `None` if there are too many to remember.
pub(in crate::collect) type PendingSince = Option<BTreeMap<String, Vec<SystemTime>>>;

/// Counts the jobs of a list. Dead ones, which servers without filters send too, are counted by another
/// collector.
pub(in crate::collect) struct LiveJobsFold {
    now: SystemTime,
    jobs: LiveJobs,
    pass: JobPass,
    /// The oldest pending jobs; the newest of them is on top, and is removed first.
    oldest: BinaryHeap<PendingJob>,
    max_oldest: usize,
    since: PendingSince,
    remembered: usize,
    /// Modify index of each template so far. Nomad lists a parent before its children.
    templates: HashMap<(String, String), u64>,
    periodic_count: usize,
    job_types: Vec<JobType>,
    max_jobs: usize,
    labels: LabelSettings,
}

impl LiveJobsFold {
    pub(in crate::collect) fn new(context: &Context, pass: JobPass) -> Self {
        let settings = &context.settings;
        Self {
            now: (context.now)(),
            jobs: LiveJobs::default(),
            pass,
            oldest: BinaryHeap::with_capacity(settings.pending_jobs + 1),
            max_oldest: settings.pending_jobs,
            since: Some(BTreeMap::new()),
            remembered: 0,
            templates: HashMap::new(),
            periodic_count: 0,
            job_types: settings.job_types.clone(),
            max_jobs: settings.max_jobs,
            labels: settings.labels.clone(),
        }
    }

    pub(in crate::collect) fn add(&mut self, job: &Job) {
        if !job.status.is_live() {
            return;
        }
        match job.template() {
            Some(kind) => self.add_template(job, kind, job.status),
            None => self.add_live(job, job.status),
        }
        if self.job_types.contains(&job.job_type) {
            let key = || specification_key(&self.templates, job);
            named_jobs::add_live(&mut self.jobs.named, job, self.max_jobs, key);
            add_job_meta(&mut self.jobs.named, job, &self.labels);
        }
    }

    fn add_template(&mut self, job: &Job, kind: TemplateKind, status: JobStatus) {
        at(&mut self.jobs.by_namespace, job.namespace()).templates[kind][status] += 1;
        let id = job.id.clone().unwrap_or_default();
        if kind == TemplateKind::Periodic && self.periodic_count < self.max_jobs {
            let is_new = at(&mut self.jobs.periodic, job.namespace()).insert(id.clone());
            self.periodic_count += usize::from(is_new);
        }
        self.templates.insert((job.namespace().to_owned(), id), job.job_modify_index.unwrap_or_default());
    }

    fn add_live(&mut self, job: &Job, status: JobStatus) {
        self.pass.add(job);
        let namespace = at(&mut self.jobs.by_namespace, job.namespace());
        namespace.jobs[job.job_type][status] += 1;
        let pool = job.node_pool.as_deref().unwrap_or_default();
        if !namespace.pools.contains(pool) {
            namespace.pools.insert(pool.to_owned());
        }
        if status == JobStatus::Pending {
            self.add_pending(job);
        }
        if job.sum(|group| group.queued) > 0 {
            self.add_queued(job, pool);
        }
    }

    fn add_pending(&mut self, job: &Job) {
        // Without a submit time, the age is unknown.
        let Some(since) = job.submitted() else { return };
        let (namespace, id) = (job.namespace().to_owned(), job.id.clone().unwrap_or_default());
        let pending = PendingJob { since, namespace, id, job_type: job.job_type };
        if job.ran_before() {
            if self.jobs.pending_again.len() < MAX_PENDING_AGAIN {
                self.jobs.pending_again.push(pending);
            }
            return;
        }
        let namespace = at(&mut self.jobs.by_namespace, job.namespace());
        namespace.pending.add(job.job_type, since, self.now);
        self.remembered += 1;
        if self.remembered > MAX_PENDING_SINCE {
            self.since = None;
        } else if let Some(by_namespace) = &mut self.since {
            at(by_namespace, job.namespace()).push(since);
        }
        self.oldest.push(pending);
        if self.oldest.len() > self.max_oldest {
            self.oldest.pop();
        }
    }

    fn add_queued(&mut self, job: &Job, pool: &str) {
        let named = named_jobs::name(job).filter(|_| self.job_types.contains(&job.job_type));
        let summary_index = job.job_summary.as_ref().and_then(|summary| summary.modify_index);
        let groups = job.groups().filter(|(_, summary)| count(summary.queued) > 0);
        let groups = groups.map(|(group, summary)| QueuedGroup {
            job: job.key(),
            named: named.map(Box::from),
            group: group.into(),
            count: count(summary.queued),
            summary_index,
        });
        let key = specification_key(&self.templates, job);
        let queue = &mut self.jobs.queue.by_specification;
        let queued = queue.entry(key).or_insert_with(|| Queued {
            submitted: None,
            node_pool: pool.to_owned(),
            job_type: job.job_type,
            groups: Vec::new(),
        });
        earliest(&mut queued.submitted, job.submitted());
        queued.groups.extend(groups);
        // Prune only at twice the limit, because pruning sorts the whole queue.
        if queue.len() > 2 * MAX_QUEUED_SPECIFICATIONS {
            prune(&mut self.jobs.queue);
        }
    }

    /// Returns the jobs whose first allocation is searched for.
    pub(in crate::collect) fn looked_for(&self) -> LookedFor {
        self.pass.looked_for()
    }

    /// Returns the result.
    pub(in crate::collect) fn finish(mut self) -> (LiveJobs, PendingSince, JobPass) {
        self.jobs.oldest_pending = self.oldest.into_sorted_vec();
        self.jobs.max_oldest = self.max_oldest;
        self.jobs.read_at = (!self.jobs.pending_again.is_empty()).then_some(self.now);
        prune(&mut self.jobs.queue);
        named_jobs::finish(&mut self.jobs.named);
        (self.jobs, self.since, self.pass)
    }
}

/// Updates the ages of pending jobs when the list is unchanged. Returns `None` if no job is pending.
pub(in crate::collect) fn aged(
    jobs: &LiveJobs,
    since: &BTreeMap<String, Vec<SystemTime>>,
    now: SystemTime,
) -> Option<LiveJobs> {
    if since.is_empty() && jobs.pending_again.is_empty() {
        return None;
    }
    let mut jobs = jobs.clone();
    jobs.read_at = jobs.read_at.map(|_| now);
    for (namespace, since) in since {
        at(&mut jobs.by_namespace, namespace).pending.age(since, now);
    }
    Some(jobs)
}

/// Returns the key of the specification that describes this job: its own, or its parent's.
fn specification_key(templates: &HashMap<(String, String), u64>, job: &Job) -> SpecificationKey {
    let own = named_jobs::own_specification(job);
    let Some(parent) = job.parent() else { return own };
    let version = templates.get(&(own.namespace.clone(), parent.to_owned())).copied();
    // A child that is older than the current version of its parent was started from another version.
    match version.filter(|version| *version <= own.modify_index) {
        Some(modify_index) => SpecificationKey { job_id: parent.to_owned(), modify_index, ..own },
        None => own,
    }
}

/// Keeps the oldest queued specifications, up to the limit.
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
        let Some(queued) = by_specification.remove(&key) else { continue };
        let by_type = at(at(&mut queue.untracked, &key.namespace), &queued.node_pool);
        by_type[queued.job_type].extend(queued.groups);
    }
}
