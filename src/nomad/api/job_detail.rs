//! `GET /v1/job/:id` and `GET /v1/job/:id/allocations`, where one job is looked at closely.

use std::time::SystemTime;

use serde::Deserialize;

use super::statuses::{self, Description};
use super::{Map, NameHash, TaskHistory, time};
use crate::terms::{ClientStatus, DesiredStatus, JobType, Outcome};

/// What a job is and what it wants.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobDetail {
    /// Grows with every change of it.
    pub version: Option<u64>,
    task_groups: Option<Vec<Option<Group>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Group {
    name: Option<String>,
    count: Option<i64>,
}

/// An allocation of a job, with what happened to its tasks.
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
    /// The name of that node.
    pub node_name: Option<String>,
    /// Its job's scheduler.
    pub job_type: JobType,
    /// What the servers want of it.
    pub desired_status: DesiredStatus,
    /// What its client last said of it.
    pub client_status: ClientStatus,
    /// `job.group[index]`: its replacement has the same one.
    pub name: NameHash,
    /// The version of the job that it was placed for.
    pub job_version: Option<u64>,
    /// Grows with every allocation that is placed.
    pub create_index: Option<u64>,
    desired_description: Description,
    client_description: Description,
    task_states: Option<Map<TaskHistory>>,
    create_time: Option<i64>,
    modify_time: Option<i64>,
}

impl JobDetail {
    /// Returns its task groups, and how many allocations each is to have.
    pub fn groups(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        let groups = self.task_groups.iter().flatten().flatten();
        groups.filter_map(|group| {
            let count = group.count.and_then(|count| u32::try_from(count).ok()).map(u64::from);
            Some((group.name.as_deref()?, count))
        })
    }
}

impl AllocationDetail {
    /// How it ended, or ends.
    pub fn outcome(&self) -> Outcome {
        statuses::outcome(
            self.client_status,
            self.desired_status,
            self.desired_description,
            self.client_description,
        )
    }

    /// Returns the tasks whose state is known, by name.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &TaskHistory)> {
        let tasks = self.task_states.iter().flatten();
        tasks.filter_map(|(name, task)| Some((name.as_str(), task.as_ref()?)))
    }

    /// When it was placed.
    pub fn created(&self) -> Option<SystemTime> {
        time::from_nanos(self.create_time)
    }

    /// When anything of it last changed.
    pub fn modified(&self) -> Option<SystemTime> {
        time::from_nanos(self.modify_time)
    }
}
