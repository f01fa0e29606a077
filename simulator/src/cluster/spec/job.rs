//! Job specifications.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::{Cause, Constraint, JobType, Lifecycle, Reschedule, Restarts, Span, Task, TaskGroup};

/// Nomad's default for `kill_timeout`.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// A job specification.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// ID and name.
    pub id: String,
    /// Namespace.
    pub namespace: String,
    /// Type.
    pub job_type: JobType,
    /// Priority from 1 to 100; the highest is scheduled first.
    pub priority: u32,
    /// Node pool; `all` for every node.
    pub node_pool: String,
    /// Datacenters; `*` for all.
    pub datacenters: Vec<String>,
    /// Metadata.
    pub meta: BTreeMap<String, String>,
    /// Task groups.
    pub groups: Vec<TaskGroup>,
    /// Constraint on nodes.
    pub constraint: Option<Constraint>,
    /// Whether it requests a host volume, which no node has.
    pub host_volume: bool,
    /// Launch interval of a periodic job.
    pub periodic: Option<Duration>,
    /// Whether it is parameterized.
    pub parameterized: bool,
    /// Run time of each allocation of a batch job, and the time until a failure.
    pub run_time: Span,
    /// Share of the allocations that fail.
    pub failure_probability: f64,
    /// Cause of failures.
    pub cause: Cause,
    /// The failing task; the first main task by default. A prestart task fails when it would have ended.
    pub failing_task: Option<String>,
    /// Restarts of a failed task by its client.
    pub restarts: Restarts,
    /// Rescheduling of failed allocations.
    pub reschedule: Reschedule,
    /// Start time of an allocation; by default as in the cluster's settings.
    pub start_time: Option<Duration>,
    /// Time that tasks take to exit; by default as in the cluster's settings.
    pub kill_time: Option<Duration>,
    /// `max_run_duration`, in versions that support it.
    pub max_run_duration: Option<Duration>,
}

impl JobSpec {
    /// Creates a small job of this type, with one group, one allocation and one task.
    pub fn new(job_type: JobType, id: &str) -> JobSpec {
        let reschedule = if job_type == JobType::Service { Reschedule::SERVICE } else { Reschedule::NEVER };
        JobSpec {
            id: id.to_owned(),
            namespace: "default".to_owned(),
            job_type,
            priority: 50,
            node_pool: "default".to_owned(),
            datacenters: vec!["*".to_owned()],
            meta: BTreeMap::new(),
            groups: vec![TaskGroup::new("group")],
            constraint: None,
            host_volume: false,
            periodic: None,
            parameterized: false,
            run_time: Duration::from_secs(60).into(),
            failure_probability: 0.0,
            cause: Cause::Exit(1),
            failing_task: None,
            restarts: Restarts::NEVER,
            reschedule,
            start_time: None,
            kill_time: None,
            max_run_duration: None,
        }
    }

    /// Creates a small batch job.
    pub fn batch(id: &str) -> JobSpec {
        JobSpec::new(JobType::Batch, id)
    }

    /// Creates a small service.
    pub fn service(id: &str) -> JobSpec {
        JobSpec::new(JobType::Service, id)
    }

    /// Creates a small system job.
    pub fn system(id: &str) -> JobSpec {
        JobSpec { node_pool: "all".to_owned(), ..JobSpec::new(JobType::System, id) }
    }

    /// Creates a small sysbatch job.
    pub fn sysbatch(id: &str) -> JobSpec {
        JobSpec { node_pool: "all".to_owned(), ..JobSpec::new(JobType::Sysbatch, id) }
    }

