//! How a drain stands, from what was seen of its node.

use std::time::SystemTime;

use crate::nomad::api::{Instance, Node};
use crate::terms::{DesiredStatus, DrainStatus, Eligibility, JobType, NodeStatus};

/// A node that is there, and what runs on it by what its client says: the servers call an allocation stopped before it
/// has stopped, and failed while its poststop tasks run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) node: Node,
    /// The allocations that are not over, or of which a task runs, the oldest first.
    pub(super) live: Vec<Instance>,
}

/// How a drain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// No drain was begun, or what lives there now is no part of the last one.
    Idle,
    /// It goes on.
    Draining,
    /// It is complete, at its deadline perhaps, and what it told to stop has not stopped yet.
    Stopping,
    /// It is complete and nothing lives there: the machine is safe to terminate.
    Drained,
    /// The node does not answer any more, and what lived there is lost.
    Down,
    /// Somebody ended it early, or made the node eligible again.
    Cancelled,
}

impl Seen {
    /// Whether a drain leaves system jobs where they are; `asked` is what to take where the drain is over.
    pub(super) fn ignores_system(&self, asked: bool) -> bool {
        self.node.drain_strategy.as_ref().map_or(asked, |drain| drain.ignore_system_jobs == Some(true))
    }

    /// What has to end before the machine is safe to terminate.
    pub(super) fn remaining(&self, ignore_system: bool) -> impl Iterator<Item = &Instance> {
        self.live.iter().filter(move |it| !(ignore_system && it.job_type() == JobType::System))
    }

    /// When the drain stops whatever is left.
    pub(super) fn deadline(&self) -> Option<SystemTime> {
        self.node.drain_strategy.as_ref()?.force_deadline.0
    }

    /// Whether there is no drain to undo.
    pub(super) fn takes_work(&self) -> bool {
        self.node.drain_strategy.is_none() && self.node.scheduling_eligibility == Eligibility::Eligible
    }

    /// How the drain stands.
    pub(super) fn stand(&self, ignore_system: bool) -> Stand {
        if self.node.status == NodeStatus::Down {
            return Stand::Down;
        }
        if self.node.drain_strategy.is_some() {
            return Stand::Draining;
        }
        let last = &self.node.last_drain;
        let status = last.value.as_ref().map(|drain| drain.status);
        // Somebody made it ineligible, and drained it perhaps long ago: only a drain that was seen to complete counts.
        // Before Nomad 1.1 a node does not tell of its last drain.
        let is_complete = status == Some(DrainStatus::Complete) || !last.is_told;
        let ineligible = self.node.scheduling_eligibility == Eligibility::Ineligible;
        let stopping = |it: &Instance| it.desired_status != DesiredStatus::Run || !it.client_status.is_live();
        match status {
            Some(DrainStatus::Canceled) => Stand::Cancelled,
            _ if !ineligible => Stand::Cancelled,
            _ if is_complete && self.remaining(ignore_system).next().is_none() => Stand::Drained,
            _ if is_complete && self.remaining(ignore_system).all(stopping) => Stand::Stopping,
            _ => Stand::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAINING: &str =
        r#""DrainStrategy":{"IgnoreSystemJobs":false},"SchedulingEligibility":"ineligible""#;

    fn stand(node: &str, live: &[(&str, &str)]) -> Stand {
        let rows = live.iter().map(|(kind, desired)| {
            let row =
                format!(r#"{{"JobType":"{kind}","DesiredStatus":"{desired}","ClientStatus":"running"}}"#);
            serde_json::from_str(&row).unwrap()
        });
        let node = serde_json::from_str(&format!("{{{node}}}")).unwrap();
        Seen { node, live: rows.collect() }.stand(true)
    }

    fn over(status: &str, eligibility: &str) -> String {
        format!(
            r#""Status":"ready","SchedulingEligibility":"{eligibility}","LastDrain":{{"Status":"{status}"}}"#
        )
    }

    #[test]
    fn a_drain_is_over_when_nothing_lives_there_by_client_status() {
        let (run, stop, system) = (("batch", "run"), ("batch", "stop"), ("system", "run"));
        let complete = over("complete", "ineligible");
        for (node, live, expected) in [
            (DRAINING, &[run][..], Stand::Draining),
            (DRAINING, &[], Stand::Draining),
            (&complete, &[], Stand::Drained),
            (&complete, &[system], Stand::Drained),
            (&complete, &[stop], Stand::Stopping),
            (&complete, &[stop, run], Stand::Idle),
            (&over("complete", "eligible"), &[], Stand::Cancelled),
            (&over("canceled", "eligible"), &[run], Stand::Cancelled),
            (&over("canceled", "ineligible"), &[], Stand::Cancelled),
            (r#""SchedulingEligibility":"ineligible""#, &[], Stand::Drained),
            (r#""SchedulingEligibility":"ineligible""#, &[run], Stand::Idle),
            (r#""SchedulingEligibility":"ineligible","LastDrain":null"#, &[], Stand::Idle),
            (r#""Status":"down","SchedulingEligibility":"ineligible""#, &[], Stand::Down),
            (r#""Status":"disconnected","DrainStrategy":{}"#, &[run], Stand::Draining),
            ("", &[], Stand::Cancelled),
        ] {
            assert_eq!(stand(node, live), expected, "{node} {live:?}");
        }
    }

    /// A build failed, and its poststop task uploads its logs: Nomad calls the drain complete.
    #[test]
    fn a_drain_is_not_over_while_a_task_runs() {
        let row = r#"{"JobType":"batch","DesiredStatus":"run","ClientStatus":"failed",
            "TaskStates":{"main":{"State":"dead"},"upload":{"State":"running"}}}"#;
        let live: Vec<Instance> = vec![serde_json::from_str(row).unwrap()];
        assert!(live[0].lingers(SystemTime::now()));
        let node = serde_json::from_str(&format!("{{{}}}", over("complete", "ineligible"))).unwrap();
        assert_eq!(Seen { node, live }.stand(true), Stand::Stopping);
    }

    #[test]
    fn system_jobs_stay_if_the_drain_in_force_says_so() {
        let node = serde_json::from_str(r#"{"DrainStrategy":{"IgnoreSystemJobs":true}}"#).unwrap();
        let seen = Seen { node, live: Vec::new() };
        assert!(seen.ignores_system(false));
        assert!(Seen::default().ignores_system(true));
    }
}
