//! The numbers that a glance is for.

use super::Snapshot;
use crate::terms::{ByTerm, JobStatus, NodeState, Outcome};

/// Sums over the whole cluster; absent where not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Jobs of which nothing is placed yet. None of these numbers counts templates.
    pub pending_jobs: Option<u64>,
    /// Jobs that run.
    pub running_jobs: Option<u64>,
    /// Jobs that are done and that Nomad still retains.
    pub dead_jobs: Option<u64>,
    /// Those of them that failed.
    pub failed_jobs: Option<u64>,
    /// Those of them that a drain's deadline killed.
    pub drained_jobs: Option<u64>,
    /// Instances that should run and are not placed.
    pub queued_instances: Option<u64>,
    /// Evaluations that wait for a scheduler.
    pub pending_evaluations: Option<u64>,
    /// Nodes by state.
    pub nodes: Option<ByTerm<NodeState, u64>>,
}

impl Totals {
    /// Sums what a snapshot counts.
    pub fn new(snapshot: &Snapshot) -> Self {
        let (sections, joins) = (&snapshot.sections, &snapshot.joins);
        let namespaces = || Some(sections.jobs.as_ref()?.by_namespace.values());
        let of_status = |status: JobStatus| {
            let by_type = namespaces()?.flat_map(|namespace| namespace.jobs.iter());
            Some(by_type.map(|(_, by_status)| by_status[status]).sum())
        };
        let of_outcome = |outcome: Outcome| {
            let by_type = joins.outcomes.as_ref()?.by_namespace.values().flat_map(|by_type| by_type.iter());
            Some(by_type.map(|(_, by_outcome)| by_outcome[outcome]).sum())
        };
        Self {
            pending_jobs: of_status(JobStatus::Pending),
            running_jobs: of_status(JobStatus::Running),
            dead_jobs: sections.finished_jobs.as_ref().map(|finished| {
                let by_type = finished.by_namespace.values().flat_map(|namespace| namespace.jobs.iter());
                by_type.map(|(_, count)| count).sum()
            }),
            failed_jobs: of_outcome(Outcome::Failed),
            drained_jobs: of_outcome(Outcome::Drained),
            queued_instances: joins.demand.as_ref().map(|demand| {
                let pools = demand.queued.values().flat_map(|pools| pools.values());
                pools.flat_map(|by_type| by_type.iter()).map(|(_, count)| count).sum()
            }),
            pending_evaluations: sections.evaluations.as_ref().map(|evaluations| evaluations.pending()),
            nodes: sections.nodes.as_ref().map(|nodes| {
                let mut by_state = ByTerm::default();
                nodes.iter().for_each(|node| by_state[node.state] += 1);
                by_state
            }),
        }
    }

    /// Nodes of one state.
    pub fn nodes(&self, state: NodeState) -> Option<u64> {
        Some(self.nodes.as_ref()?[state])
    }
}
