//! Rows of `GET /v1/allocations?task_states=true`, with failures and restarts of tasks.

use serde::Deserialize;

use super::Map;
use super::statuses::{self, Description, from_text};
use crate::terms::{ClientStatus, DesiredStatus, JobType, Outcome, vocabulary};

/// An allocation with the task reports of its client.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocationReport {
    /// A UUID.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// Its job's namespace.
    pub namespace: Option<String>,
    /// Its job.
    #[serde(rename = "JobID")]
    pub job_id: Option<String>,
    /// Its job's type.
    pub job_type: JobType,
    /// Its task group.
    pub task_group: Option<String>,
    /// The node it is placed on.
    #[serde(rename = "NodeID")]
    pub node_id: Option<String>,
    /// Raft index of the last change.
    pub modify_index: Option<u64>,
    client_status: ClientStatus,
    desired_status: DesiredStatus,
    desired_description: Description,
    client_description: Description,
    task_states: Option<Map<TaskReport>>,
}

/// A client's report on a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskReport {
    /// Whether it has failed permanently.
    pub failed: Option<bool>,
    restarts: Option<i64>,
    events: Option<Vec<Option<ReportedEvent>>>,
}

/// A task event.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ReportedEvent {
    /// Type of the event.
    #[serde(rename = "Type")]
    pub kind: EventKind,
    /// Time in Unix nanoseconds, unique among the events of a task.
    pub time: Option<i64>,
    details: Option<Details>,
}

/// Details of an event; all values are strings.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    exit_code: Number,
    signal: Number,
    oom_killed: Flag,
    fails_task: Flag,
}

/// A number in a string; `None` if it is not a number.
#[derive(Clone, Copy, Debug, Default)]
struct Number(Option<i64>);

/// Whether a string is `true`.
#[derive(Clone, Copy, Debug, Default)]
struct Flag(bool);

from_text!(Number, text => Number(text.parse().ok()));
from_text!(Flag, text => Flag(text == "true"));

vocabulary! {
    /// Types of task events that show why a task failed, or when it was started.
    EventKind {
        Started = "Started",
        Terminated = "Terminated",
        Killing = "Killing",
        DriverFailure = "Driver Failure",
        ArtifactDownloadFailed = "Failed Artifact Download",
        ValidationFailed = "Failed Validation",
        SetupFailure = "Setup Failure",
        HookFailed = "Task hook failed",
        RestoreFailed = "Failed Restoring Task",
        DiskExceeded = "Disk Resources Exceeded",
        RestartSignaled = "Restart Signaled",
    } else Other
}

impl AllocationReport {
    /// Returns whether it failed without being killed by a drain or a preemption.
    pub fn has_failed(&self) -> bool {
        let outcome = statuses::outcome(
            self.client_status,
            self.desired_status,
            self.desired_description,
            self.client_description,
        );
        outcome == Outcome::Failed
    }

    /// Returns the tasks with a known state, by name.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &TaskReport)> {
        let tasks = self.task_states.iter().flatten();
        tasks.filter_map(|(name, task)| Some((name.as_str(), task.as_ref()?)))
    }
}

impl TaskReport {
    /// Returns the number of restarts.
    pub fn restarts(&self) -> u32 {
        self.restarts.and_then(|restarts| u32::try_from(restarts).ok()).unwrap_or_default()
    }

    /// Returns its events, in the order of the response. Nomad keeps ten per task.
    pub fn events(&self) -> impl Iterator<Item = &ReportedEvent> {
        self.events.iter().flatten().flatten()
    }
}

impl ReportedEvent {
    /// Returns the exit code, if it is a number.
    pub fn exit_code(&self) -> Option<i64> {
        self.details?.exit_code.0
    }

    /// Returns the signal that ended the task, if any.
    pub fn signal(&self) -> Option<i64> {
        self.details?.signal.0.filter(|signal| *signal != 0)
    }

    /// Returns whether the task was OOM-killed.
    pub fn is_oom_kill(&self) -> bool {
        self.kind == EventKind::Terminated && self.details.is_some_and(|details| details.oom_killed.0)
    }

    /// Returns whether the event means that the task failed.
    pub fn fails_task(&self) -> bool {
        self.details.is_some_and(|details| details.fails_task.0)
    }
}
