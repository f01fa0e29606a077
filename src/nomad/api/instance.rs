//! Rows of `GET /v1/job/:id/allocations`, `GET /v1/node/:id/allocations` and `GET /v1/allocations`, where single
//! allocations and their tasks count.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{Map, time};
use crate::terms::{ClientStatus, DesiredStatus, JobType};

/// For how long after the last change of an allocation that is over a task of it may still start.
const MAY_START: Duration = Duration::from_secs(600);

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
    job_type: JobType,
    job: Option<EmbeddedJob>,
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

/// The job in a full allocation, which has no `JobType` beside it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct EmbeddedJob {
    #[serde(rename = "Type")]
    job_type: JobType,
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

    /// Its job's scheduler.
    pub fn job_type(&self) -> JobType {
        self.job.as_ref().map_or(self.job_type, |job| job.job_type)
    }

    /// Whether it is over by its status while tasks of it run: Nomad calls an allocation failed as soon as one task has
    /// failed, and its poststop tasks, which upload or clean up, begin after that. A task that has not started counts
    /// for a while: its image may be being pulled.
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
            // A state of a newer Nomad is none in which nothing runs, as far as we know.
            Some(_) => true,
        })
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
