//! What jobs are made of: groups of tasks, and what becomes of them.

mod cause;
mod job;

use std::time::Duration;

use super::resources::Resources;

pub use cause::Cause;
pub use job::JobSpec;

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

/// How often a client restarts a failed task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// Number of restarts in all; `None` without limit.
    pub attempts: Option<u32>,
    /// Delay before each restart.
    pub delay: Duration,
}

impl Restarts {
    /// Never.
    pub const NEVER: Restarts = Restarts { attempts: Some(0), delay: Duration::from_secs(1) };

    /// Whether a task that was restarted this often may be restarted once more.
    pub(crate) fn allow(self, restarts: u32) -> bool {
        self.attempts.is_none_or(|attempts| restarts < attempts)
    }
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

/// Default run time of tasks that are not main tasks.
const SHORT_RUN: Duration = Duration::from_secs(2);

/// One program of a task group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// CPU share in MHz, if it does not reserve cores.
    pub cpu: u64,
    /// Whole cores reserved; 0 for none.
    pub cores: u64,
    /// GPUs; 0 for none.
    pub gpus: u64,
    /// Memory in MiB.
    pub memory_mb: u64,
    /// How far it may exceed its memory, in MiB; 0 for not at all.
    pub memory_max_mb: u64,
    /// `None` for a main task.
    pub lifecycle: Option<Lifecycle>,
    /// How long it runs, if it runs before or after the main tasks or when they have started.
    pub run_time: Duration,
}

impl Task {
    /// A small main task.
    pub fn new(name: &str) -> Task {
        Task {
            name: name.to_owned(),
            cpu: 100,
            cores: 0,
            gpus: 0,
            memory_mb: 128,
            memory_max_mb: 0,
            lifecycle: None,
            run_time: SHORT_RUN,
        }
    }
}

/// Tasks that are placed together, a number of times.
#[derive(Clone, Debug, PartialEq, Eq)]
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