    /// Adds metadata.
    pub fn with_meta(mut self, key: &str, value: &str) -> JobSpec {
        self.meta.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets the namespace.
    pub fn in_namespace(mut self, namespace: &str) -> JobSpec {
        self.namespace = namespace.to_owned();
        self
    }

    /// Sets the node pool.
    pub fn in_pool(mut self, node_pool: &str) -> JobSpec {
        self.node_pool = node_pool.to_owned();
        self
    }

    /// Sets the count of the first group.
    pub fn with_count(mut self, count: u32) -> JobSpec {
        if let Some(group) = self.groups.first_mut() {
            group.count = count;
        }
        self
    }

    /// Sets CPU (MHz) and memory (MiB) of the first task.
    pub fn with_resources(mut self, cpu: u64, memory_mb: u64) -> JobSpec {
        if let Some(task) = self.groups.first_mut().and_then(|group| group.tasks.first_mut()) {
            task.cpu = cpu;
            task.memory_mb = memory_mb;
        }
        self
    }

    /// Sets reserved cores and GPUs of the first task.
    pub fn with_cores_and_gpus(mut self, cores: u64, gpus: u64) -> JobSpec {
        if let Some(task) = self.groups.first_mut().and_then(|group| group.tasks.first_mut()) {
            task.cores = cores;
            task.gpus = gpus;
        }
        self
    }

    /// Sets the run time.
    pub fn running_for(mut self, run_time: impl Into<Span>) -> JobSpec {
        self.run_time = run_time.into();
        self
    }

    /// Sets the share of failing allocations.
    pub fn failing(mut self, probability: f64) -> JobSpec {
        self.failure_probability = probability;
        self
    }

    /// Makes all allocations fail with this cause.
    pub fn failing_with(mut self, cause: Cause) -> JobSpec {
        self.failure_probability = 1.0;
        self.cause = cause;
        self
    }

    /// Sets the failing task.
    pub fn failing_in(mut self, task: &str) -> JobSpec {
        self.failing_task = Some(task.to_owned());
        self
    }

    /// Sets restarts of failed tasks (`None` without limit), and their delay.
    pub fn restarting(mut self, attempts: Option<u32>, delay: Duration) -> JobSpec {
        self.restarts = Restarts { attempts, delay };
        self
    }

    /// Reschedules failed allocations without limit, after this delay.
    pub fn with_reschedule(mut self, delay: Duration) -> JobSpec {
        self.reschedule = Reschedule { attempts: None, delay };
        self
    }

    /// Reschedules failed allocations up to this number, after this delay.
    pub fn with_reschedules(mut self, attempts: u32, delay: Duration) -> JobSpec {
        self.reschedule = Reschedule { attempts: Some(attempts), delay };
        self
    }

    /// Sets the start time.
    pub fn starting_in(mut self, start_time: Duration) -> JobSpec {
        self.start_time = Some(start_time);
        self
    }

    /// Sets the time that tasks take to exit.
    pub fn dying_in(mut self, kill_time: Duration) -> JobSpec {
        self.kill_time = Some(kill_time);
        self
    }

    /// Sets `max_run_duration`.
    pub fn with_max_run_duration(mut self, max_run_duration: Duration) -> JobSpec {
        self.max_run_duration = Some(max_run_duration);
        self
    }

    /// Adds a task to the first group.
    pub fn with_task(mut self, task: Task) -> JobSpec {
        if let Some(group) = self.groups.first_mut() {
            group.tasks.push(task);
        }
        self
    }

    /// Adds a poststop task `upload` with this run time to the first group.
    pub fn with_poststop(self, run_time: Duration) -> JobSpec {
        let lifecycle = Some(Lifecycle::Poststop);
        self.with_task(Task { lifecycle, run_time, ..Task::new("upload") })
    }

    /// Adds a group.
    pub fn with_group(mut self, group: TaskGroup) -> JobSpec {
        self.groups.push(group);
        self
    }

    /// Removes a group.
    pub fn without_group(mut self, name: &str) -> JobSpec {
        self.groups.retain(|group| group.name != name);
        self
    }

    /// Sets the priority, from 1 to 100.
    pub fn with_priority(mut self, priority: u32) -> JobSpec {
        self.priority = priority;
        self
    }

    /// Adds a constraint on nodes.
    pub fn requiring(mut self, attribute: &str, value: &str) -> JobSpec {
        self.constraint = Some(Constraint { attribute: attribute.to_owned(), value: value.to_owned() });
        self
    }

    /// Requests a host volume, which no node has.
    pub fn wanting_volume(mut self) -> JobSpec {
        self.host_volume = true;
        self
    }

    /// Makes the job periodic.
    pub fn every(mut self, interval: Duration) -> JobSpec {
        self.periodic = Some(interval);
        self
    }

    /// Makes the job parameterized.
    pub fn dispatched(mut self) -> JobSpec {
        self.parameterized = true;
        self
    }

    /// Returns the `kill_timeout`.
    pub(crate) fn kill_timeout(&self) -> Duration {
        self.kill_time.unwrap_or_default().max(KILL_TIMEOUT)
    }

    /// Returns whether it only launches children.
    pub(crate) fn is_template(&self) -> bool {
        self.periodic.is_some() || self.parameterized
    }

    /// Returns whether any of its tasks requests a GPU.
    pub(crate) fn wants_gpus(&self) -> bool {
        self.groups.iter().flat_map(|group| &group.tasks).any(|task| task.gpus > 0)
    }

    /// Returns a number that is the same for jobs with the same requests and constraints.
    pub(crate) fn demand(&self) -> u64 {
        let groups: Vec<_> = self.groups.iter().map(|group| (&group.tasks, group.disk_mb)).collect();
        let demand =
            format!("{:?}", (&self.node_pool, &self.datacenters, &self.constraint, self.host_volume, groups));
        let mut hasher = DefaultHasher::new();
        demand.hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn group(&self, name: &str) -> Option<&TaskGroup> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Returns whether the allocations of a group stay unchanged with the job's version `newer`, because only
    /// counts or other groups differ. An identical job that is submitted again stands for one with changed
    /// metadata, which replaces everything.
    pub(crate) fn runs_on_as(&self, newer: &JobSpec, group: &str) -> bool {
        let uncounted = |group: &TaskGroup| TaskGroup { count: 0, ..group.clone() };
        let (Some(old), Some(new)) = (self.group(group), newer.group(group)) else { return false };
        let rest = |spec: &JobSpec| JobSpec { groups: Vec::new(), ..spec.clone() };
        self.groups != newer.groups && uncounted(old) == uncounted(new) && rest(self) == rest(newer)
    }
}
