//! What is submitted: jobs of task groups of tasks.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::{Cause, Constraint, JobType, Lifecycle, Reschedule, Restarts, Span, Task, TaskGroup};

/// Nomad's default for `kill_timeout`.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// A job as it is submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// Its ID, which is also its name.
    pub id: String,
    /// Where it belongs.
    pub namespace: String,
    /// How it is scheduled.
    pub job_type: JobType,
    /// From 1 to 100; the higher is scheduled first.
    pub priority: u32,
    /// The pool whose nodes may run it; `all` for every node.
    pub node_pool: String,
    /// The datacenters whose nodes may run it; `*` for every one.
    pub datacenters: Vec<String>,
    /// What its owner says of it.
    pub meta: BTreeMap<String, String>,
    /// What it runs.
    pub groups: Vec<TaskGroup>,
    /// What its nodes must be.
    pub constraint: Option<Constraint>,
    /// Whether it wants a host volume, which no node has.
    pub host_volume: bool,
    /// How often it launches a child, if it is periodic.
    pub periodic: Option<Duration>,
    /// Whether it waits to be dispatched.
    pub parameterized: bool,
    /// How long each allocation of a batch job runs, and how long one that fails runs before it does.
    pub run_time: Span,
    /// The part of the allocations that fail.
    pub failure_probability: f64,
    /// What makes them fail.
    pub cause: Cause,
    /// The task that fails; the first main task without one. A task that runs before the main tasks fails when it
    /// would have ended.
    pub failing_task: Option<String>,
    /// How often a client restarts a failed task.
    pub restarts: Restarts,
    /// What becomes of failed allocations.
    pub reschedule: Reschedule,
    /// How long a client takes to start an allocation, if not as long as the cluster's settings say.
    pub start_time: Option<Duration>,
    /// How long tasks take to die once they are told to, if not as long as the cluster's settings say.
    pub kill_time: Option<Duration>,
    /// How long an allocation may last from its creation on, in versions that know it.
    pub max_run_duration: Option<Duration>,
}

impl JobSpec {
    /// A small job of this type: one group of one instance of one task.
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

    /// A small batch job.
    pub fn batch(id: &str) -> JobSpec {
        JobSpec::new(JobType::Batch, id)
    }

    /// A small service.
    pub fn service(id: &str) -> JobSpec {
        JobSpec::new(JobType::Service, id)
    }

    /// A small system job, which may run on every node.
    pub fn system(id: &str) -> JobSpec {
        JobSpec { node_pool: "all".to_owned(), ..JobSpec::new(JobType::System, id) }
    }

    /// A small sysbatch job, which may run on every node.
    pub fn sysbatch(id: &str) -> JobSpec {
        JobSpec { node_pool: "all".to_owned(), ..JobSpec::new(JobType::Sysbatch, id) }
    }

