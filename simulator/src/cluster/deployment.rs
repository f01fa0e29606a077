//! Deployments: the rollout of a job's version.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::id::DeploymentId;
use super::job::JobKey;

/// Status of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeploymentStatus {
    /// Allocations are being placed and become healthy.
    Running,
    /// All allocations are healthy.
    Successful,
    /// The progress deadline has passed.
    Failed,
    /// Replaced by a newer version.
    Cancelled,
}

impl DeploymentStatus {
    /// Returns Nomad's name of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            DeploymentStatus::Running => "running",
            DeploymentStatus::Successful => "successful",
            DeploymentStatus::Failed => "failed",
            DeploymentStatus::Cancelled => "cancelled",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupState {
    pub(crate) desired: u32,
    pub(crate) placed: u32,
    pub(crate) healthy: u32,
    pub(crate) unhealthy: u32,
    pub(crate) progress_deadline: Duration,
    pub(crate) require_progress_by: Option<SystemTime>,
}

#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) id: DeploymentId,
    pub(crate) job: JobKey,
    pub(crate) job_version: u64,
    pub(crate) job_modify_index: u64,
    pub(crate) job_create_index: u64,
    pub(crate) priority: u32,
    pub(crate) status: DeploymentStatus,
    pub(crate) description: &'static str,
    pub(crate) groups: BTreeMap<String, GroupState>,
    pub(crate) created: SystemTime,
    pub(crate) modified: SystemTime,
    pub(crate) create_index: u64,
    pub(crate) modify_index: u64,
}

impl Deployment {
    pub(crate) fn is_active(&self) -> bool {
        self.status == DeploymentStatus::Running
    }
}
