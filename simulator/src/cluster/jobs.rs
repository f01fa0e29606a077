//! Operations on jobs: submit, dispatch, stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::time::seconds;

use super::agenda::Event;
use super::events::{Message, Object, Payload};
use super::id::AllocationId;
use super::job::{ChildrenSummary, GroupSummary, Job, JobKey, JobStatus};
use super::spec::JobSpec;
use super::{Allocation, Cluster};

impl Cluster {
    /// Registers a job or a new version of it. Running allocations of the old version are replaced. Creates
    /// the job's namespace if necessary. Returns the job's ID.
    pub fn submit(&mut self, spec: JobSpec) -> String {
        self.commit();
        let id = spec.id.clone();
        self.register(spec, None, false);
        id
    }

    /// Dispatches a parameterized job. Returns the child's ID, or `None` if there is no such job.
    pub fn dispatch(&mut self, parent: &JobKey) -> Option<String> {
        self.commit();
        let job = self.jobs.get(parent).filter(|job| job.spec.parameterized && !job.stop)?;
        let mut spec = JobSpec::clone(&job.spec);
        spec.parameterized = false;
        let random = self.rng.next() as u32;
        spec.id = format!("{}/dispatch-{}-{random:08x}", parent.id, seconds(self.now));
        let id = spec.id.clone();
        self.register(spec, Some(&parent.id), true);
        Some(id)
    }

    /// Stops a job. A purged job leaves the lists at once, even before its allocations have stopped.
    pub fn stop_job(&mut self, namespace: &str, id: &str, purge: bool) {
        self.commit();
        let key = JobKey::new(namespace, id);
        let index = self.write(Message::JobDeregistered, Object::Job(key.clone()));
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&key) else { return };
        // The event of a purge contains the job as it was before the purge.
        let before = purge.then(|| Payload::Job(Box::new(job.alone())));
        job.stop = true;
        job.version += 1;
        job.job_modify_index = index;
        job.modify_index = index;
        job.modified = now;
        self.cancel_deployment(&key, "Cancelled because job is stopped");
        self.create_evaluation(&key, "job-deregister", |_| {});
        self.refresh_status(&key);
        if let Some(before) = before {
            self.journal.remove(&Object::Job(key.clone()), before);
            self.remove_job(&key, index);
        }
    }

    /// Stops a single allocation, like `nomad alloc stop`. Nomad treats it as a migration, as if its node
    /// were drained.
    pub fn stop_one_allocation(&mut self, id: AllocationId) {
        self.commit();
        if self.allocations.get(&id).is_none_or(Allocation::is_terminal) {
            return;
        }
        self.together(Message::AllocationUpdateDesiredStatus, |cluster| {
            let index = cluster.write(Message::AllocationUpdateDesiredStatus, Object::Allocation(id));
            let Some(allocation) = cluster.allocations.get_mut(&id) else { return };
            allocation.migrate = true;
            allocation.by_hand = true;
            allocation.modify_index = index;
            let job = allocation.job.clone();
            cluster.create_evaluation(&job, "alloc-stop", |_| {});
        });
    }

    /// Makes the next allocations of a job fail, whatever its failure probability.
    pub fn fail_next_allocations(&mut self, namespace: &str, id: &str, count: u32) {
        if let Some(job) = self.jobs.get_mut(&JobKey::new(namespace, id)) {
            job.failures_ordered += count;
        }
    }

    /// Removes a job; its parent counts it as a dead child.
    pub(super) fn forget_job(&mut self, key: &JobKey, message: Message) {
        let object = Object::Job(key.clone());
        let index = self.write(message, object.clone());
        if let Some(job) = self.jobs.get(key) {
            self.journal.remove(&object, Payload::Job(Box::new(job.alone())));
        }
        self.remove_job(key, index);
    }

    fn remove_job(&mut self, key: &JobKey, index: u64) {
        let Some(job) = self.jobs.remove(key) else { return };
        self.history.purged(job.record);
        let Some(parent) = job.parent else { return };
        if let Some(parent) = self.jobs.get_mut(&JobKey { namespace: key.namespace.clone(), id: parent })
            && job.status != JobStatus::Dead
        {
            let left = parent.children.of(job.status);
            *left = left.saturating_sub(1);
            parent.children.dead += 1;
            parent.summary_index = index;
        }
    }

    /// Launches a child of a periodic job, and schedules the next launch.
    pub(super) fn launch_periodic(&mut self, key: &JobKey) {
        let Some(job) = self.jobs.get(key).filter(|job| !job.stop) else { return };
        let Some(interval) = job.spec.periodic else { return };
        let mut spec = JobSpec::clone(&job.spec);
        spec.periodic = None;
        spec.id = format!("{}/periodic-{}", key.id, seconds(self.now));
        // A job that was submitted again has scheduled its launches again; one series is enough.
        if self.jobs.contains_key(&JobKey::new(&key.namespace, &spec.id)) {
            return;
        }
        self.register(spec, Some(&key.id), false);
        self.enter_launch(key.clone(), interval);
    }

    /// Launches are at multiples of the interval, like those of a cron expression.
    fn enter_launch(&mut self, key: JobKey, interval: Duration) {
        let step = interval.as_secs().max(1);
        let next = (seconds(self.now) / step + 1) * step;
        self.agenda.enter(UNIX_EPOCH + Duration::from_secs(next), Event::Launch(key));
    }

    fn register(&mut self, spec: JobSpec, parent: Option<&str>, dispatched: bool) {
        self.create_namespace(&spec.namespace);
        let key = JobKey::new(&spec.namespace, &spec.id);
        self.cancel_deployment(&key, "Cancelled due to newer version of job");
        let index = self.write(Message::JobRegistered, Object::Job(key.clone()));
        let record = self.history.submitted(&key, spec.job_type, parent, spec.is_template(), self.now);
        let periodic = spec.periodic;
        let summary: BTreeMap<_, _> =
            spec.groups.iter().map(|group| (group.name.clone(), GroupSummary::default())).collect();
        let old = self.jobs.remove(&key);
        let mut job = old.unwrap_or_else(|| Job {
            key: key.clone(),
            demand: spec.demand(),
            spec: Arc::new(spec.clone()),
            parent: parent.map(str::to_owned),
            dispatched,
            version: 0,
            stop: false,
            stable: false,
            status: JobStatus::Pending,
            submitted: self.now,
            modified: self.now,
            create_index: index,
            modify_index: index,
            job_modify_index: index,
            summary: summary.clone(),
            children: ChildrenSummary::default(),
            summary_index: index,
            allocations: Vec::new(),
            evaluations: BTreeSet::new(),
            deployment: None,
            evaluated: false,
            failures_ordered: 0,
            record,
        });
        if job.create_index < index {
            job.version += 1;
            job.demand = spec.demand();
            // Removed groups stay in the summary unchanged.
            for (group, nothing) in summary {
                job.summary.entry(group).or_insert(nothing);
            }
            job.spec = Arc::new(spec);
            job.stop = false;
            job.submitted = self.now;
            job.modify_index = index;
            job.job_modify_index = index;
            job.deployment = None;
            job.record = record;
        }
        let template = job.is_template();
        self.jobs.insert(key.clone(), job);
        if let Some(parent) = parent
            && let Some(parent) = self.jobs.get_mut(&JobKey::new(&key.namespace, parent))
        {
            parent.children.pending += 1;
            parent.summary_index = index;
        }
        if !template {
            self.create_evaluation(&key, "job-register", |_| {});
        }
        if let Some(interval) = periodic {
            self.enter_launch(key.clone(), interval);
        }
        self.refresh_status(&key);
    }
}
