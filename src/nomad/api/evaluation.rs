//! Rows of `GET /v1/evaluations`.

use std::time::SystemTime;

use serde::Deserialize;

use super::{Map, time};
use crate::terms::{EvalStatus, JobType};

/// An evaluation. Nomad omits empty fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Evaluation {
    /// A UUID.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// The reason why Nomad created it, such as `job-register`.
    pub triggered_by: Option<String>,
    /// Its job's namespace.
    pub namespace: Option<String>,
    /// Its job's type.
    #[serde(rename = "Type")]
    pub job_type: JobType,
    /// Its job.
    #[serde(rename = "JobID")]
    pub job_id: Option<String>,
    /// Its status.
    pub status: EvalStatus,
    /// Placement failures by task group. Set on blocked evaluations since Nomad 1.1, and not updated later.
    #[serde(rename = "FailedTGAllocs")]
    pub failed_groups: Option<Map<PlacementFailure>>,
    /// The exhausted quota (Nomad Enterprise).
    pub quota_limit_reached: Option<String>,
    /// When it may be processed.
    wait_until: super::Time,
    create_time: Option<i64>,
}

/// Why allocations of one task group could not be placed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlacementFailure {
    /// Number of evaluated nodes.
    pub nodes_evaluated: Option<i64>,
    /// Number of nodes in the job's pool (Nomad 1.6 and later).
    pub nodes_in_pool: Option<i64>,
    /// Number of eligible nodes by datacenter.
    pub nodes_available: Option<Map<i64>>,
    /// Number of nodes that constraints excluded.
    pub nodes_filtered: Option<i64>,
    /// Number of nodes that each constraint excluded. Keys are free text.
    pub constraint_filtered: Option<Map<i64>>,
    /// Number of nodes with too few resources.
    pub nodes_exhausted: Option<i64>,
    /// Number of nodes by exhausted resource. Keys may be free text.
    pub dimension_exhausted: Option<Map<i64>>,
    /// Exhausted quotas (Nomad Enterprise).
    pub quota_exhausted: Option<Vec<String>>,
}

impl Evaluation {
    /// Returns whether it is pending and must not be processed yet.
    pub fn is_delayed(&self, now: SystemTime) -> bool {
        self.status == EvalStatus::Pending && self.wait_until.0.is_some_and(|until| until > now)
    }

    /// Returns when it may be processed, if it is or was delayed.
    pub fn wait_until(&self) -> Option<SystemTime> {
        self.wait_until.0
    }

    /// Returns when it was created.
    pub fn created(&self) -> Option<SystemTime> {
        time::from_nanos(self.create_time)
    }
}
