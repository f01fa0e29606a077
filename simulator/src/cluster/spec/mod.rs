//! Parts of job specifications.

mod cause;
mod job;

use std::time::Duration;

use super::resources::Resources;

pub use cause::Cause;
pub use job::JobSpec;

/// Job type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobType {
    /// Runs until it is stopped. Allocations that end are replaced.
    Service,
    /// Runs to completion.
    Batch,
    /// Runs one allocation on every matching node.
    System,
    /// Runs one allocation to completion on every matching node.
    Sysbatch,
}

impl JobType {
    /// Returns Nomad's name of the type.
    pub fn as_str(self) -> &'static str {
        match self {
            JobType::Service => "service",
            JobType::Batch => "batch",
            JobType::System => "system",
            JobType::Sysbatch => "sysbatch",
        }
    }

    /// Returns whether it runs on each node.
    pub(crate) fn is_per_node(self) -> bool {
        matches!(self, JobType::System | JobType::Sysbatch)
    }

    /// Returns whether its allocations end by themselves.
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

/// Rescheduling of failed allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reschedule {
    /// Number of attempts; `None` without limit.
    pub attempts: Option<u32>,
    /// Delay; doubled each time without a limit.
    pub delay: Duration,
}

impl Reschedule {
    /// No rescheduling, as usual for builds. Nomad's default for batch jobs is one attempt.
    pub const NEVER: Reschedule = Reschedule { attempts: Some(0), delay: Duration::ZERO };
    /// Nomad's default for services.
    pub const SERVICE: Reschedule = Reschedule { attempts: None, delay: Duration::from_secs(30) };
}

/// Restarts of a failed task by its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// Total number of restarts; `None` without limit.
    pub attempts: Option<u32>,
    /// Delay before each restart.
    pub delay: Duration,
}

impl Restarts {
    /// No restarts.
    pub const NEVER: Restarts = Restarts { attempts: Some(0), delay: Duration::from_secs(1) };

    /// Returns whether one more restart is allowed.
    pub(crate) fn allow(self, restarts: u32) -> bool {
        self.attempts.is_none_or(|attempts| restarts < attempts)
    }
}

/// A condition on nodes, `${attr.kernel.name} = windows`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// The left side, an interpolation.
    pub attribute: String,
    /// The right side, which the node's attribute must equal.
    pub value: String,
}

/// Lifecycle of a task, relative to the main tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// Runs before them.
    Prestart,
    /// Starts before them, and runs alongside them.
    Sidecar,
    /// Starts after they have started.
    Poststart,
    /// Starts after they have ended.
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

/// A task of a task group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// CPU in MHz, without reserved cores.
    pub cpu: u64,
    /// Number of reserved cores.
    pub cores: u64,
    /// Number of GPUs.
    pub gpus: u64,
    /// Memory in MiB.
    pub memory_mb: u64,
    /// Maximum memory in MiB; 0 without memory oversubscription.
    pub memory_max_mb: u64,
    /// `None` for a main task.
    pub lifecycle: Option<Lifecycle>,
    /// Run time of a task that is not a main task.
    pub run_time: Duration,
}

impl Task {
    /// Creates a small main task.
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

/// A task group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskGroup {
    /// Its name.
    pub name: String,
    /// Number of allocations.
    pub count: u32,
    /// Tasks of each allocation.
    pub tasks: Vec<Task>,
    /// Ephemeral disk of each allocation, in MiB.
    pub disk_mb: u64,
    /// Time that an allocation may be on a disconnected node before it is lost.
    pub max_client_disconnect: Option<Duration>,
}

impl TaskGroup {
    /// Creates a group of one allocation with one small task.
    pub fn new(name: &str) -> TaskGroup {
        let tasks = vec![Task::new("main")];
        TaskGroup { name: name.to_owned(), count: 1, tasks, disk_mb: 300, max_client_disconnect: None }
    }

    /// Returns the resources of an allocation on a node whose cores have this many MHz. Added up as in Nomad
    /// 1.9.4 and later.
    pub fn total(&self, core_mhz: u64) -> Resources {
        Resources::of_group(self, core_mhz)
    }
}
