//! Rows of `GET /v1/evaluations`.

use std::time::SystemTime;

use serde::Deserialize;

use super::{Map, time};
use crate::terms::{EvalStatus, JobType};

/// An evaluation. Nomad leaves out every empty field.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Evaluation {
    /// A UUID.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// What made Nomad create it, such as `job-register`.
    pub triggered_by: Option<String>,
    /// Its job's namespace.
    pub namespace: Option<String>,
    /// Its job's scheduler.
    #[serde(rename = "Type")]
    pub job_type: JobType,
    /// Its job.
    #[serde(rename = "JobID")]
    pub job_id: Option<String>,
    /// Its status.
    pub status: EvalStatus,
    /// Why instances could not be placed, by task group. On a blocked evaluation since Nomad 1.1; it stays as it
    /// was first found.
    #[serde(rename = "FailedTGAllocs")]
    pub failed_groups: Option<Map<PlacementFailure>>,
    /// The quota that is used up (Nomad Enterprise).
    pub quota_limit_reached: Option<String>,
    /// Until when it is not to be processed.
    wait_until: super::Time,
    create_time: Option<i64>,
}

/// Why the instances of one task group could not be placed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlacementFailure {
    /// Nodes that were looked at.
    pub nodes_evaluated: Option<i64>,
    /// Nodes of the job's pool (Nomad 1.6 and later).
    pub nodes_in_pool: Option<i64>,
    /// Nodes that could take work, by datacenter.
    pub nodes_available: Option<Map<i64>>,
    /// Nodes that a constraint ruled out.
    pub nodes_filtered: Option<i64>,
    /// How many nodes each constraint ruled out. Its keys are free text.
    pub constraint_filtered: Option<Map<i64>>,
    /// Nodes that were full.
    pub nodes_exhausted: Option<i64>,
    /// How many nodes were full in which way. Its keys may be free text.
    pub dimension_exhausted: Option<Map<i64>>,
    /// Quotas that are used up (Nomad Enterprise).
    pub quota_exhausted: Option<Vec<String>>,
}

impl Evaluation {
    /// Whether it is delayed: pending, and not to be processed yet.
    pub fn is_delayed(&self, now: SystemTime) -> bool {
        self.status == EvalStatus::Pending && self.wait_until.0.is_some_and(|until| until > now)
    }

    /// Until when it is not to be processed, if it is delayed or was.
    pub fn wait_until(&self) -> Option<SystemTime> {
        self.wait_until.0
    }

    /// When it was created.
    pub fn created(&self) -> Option<SystemTime> {
        time::from_nanos(self.create_time)
    }
}