    /// The same job with this in its metadata.
    pub fn with_meta(mut self, key: &str, value: &str) -> JobSpec {
        self.meta.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The same job in another namespace.
    pub fn in_namespace(mut self, namespace: &str) -> JobSpec {
        self.namespace = namespace.to_owned();
        self
    }

    /// The same job for another node pool.
    pub fn in_pool(mut self, node_pool: &str) -> JobSpec {
        self.node_pool = node_pool.to_owned();
        self
    }

    /// The same job with this many instances of its first group.
    pub fn with_count(mut self, count: u32) -> JobSpec {
        if let Some(group) = self.groups.first_mut() {
            group.count = count;
        }
        self
    }

    /// The same job whose first task wants this much CPU (MHz) and memory (MiB).
    pub fn with_resources(mut self, cpu: u64, memory_mb: u64) -> JobSpec {
        if let Some(task) = self.groups.first_mut().and_then(|group| group.tasks.first_mut()) {
            task.cpu = cpu;
            task.memory_mb = memory_mb;
        }
        self
    }

    /// The same job whose first task wants this many whole cores and GPUs.
    pub fn with_cores_and_gpus(mut self, cores: u64, gpus: u64) -> JobSpec {
        if let Some(task) = self.groups.first_mut().and_then(|group| group.tasks.first_mut()) {
            task.cores = cores;
            task.gpus = gpus;
        }
        self
    }

    /// The same job whose allocations run this long.
    pub fn running_for(mut self, run_time: impl Into<Span>) -> JobSpec {
        self.run_time = run_time.into();
        self
    }

    /// The same job with this part of its allocations failing.
    pub fn failing(mut self, probability: f64) -> JobSpec {
        self.failure_probability = probability;
        self
    }

    /// The same job whose allocations all fail, because of this.
    pub fn failing_with(mut self, cause: Cause) -> JobSpec {
        self.failure_probability = 1.0;
        self.cause = cause;
        self
    }

    /// The same job in which this task is the one that fails.
    pub fn failing_in(mut self, task: &str) -> JobSpec {
        self.failing_task = Some(task.to_owned());
        self
    }

    /// The same job whose failed tasks are restarted by their client this often (`None` without limit), after this
    /// delay.
    pub fn restarting(mut self, attempts: Option<u32>, delay: Duration) -> JobSpec {
        self.restarts = Restarts { attempts, delay };
        self
    }

    /// The same job whose failed allocations are always replaced, after this delay.
    pub fn with_reschedule(mut self, delay: Duration) -> JobSpec {
        self.reschedule = Reschedule { attempts: None, delay };
        self
    }

    /// The same job whose failed allocations are replaced so often at most, after this delay.
    pub fn with_reschedules(mut self, attempts: u32, delay: Duration) -> JobSpec {
        self.reschedule = Reschedule { attempts: Some(attempts), delay };
        self
    }

    /// The same job whose allocations take this long to start.
    pub fn starting_in(mut self, start_time: Duration) -> JobSpec {
        self.start_time = Some(start_time);
        self
    }

    /// The same job whose tasks take this long to die once they are told to.
    pub fn dying_in(mut self, kill_time: Duration) -> JobSpec {
        self.kill_time = Some(kill_time);
        self
    }

    /// The same job whose allocations may last this long from their creation on.
    pub fn with_max_run_duration(mut self, max_run_duration: Duration) -> JobSpec {
        self.max_run_duration = Some(max_run_duration);
        self
    }

    /// The same job with another task in its first group.
    pub fn with_task(mut self, task: Task) -> JobSpec {
        if let Some(group) = self.groups.first_mut() {
            group.tasks.push(task);
        }
        self
    }

    /// The same job with a task `upload` in its first group that runs this long after the main tasks have ended.
    pub fn with_poststop(self, run_time: Duration) -> JobSpec {
        let lifecycle = Some(Lifecycle::Poststop);
        self.with_task(Task { lifecycle, run_time, ..Task::new("upload") })
    }

    /// The same job with another group.
    pub fn with_group(mut self, group: TaskGroup) -> JobSpec {
        self.groups.push(group);
        self
    }

    /// The same job without this group.
    pub fn without_group(mut self, name: &str) -> JobSpec {
        self.groups.retain(|group| group.name != name);
        self
    }

    /// The same job with this priority, from 1 to 100.
    pub fn with_priority(mut self, priority: u32) -> JobSpec {
        self.priority = priority;
        self
    }

    /// The same job with a constraint on its nodes.
    pub fn requiring(mut self, attribute: &str, value: &str) -> JobSpec {
        self.constraint = Some(Constraint { attribute: attribute.to_owned(), value: value.to_owned() });
        self
    }

    /// The same job with a host volume, which no node has.
    pub fn wanting_volume(mut self) -> JobSpec {
        self.host_volume = true;
        self
    }

    /// The same job as a template that launches a child this often.
    pub fn every(mut self, interval: Duration) -> JobSpec {
        self.periodic = Some(interval);
        self
    }

    /// The same job as a template that is dispatched.
    pub fn dispatched(mut self) -> JobSpec {
        self.parameterized = true;
        self
    }

    /// After how long a client forces its tasks to die.
    pub(crate) fn kill_timeout(&self) -> Duration {
        self.kill_time.unwrap_or_default().max(KILL_TIMEOUT)
    }

    /// Whether it only launches children.
    pub(crate) fn is_template(&self) -> bool {
        self.periodic.is_some() || self.parameterized
    }

    /// Whether any of its tasks wants a GPU.
    pub(crate) fn wants_gpus(&self) -> bool {
        self.groups.iter().flat_map(|group| &group.tasks).any(|task| task.gpus > 0)
    }

    /// A number that is the same for jobs whose instances want the same of a node.
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

    /// Whether the instances of a group run on unchanged after the job became `newer`, because only counts or other
    /// groups have changed. A job that is submitted again as it was stands for one whose metadata have changed, which
    /// replaces everything.
    pub(crate) fn runs_on_as(&self, newer: &JobSpec, group: &str) -> bool {
        let uncounted = |group: &TaskGroup| TaskGroup { count: 0, ..group.clone() };
        let (Some(old), Some(new)) = (self.group(group), newer.group(group)) else { return false };
        let rest = |spec: &JobSpec| JobSpec { groups: Vec::new(), ..spec.clone() };
        self.groups != newer.groups && uncounted(old) == uncounted(new) && rest(self) == rest(newer)
    }
}
