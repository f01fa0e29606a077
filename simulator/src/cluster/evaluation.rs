//! Evaluations and their results.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::id::{DeploymentId, EvaluationId, NodeId};
use super::job::JobKey;
use super::spec::JobType;

/// Status of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvaluationStatus {
    /// Waits for capacity.
    Blocked,
    /// Waits for a scheduler.
    Pending,
    /// Done.
    Complete,
    /// No longer needed.
    Canceled,
}

impl EvaluationStatus {
    /// Returns Nomad's name of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            EvaluationStatus::Blocked => "blocked",
            EvaluationStatus::Pending => "pending",
            EvaluationStatus::Complete => "complete",
            EvaluationStatus::Canceled => "canceled",
        }
    }

    /// Returns whether it is terminal.
    pub fn is_terminal(self) -> bool {
        matches!(self, EvaluationStatus::Complete | EvaluationStatus::Canceled)
    }
}

/// Why an allocation could not be placed.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllocMetric {
    pub(crate) nodes_evaluated: u32,
    pub(crate) nodes_filtered: u32,
    pub(crate) nodes_in_pool: u32,
    pub(crate) node_pool: String,
    pub(crate) nodes_available: BTreeMap<String, u32>,
    pub(crate) class_filtered: BTreeMap<String, u32>,
    pub(crate) constraint_filtered: BTreeMap<String, u32>,
    pub(crate) nodes_exhausted: u32,
    pub(crate) class_exhausted: BTreeMap<String, u32>,
    pub(crate) dimension_exhausted: BTreeMap<&'static str, u32>,
    /// CPU and memory by task that the failed allocations lack.
    pub(crate) resources_exhausted: BTreeMap<String, (u64, u64)>,
    /// Number of further allocations with the same failure.
    pub(crate) coalesced_failures: u32,
    /// Whether the nodes of a computed class meet the constraints.
    pub(crate) class_eligibility: BTreeMap<String, bool>,
}

/// Planned changes of a task group.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DesiredUpdates {
    pub(crate) ignore: u32,
    pub(crate) place: u32,
    pub(crate) migrate: u32,
    pub(crate) stop: u32,
    pub(crate) reschedule_now: u32,
    pub(crate) reschedule_later: u32,
    pub(crate) destructive_update: u32,
    pub(crate) in_place_update: u32,
    pub(crate) preemptions: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    pub(crate) id: EvaluationId,
    pub(crate) job: JobKey,
    pub(crate) job_type: JobType,
    pub(crate) priority: u32,
    pub(crate) triggered_by: &'static str,
    /// 0 if Nomad does not set it.
    pub(crate) job_modify_index: u64,
    pub(crate) node: Option<(NodeId, u64)>,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) status: EvaluationStatus,
    pub(crate) description: String,
    pub(crate) wait_until: Option<SystemTime>,
    pub(crate) previous: Option<EvaluationId>,
    pub(crate) next: Option<EvaluationId>,
    pub(crate) blocked: Option<EvaluationId>,
    pub(crate) failed: BTreeMap<String, AllocMetric>,
    pub(crate) class_eligibility: BTreeMap<String, bool>,
    /// Queued allocations by group, after processing.
    pub(crate) queued: Option<BTreeMap<String, u32>>,
    pub(crate) updates: BTreeMap<String, DesiredUpdates>,
    pub(crate) snapshot_index: u64,
    pub(crate) create_index: u64,
    pub(crate) modify_index: u64,
    pub(crate) created: SystemTime,
    pub(crate) modified: SystemTime,
}
