//! Rows of `GET /v1/job/:id/allocations`, for what happened to the tasks of an allocation.

use std::time::SystemTime;

use serde::Deserialize;

use super::{Map, Time, time};
use crate::terms::ClientStatus;

/// An allocation with what happened to its tasks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocationHistory {
    /// A UUID.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// What its client last said of it.
    pub client_status: ClientStatus,
    /// By task; `null` while its client has said nothing.
    pub task_states: Option<Map<TaskHistory>>,
}

/// What happened to a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskHistory {
    state: Option<String>,
    /// Whether it failed for good.
    pub failed: Option<bool>,
    restarts: Option<i64>,
    started_at: Time,
    finished_at: Time,
    events: Option<Vec<Option<TaskEvent>>>,
}

/// One thing that happened to a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskEvent {
    /// What kind of thing, such as `Driver Failure`.
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    /// Nomad's sentence about it; may be empty.
    pub display_message: Option<String>,
    time: Option<i64>,
}

impl AllocationHistory {
    /// Returns the tasks whose state is known, by name.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &TaskHistory)> {
        let tasks = self.task_states.iter().flatten();
        tasks.filter_map(|(name, task)| Some((name.as_str(), task.as_ref()?)))
    }
}

impl TaskHistory {
    /// Returns whether it is over and will not be started again.
    pub fn is_dead(&self) -> bool {
        self.state.as_deref() == Some("dead")
    }

    /// Returns whether it ever ran.
    pub fn has_started(&self) -> bool {
        self.started_at.0.is_some()
    }

    /// Returns how often it was restarted.
    pub fn restarts(&self) -> u32 {
        self.restarts.and_then(|restarts| u32::try_from(restarts).ok()).unwrap_or_default()
    }

    /// Returns when it ended, if it has.
    pub fn finished(&self) -> Option<SystemTime> {
        self.finished_at.0
    }

    /// Returns what happened to it, the oldest first. Nomad keeps ten events of a task.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &TaskEvent> {
        self.events.iter().flatten().flatten()
    }
}

impl TaskEvent {
    /// Returns when it happened.
    pub fn time(&self) -> Option<SystemTime> {
        time::from_nanos(self.time)
    }
}
