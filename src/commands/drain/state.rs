//! State of a drain, derived from its node and allocations.

use std::time::SystemTime;

use crate::nomad::api::{AllocationSummary, Node};
use crate::terms::{DesiredStatus, DrainStatus, Eligibility, JobType, NodeStatus};

/// A node with its running allocations according to its client. The servers report an allocation as stopped
/// before it has stopped, and as failed while its poststop tasks run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) node: Node,
    /// Allocations that are not terminal or have a running task, oldest first.
    pub(super) live: Vec<AllocationSummary>,
}

/// State of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No drain was started, or the running allocations are newer than the last one.
    Idle,
    /// The drain is active.
    Draining,
    /// The drain is complete, possibly because of its deadline, but allocations are still stopping.
    Stopping,
    /// The drain is complete and nothing runs on the node: the machine is safe to terminate.
    Drained,
    /// The node is down, and its allocations are lost.
    Down,
    /// Somebody cancelled the drain, or made the node eligible again.
    Cancelled,
}

impl Seen {
    /// Returns whether the drain ignores system jobs; `asked` is the value for a completed drain.
    pub(super) fn ignores_system(&self, asked: bool) -> bool {
        self.node.drain_strategy.as_ref().map_or(asked, |drain| drain.ignore_system_jobs == Some(true))
    }

    /// Returns the allocations that must end before the machine is safe to terminate.
    pub(super) fn remaining(&self, ignore_system: bool) -> impl Iterator<Item = &AllocationSummary> {
        self.live.iter().filter(move |it| !(ignore_system && it.job_type() == JobType::System))
    }

    /// Returns when the drain stops the remaining allocations.
    pub(super) fn deadline(&self) -> Option<SystemTime> {
        self.node.drain_strategy.as_ref()?.force_deadline.0
    }

    /// Returns whether there is no drain to cancel.
    pub(super) fn is_eligible(&self) -> bool {
        self.node.drain_strategy.is_none() && self.node.scheduling_eligibility == Eligibility::Eligible
    }

    /// Returns the state of the drain.
    pub(super) fn phase(&self, ignore_system: bool) -> Phase {
        if self.node.status == NodeStatus::Down {
            return Phase::Down;
        }
        if self.node.drain_strategy.is_some() {
            return Phase::Draining;
        }
        let last = &self.node.last_drain;
        let status = last.value.as_ref().map(|drain| drain.status);
        // An ineligible node may have been drained long ago, so only a drain that was seen to complete
        // counts. Before Nomad 1.1, nodes do not report their last drain.
        let is_complete = status == Some(DrainStatus::Complete) || !last.is_present;
        let ineligible = self.node.scheduling_eligibility == Eligibility::Ineligible;
        let stopping =
            |it: &AllocationSummary| it.desired_status != DesiredStatus::Run || !it.client_status.is_live();
        match status {
            Some(DrainStatus::Canceled) => Phase::Cancelled,
            _ if !ineligible => Phase::Cancelled,
            _ if is_complete && self.remaining(ignore_system).next().is_none() => Phase::Drained,
            _ if is_complete && self.remaining(ignore_system).all(stopping) => Phase::Stopping,
            _ => Phase::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAINING: &str =
        r#""DrainStrategy":{"IgnoreSystemJobs":false},"SchedulingEligibility":"ineligible""#;

    fn phase(node: &str, live: &[(&str, &str)]) -> Phase {
        let rows = live.iter().map(|(kind, desired)| {
            let row =
                format!(r#"{{"JobType":"{kind}","DesiredStatus":"{desired}","ClientStatus":"running"}}"#);
            serde_json::from_str(&row).unwrap()
        });
        let node = serde_json::from_str(&format!("{{{node}}}")).unwrap();
        Seen { node, live: rows.collect() }.phase(true)
    }

    fn over(status: &str, eligibility: &str) -> String {
        format!(
            r#""Status":"ready","SchedulingEligibility":"{eligibility}","LastDrain":{{"Status":"{status}"}}"#
        )
    }

    #[test]
    fn a_drain_is_complete_when_all_allocations_are_terminal_by_client_status() {
        let (run, stop, system) = (("batch", "run"), ("batch", "stop"), ("system", "run"));
        let complete = over("complete", "ineligible");
        for (node, live, expected) in [
            (DRAINING, &[run][..], Phase::Draining),
            (DRAINING, &[], Phase::Draining),
            (&complete, &[], Phase::Drained),
            (&complete, &[system], Phase::Drained),
            (&complete, &[stop], Phase::Stopping),
            (&complete, &[stop, run], Phase::Idle),
            (&over("complete", "eligible"), &[], Phase::Cancelled),
            (&over("canceled", "eligible"), &[run], Phase::Cancelled),
            (&over("canceled", "ineligible"), &[], Phase::Cancelled),
            (r#""SchedulingEligibility":"ineligible""#, &[], Phase::Drained),
            (r#""SchedulingEligibility":"ineligible""#, &[run], Phase::Idle),
            (r#""SchedulingEligibility":"ineligible","LastDrain":null"#, &[], Phase::Idle),
            (r#""Status":"down","SchedulingEligibility":"ineligible""#, &[], Phase::Down),
            (r#""Status":"disconnected","DrainStrategy":{}"#, &[run], Phase::Draining),
            ("", &[], Phase::Cancelled),
        ] {
            assert_eq!(phase(node, live), expected, "{node} {live:?}");
        }
    }

    /// A build has failed, and its poststop task uploads its logs, but Nomad reports the drain as complete.
    #[test]
    fn a_drain_is_not_over_while_a_task_runs() {
        let row = r#"{"JobType":"batch","DesiredStatus":"run","ClientStatus":"failed",
            "TaskStates":{"main":{"State":"dead"},"upload":{"State":"running"}}}"#;
        let live: Vec<AllocationSummary> = vec![serde_json::from_str(row).unwrap()];
        assert!(live[0].lingers(SystemTime::now()));
        let node = serde_json::from_str(&format!("{{{}}}", over("complete", "ineligible"))).unwrap();
        assert_eq!(Seen { node, live }.phase(true), Phase::Stopping);
    }

    #[test]
    fn system_jobs_are_ignored_if_the_active_drain_ignores_them() {
        let node = serde_json::from_str(r#"{"DrainStrategy":{"IgnoreSystemJobs":true}}"#).unwrap();
        let seen = Seen { node, live: Vec::new() };
        assert!(seen.ignores_system(false));
        assert!(Seen::default().ignores_system(true));
    }
}
