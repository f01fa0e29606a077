//! Rows of `GET /v1/job/:id/allocations` and of `GET /v1/allocations`, for people who look at single allocations.

use std::time::SystemTime;

use serde::Deserialize;

use super::{Map, time};
use crate::terms::{ClientStatus, DesiredStatus, JobType};

/// An allocation with what people know it by.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Instance {
    #[serde(rename = "ID")]
    id: Option<String>,
    /// Its job's namespace.
    pub namespace: Option<String>,
    /// Its job.
    #[serde(rename = "JobID")]
    pub job_id: Option<String>,
    /// Its job's scheduler.
    pub job_type: JobType,
    /// Its task group.
    pub task_group: Option<String>,
    /// The node it is placed on.
    #[serde(rename = "NodeID")]
    pub node_id: Option<String>,
    /// The name of that node.
    pub node_name: Option<String>,
    /// What the servers want of it.
    pub desired_status: DesiredStatus,
    /// What its client last said of it.
    pub client_status: ClientStatus,
    /// The states of its tasks; `null` while its client has said nothing.
    pub task_states: Option<Map<TaskState>>,
    create_time: Option<i64>,
    modify_time: Option<i64>,
}

/// How a task stands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskState {
    /// `pending`, `running` or `dead`.
    pub state: Option<String>,
}

impl Instance {
    /// A UUID.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// The beginning of it, as people write it.
    pub fn short_id(&self) -> &str {
        self.id().split('-').next().unwrap_or_default()
    }

    /// When it was placed.
    pub fn created(&self) -> Option<SystemTime> {
        time::from_nanos(self.create_time)
    }

    /// When anything of it last changed: on one that has ended, about when it ended.
    pub fn modified(&self) -> Option<SystemTime> {
        time::from_nanos(self.modify_time)
    }
}
