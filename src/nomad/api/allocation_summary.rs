//! Rows of `GET /v1/job/:id/allocations`, `GET /v1/node/:id/allocations` and `GET /v1/allocations`, if their
//! names and task states are needed.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{Map, time};
use crate::terms::{ClientStatus, DesiredStatus, JobType};

/// Time after the last change of an ended allocation in which one of its tasks may still start.
const MAY_START: Duration = Duration::from_secs(600);

/// An allocation with its names and task states.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocationSummary {
    #[serde(rename = "ID")]
    id: Option<String>,
    /// Its job's namespace.
    pub namespace: Option<String>,
    /// Its job.
    #[serde(rename = "JobID")]
    pub job_id: Option<String>,
    job_type: JobType,
    job: Option<EmbeddedJob>,
    /// Its task group.
    pub task_group: Option<String>,
    /// The node it is placed on.
    #[serde(rename = "NodeID")]
    pub node_id: Option<String>,
    /// Name of that node.
    pub node_name: Option<String>,
    /// Desired status, set by the servers.
    pub desired_status: DesiredStatus,
    /// Status as last reported by its client.
    pub client_status: ClientStatus,
    /// Task states; `null` until its client has reported.
    pub task_states: Option<Map<TaskState>>,
    create_time: Option<i64>,
    modify_time: Option<i64>,
}

/// The job in a full allocation, which has no `JobType` field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct EmbeddedJob {
    #[serde(rename = "Type")]
    job_type: JobType,
}

/// State of a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskState {
    /// `pending`, `running` or `dead`.
    pub state: Option<String>,
}

impl AllocationSummary {
    /// Returns its ID, a UUID.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// Returns the short ID, as in Nomad's CLI.
    pub fn short_id(&self) -> &str {
        self.id().split('-').next().unwrap_or_default()
    }

    /// Returns its job's type.
    pub fn job_type(&self) -> JobType {
        self.job.as_ref().map_or(self.job_type, |job| job.job_type)
    }

    /// Returns whether tasks still run although the allocation has ended by its status. Nomad sets it to
    /// failed as soon as one task fails; poststop tasks, which upload or clean up, start after that. A task
    /// that has not started counts for a while, because its image may be being pulled.
    pub fn lingers(&self, now: SystemTime) -> bool {
        if self.client_status.is_live() {
            return false;
        }
        let changed =
            self.modified().and_then(|modified| now.duration_since(modified).ok()).unwrap_or_default();
        let tasks = self.task_states.iter().flat_map(|tasks| tasks.values().flatten());
        tasks.into_iter().any(|task| match task.state.as_deref() {
            Some("dead") | None => false,
            Some("pending") => changed < MAY_START,
            // Assume that an unknown state of a newer Nomad means a running task.
            Some(_) => true,
        })
    }

    /// Returns when it was placed.
    pub fn created(&self) -> Option<SystemTime> {
        time::from_nanos(self.create_time)
    }

    /// Returns when anything of it last changed; if it has ended, approximately when it ended.
    pub fn modified(&self) -> Option<SystemTime> {
        time::from_nanos(self.modify_time)
    }
}
