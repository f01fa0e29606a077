//! Rows of `GET /v1/job/:id/allocations`, with task events.

use std::time::SystemTime;

use serde::Deserialize;

use super::{Map, Time, time};
use crate::terms::ClientStatus;

/// An allocation with its task events.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocationHistory {
    /// A UUID.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// Status as last reported by its client.
    pub client_status: ClientStatus,
    /// By task; `null` until its client has reported.
    pub task_states: Option<Map<TaskHistory>>,
}

/// State and events of a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskHistory {
    state: Option<String>,
    /// Whether it has failed permanently.
    pub failed: Option<bool>,
    restarts: Option<i64>,
    started_at: Time,
    finished_at: Time,
    events: Option<Vec<Option<TaskEvent>>>,
}

/// A task event.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskEvent {
    /// Type, such as `Driver Failure`.
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    /// Nomad's description; may be empty.
    pub display_message: Option<String>,
    time: Option<i64>,
}

impl AllocationHistory {
    /// Returns the tasks with a known state, by name.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &TaskHistory)> {
        let tasks = self.task_states.iter().flatten();
        tasks.filter_map(|(name, task)| Some((name.as_str(), task.as_ref()?)))
    }
}

impl TaskHistory {
    /// Returns whether it has ended and will not be restarted.
    pub fn is_dead(&self) -> bool {
        self.state.as_deref() == Some("dead")
    }

    /// Returns whether it has ever run.
    pub fn has_started(&self) -> bool {
        self.started_at.0.is_some()
    }

    /// Returns the number of restarts.
    pub fn restarts(&self) -> u32 {
        self.restarts.and_then(|restarts| u32::try_from(restarts).ok()).unwrap_or_default()
    }

    /// Returns when it ended, if it has.
    pub fn finished(&self) -> Option<SystemTime> {
        self.finished_at.0
    }

    /// Returns its events, oldest first. Nomad keeps ten per task.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &TaskEvent> {
        self.events.iter().flatten().flatten()
    }
}

impl TaskEvent {
    /// Returns the time of the event.
    pub fn time(&self) -> Option<SystemTime> {
        time::from_nanos(self.time)
    }
}
