//! Evaluations that wait: for room in the cluster (blocked) or for a scheduler (pending).

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use crate::terms::{BlockReason, ByTerm, JobType};

/// Blocked and pending evaluations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluations {
    /// Counts by namespace.
    pub by_namespace: BTreeMap<String, NamespaceEvaluations>,
    /// Why a job waits, by namespace and job ID: of the oldest blocked evaluations, as many as the cap allows.
    pub reasons: HashMap<(String, String), BlockReason>,
}

/// The waiting evaluations of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceEvaluations {
    /// How many are blocked.
    pub blocked: ByTerm<JobType, u64>,
    /// When the oldest of them was created.
    pub oldest_blocked: ByTerm<JobType, Option<SystemTime>>,
    /// In how many of them each reason occurs.
    pub by_reason: ByTerm<BlockReason, u64>,
    /// How many wait for a scheduler.
    pub pending: ByTerm<JobType, u64>,
}

impl Evaluations {
    /// Why a job waits; `other` when none of its evaluations tells.
    pub fn reason(&self, namespace: &str, job_id: &str) -> BlockReason {
        let key = (namespace.to_owned(), job_id.to_owned());
        self.reasons.get(&key).copied().unwrap_or(BlockReason::Other)
    }
}
