//! Responses of `GET /v1/job/:id` and `GET /v1/job/:id/allocations`, for one job.

use std::time::SystemTime;

use serde::Deserialize;

use super::statuses::{self, Description};
use super::{Map, NameHash, TaskHistory, time};
use crate::terms::{ClientStatus, DesiredStatus, JobType, Outcome};

/// Specification and version of a job.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobDetail {
    /// Increases with every change.
    pub version: Option<u64>,
    task_groups: Option<Vec<Option<Group>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Group {
    name: Option<String>,
    count: Option<i64>,
}

/// An allocation of a job, with its task events.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocationDetail {
    /// A UUID.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// Its task group.
    pub task_group: Option<String>,
    /// The node it is placed on.
    #[serde(rename = "NodeID")]
    pub node_id: Option<String>,
    /// Name of that node.
    pub node_name: Option<String>,
    /// Its job's type.
    pub job_type: JobType,
    /// Desired status, set by the servers.
    pub desired_status: DesiredStatus,
    /// Status as last reported by its client.
    pub client_status: ClientStatus,
    /// `job.group[index]`, the same for its replacement.
    pub name: NameHash,
    /// The job version that it was placed for.
    pub job_version: Option<u64>,
    /// Increases with every placed allocation.
    pub create_index: Option<u64>,
    desired_description: Description,
    client_description: Description,
    task_states: Option<Map<TaskHistory>>,
    create_time: Option<i64>,
    modify_time: Option<i64>,
}

impl JobDetail {
    /// Returns its task groups, and their desired number of allocations.
    pub fn groups(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        let groups = self.task_groups.iter().flatten().flatten();
        groups.filter_map(|group| {
            let count = group.count.and_then(|count| u32::try_from(count).ok()).map(u64::from);
            Some((group.name.as_deref()?, count))
        })
    }
}

impl AllocationDetail {
    /// Returns how it ended or is ending.
    pub fn outcome(&self) -> Outcome {
        statuses::outcome(
            self.client_status,
            self.desired_status,
            self.desired_description,
            self.client_description,
        )
    }

    /// Returns the tasks with a known state, by name.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &TaskHistory)> {
        let tasks = self.task_states.iter().flatten();
        tasks.filter_map(|(name, task)| Some((name.as_str(), task.as_ref()?)))
    }

    /// Returns when it was placed.
    pub fn created(&self) -> Option<SystemTime> {
        time::from_nanos(self.create_time)
    }

    /// Returns when anything of it last changed.
    pub fn modified(&self) -> Option<SystemTime> {
        time::from_nanos(self.modify_time)
    }
}
