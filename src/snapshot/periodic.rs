//! Last successes and failures of periodic jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::terms::Outcome;

/// Observed outcomes of periodic jobs, by namespace and job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeriodicRuns {
    /// Last runs of each job. They are kept longer than Nomad retains them.
    pub by_namespace: BTreeMap<String, BTreeMap<String, LastRuns>>,
}

/// When the newest run with each outcome ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRuns {
    /// Of completed runs.
    pub success: Option<SystemTime>,
    /// Of runs that failed, were lost, or exceeded their time limit.
    pub failure: Option<SystemTime>,
}

impl LastRuns {
    /// Adds a run.
    pub fn add(&mut self, outcome: Outcome, ended: SystemTime) {
        let last = match outcome {
            Outcome::Complete => &mut self.success,
            Outcome::Failed | Outcome::Lost | Outcome::Timeout => &mut self.failure,
            // Stopped, drained and preempted runs say nothing about the job.
            Outcome::Stopped | Outcome::Drained | Outcome::Preempted | Outcome::Unknown => return,
        };
        *last = last.iter().copied().chain([ended]).max();
    }
}

/// Existing periodic parents, by namespace and ID.
pub type PeriodicJobs = BTreeMap<String, BTreeSet<String>>;
