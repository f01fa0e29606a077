//! What is submitted: jobs of task groups of tasks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::resources::Resources;

/// How the scheduler treats a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobType {
    /// Runs until it is stopped; what ends is replaced.
    Service,
    /// Runs to completion.
    Batch,
    /// One instance on every node it fits to.
    System,
    /// Runs to completion on every node it fits to.
    Sysbatch,
}

impl JobType {
    /// Nomad's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            JobType::Service => "service",
            JobType::Batch => "batch",
            JobType::System => "system",
            JobType::Sysbatch => "sysbatch",
        }
    }

    /// Whether each node gets its own instance.
    pub(crate) fn is_per_node(self) -> bool {
        matches!(self, JobType::System | JobType::Sysbatch)
    }

    /// Whether its allocations end by themselves.
    pub(crate) fn completes(self) -> bool {
        matches!(self, JobType::Batch | JobType::Sysbatch)
    }
}

/// A span of time from which a duration is drawn for each allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl From<Duration> for Span {
    fn from(exactly: Duration) -> Span {
        Span { min: exactly, max: exactly }
    }
}

/// When a failed allocation is tried again elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reschedule {
    /// How often in all; `None` without limit.
    pub attempts: Option<u32>,
    /// How long to wait; doubled each time if there is no limit.
    pub delay: Duration,
}

impl Reschedule {
    /// Never again, as continuous integration wants it. Nomad itself tries a batch job once more.
    pub const NEVER: Reschedule = Reschedule { attempts: Some(0), delay: Duration::ZERO };
    /// Nomad's default for services.
    pub const SERVICE: Reschedule = Reschedule { attempts: None, delay: Duration::from_secs(30) };
}

/// A condition on nodes, `${attr.kernel.name} = windows`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// The left side, an interpolation.
    pub attribute: String,
    /// What the node's attribute must equal.
    pub value: String,
}

/// When a task runs, relative to the main tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// Before them.
    Prestart,
    /// Before and beside them.
    Sidecar,
    /// After they started.
    Poststart,
    /// After they ended.
    Poststop,
}

impl Lifecycle {
    pub(crate) fn hook(self) -> &'static str {
        match self {
            Lifecycle::Prestart | Lifecycle::Sidecar => "prestart",
            Lifecycle::Poststart => "poststart",
            Lifecycle::Poststop => "poststop",
        }
    }
}

/// One program of a task group.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// CPU share in MHz, if it does not reserve cores.
    pub cpu: u64,
    /// Whole cores reserved; 0 for none.
    pub cores: u64,
    /// Memory in MiB.
    pub memory_mb: u64,
    /// How far it may exceed its memory, in MiB; 0 for not at all.
    pub memory_max_mb: u64,
    /// `None` for a main task.
    pub lifecycle: Option<Lifecycle>,
}

impl Task {
    /// A small main task.
    pub fn new(name: &str) -> Task {
        Task { name: name.to_owned(), cpu: 100, cores: 0, memory_mb: 128, memory_max_mb: 0, lifecycle: None }
    }
}

/// Tasks that are placed together, a number of times.
#[derive(Clone, Debug)]
pub struct TaskGroup {
    /// Its name.
    pub name: String,
    /// How many instances.
    pub count: u32,
    /// What an instance runs.
    pub tasks: Vec<Task>,
    /// Ephemeral disk of an instance, in MiB.
    pub disk_mb: u64,
    /// How long an instance may be out of sight with its node before it counts as lost.
    pub max_client_disconnect: Option<Duration>,
}

impl TaskGroup {
    /// One instance of one small task.
    pub fn new(name: &str) -> TaskGroup {
        let tasks = vec![Task::new("main")];
        TaskGroup { name: name.to_owned(), count: 1, tasks, disk_mb: 300, max_client_disconnect: None }
    }

    /// What an instance takes of a node whose cores have this many MHz, as Nomad adds it up since 1.9.4.
    pub fn total(&self, core_mhz: u64) -> Resources {
        Resources::of_group(self, core_mhz)
    }
}

/// A job as it is submitted.
#[derive(Clone, Debug)]
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
    /// What it runs.
    pub groups: Vec<TaskGroup>,
    /// What its nodes must be.
    pub constraint: Option<Constraint>,
    /// How often it launches a child, if it is periodic.
    pub periodic: Option<Duration>,
    /// Whether it waits to be dispatched.
    pub parameterized: bool,
    /// How long each allocation of a batch job runs, and how long one that fails runs before it does.
    pub run_time: Span,
    /// The part of the allocations that fail.
    pub failure_probability: f64,
    /// What becomes of failed allocations.
    pub reschedule: Reschedule,
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
            groups: vec![TaskGroup::new("group")],
            constraint: None,
            periodic: None,
            parameterized: false,
            run_time: Duration::from_secs(60).into(),
            failure_probability: 0.0,
            reschedule,
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

    /// The same job with a constraint on its nodes.
    pub fn requiring(mut self, attribute: &str, value: &str) -> JobSpec {
        self.constraint = Some(Constraint { attribute: attribute.to_owned(), value: value.to_owned() });
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

    /// Whether it only launches children.
    pub(crate) fn is_template(&self) -> bool {
        self.periodic.is_some() || self.parameterized
    }

    /// A number that is the same for jobs whose instances want the same of a node.
    pub(crate) fn demand(&self) -> u64 {
        let groups: Vec<_> = self.groups.iter().map(|group| (&group.tasks, group.disk_mb)).collect();
        let demand = format!("{:?}", (&self.node_pool, &self.datacenters, &self.constraint, groups));
        let mut hasher = DefaultHasher::new();
        demand.hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn group(&self, name: &str) -> Option<&TaskGroup> {
        self.groups.iter().find(|group| group.name == name)
    }
}
