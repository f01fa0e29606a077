//! When periodic jobs last succeeded and failed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::terms::Outcome;

/// How the runs of periodic jobs ended that were seen, by namespace and job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeriodicRuns {
    /// What is known of each. It outlasts what Nomad retains.
    pub by_namespace: BTreeMap<String, BTreeMap<String, LastRuns>>,
}

/// When the newest run of a periodic job with each outcome ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRuns {
    /// Of those that were complete.
    pub success: Option<SystemTime>,
    /// Of those that failed, were lost, or exceeded their time.
    pub failure: Option<SystemTime>,
}

impl LastRuns {
    /// Adds a run.
    pub fn add(&mut self, outcome: Outcome, ended: SystemTime) {
        let last = match outcome {
            Outcome::Complete => &mut self.success,
            Outcome::Failed | Outcome::Lost | Outcome::Timeout => &mut self.failure,
            // What somebody stopped, and what a drain or a preemption killed, says nothing of the job.
            Outcome::Stopped | Outcome::Drained | Outcome::Preempted | Outcome::Unknown => return,
        };
        *last = last.iter().copied().chain([ended]).max();
    }
}

/// The periodic parents that there are, by namespace and ID.
pub type PeriodicJobs = BTreeMap<String, BTreeSet<String>>;
