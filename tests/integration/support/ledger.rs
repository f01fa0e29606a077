//! Comparison of metrics with the simulator's ledger.

use std::collections::BTreeMap;
use std::time::SystemTime;

use nomad_exporter::snapshot::DELAY_BOUNDS_SECONDS;
use nomad_simulator::cluster::{Completion, JobStatus, Ledger, NodeState, Outcome};

use super::exposition::Exposition;

/// Every outcome.
const OUTCOMES: [Outcome; 8] = [
    Outcome::Failed,
    Outcome::Lost,
    Outcome::TimedOut,
    Outcome::Preempted,
    Outcome::Drained,
    Outcome::Stopped,
    Outcome::Complete,
    Outcome::Unknown,
];

/// Which allocations are shown that ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retained {
    /// Those that Nomad retains.
    Exactly,
    /// Also those that were garbage-collected since the last list, because that has no events.
    AtLeast,
}

/// Checks that states add up to the model's, that nothing is negative, and that a node is drained only if the
/// model agrees.
pub(crate) fn assert_agrees(
    shown: &Exposition,
    ledger: &Ledger,
    waited_for: &BTreeMap<String, usize>,
    retained: Retained,
) {
    for sample in shown.samples() {
        assert!(sample.value >= 0.0, "{sample:?}");
    }
    for status in [JobStatus::Pending, JobStatus::Running, JobStatus::Dead] {
        let expected: usize =
            ledger.jobs.iter().filter(|((_, _, of), _)| *of == status).map(|(_, count)| count).sum();
        let found = shown.sum("nomad_jobs", &[("status", status.as_str())]);
        assert_eq!(found, Some(expected as f64), "jobs {status:?}");
    }
    for ((namespace, job_type, status), count) in &ledger.jobs {
        let labels =
            [("namespace", namespace.as_str()), ("job_type", job_type.as_str()), ("status", status.as_str())];
        assert_eq!(shown.value("nomad_jobs", &labels), Some(*count as f64), "{labels:?}");
    }
    let total: usize = ledger.nodes.values().sum();
    // Without nodes, there is no datacenter and pool for a 0.
    let nodes = |count: usize| (total > 0).then_some(count as f64);
    assert_eq!(shown.sum("nomad_nodes", &[]), nodes(total));
    for (state, word) in [
        (NodeState::Down, "down"),
        (NodeState::Disconnected, "disconnected"),
        (NodeState::Draining, "draining"),
        (NodeState::Ineligible, "ineligible"),
        (NodeState::Active, "active"),
    ] {
        let expected = ledger.nodes.get(&state).copied().unwrap_or_default();
        assert_eq!(shown.sum("nomad_nodes", &[("state", word)]), nodes(expected), "{word}");
    }
    for (id, load) in &ledger.loads {
        let id = id.to_string();
        let on = [("node_id", id.as_str())];
        let live: usize = load.live.values().sum();
        assert_eq!(shown.sum("nomad_node_allocations", &on), Some(live as f64), "{}", load.name);
        if shown.value("nomad_node_drained", &on) == Some(1.0) {
            let held = waited_for.get(&id).copied().unwrap_or_default();
            assert_eq!(held, 0, "{} is reported as drained with {held} allocations on it", load.name);
        }
    }
    for outcome in OUTCOMES {
        let of = ledger.finished.iter().filter(|((.., of), _)| *of == outcome);
        let expected: usize = of.map(|(_, count)| count).sum();
        let found = shown.sum("nomad_jobs_finished", &[("outcome", outcome.as_str())]);
        assert_eq!(found, Some(expected as f64), "retained jobs {}", outcome.as_str());
    }
    let failed: usize = ledger.failed_allocations.values().sum();
    let has_failed = |found: Option<f64>, expected: usize| match retained {
        Retained::Exactly => found == Some(expected as f64),
        Retained::AtLeast => found >= Some(expected as f64),
    };
    let found = shown.sum("nomad_failed_allocations", &[]);
    assert!(has_failed(found, failed), "{found:?} instead of {failed} failed allocations");
    for ((namespace, job_type, cause), count) in &ledger.failed_allocations {
        let labels = [("namespace", namespace.as_str()), ("job_type", job_type.as_str()), ("cause", *cause)];
        assert!(has_failed(shown.value("nomad_failed_allocations", &labels), *count), "{count} {labels:?}");
    }
    let delayed: usize = ledger.delayed_evaluations.values().sum();
    assert_eq!(shown.sum("nomad_delayed_evaluations", &[]), Some(delayed as f64));
    let queued: u32 = ledger.queued.values().sum();
    assert_eq!(shown.sum("nomad_queued_allocations", &[]), Some(f64::from(queued)));
}

/// Returns the jobs that ended since the first refresh.
pub(crate) fn ended_since(ledger: &Ledger, first_refresh: SystemTime) -> impl Iterator<Item = Completion> {
    ledger.history.iter().filter_map(|job| job.completion).filter(move |end| end.time > first_refresh)
}

/// Checks that jobs that ended since the first refresh are counted once, with their outcome.
pub(crate) fn assert_counted(shown: &Exposition, ledger: &Ledger, first_refresh: SystemTime) {
    for outcome in OUTCOMES {
        let expected = ended_since(ledger, first_refresh).filter(|end| end.outcome == outcome).count();
        let found = shown.sum("nomad_job_completions_total", &[("outcome", outcome.as_str())]);
        assert_eq!(found, Some(expected as f64), "{}", outcome.as_str());
    }
}

/// Checks the delays of jobs that were placed since the first refresh.
pub(crate) fn assert_delays(shown: &Exposition, ledger: &Ledger, first_refresh: SystemTime) {
    // Jobs that were purged before their end may never have been seen; garbage-collected ones were.
    let listed = ledger.history.iter().filter(|job| !job.purged || job.completion.is_some());
    let placed =
        listed.filter_map(|job| Some((job.submitted, job.first_placed.filter(|at| *at > first_refresh)?)));
    let delays: Vec<f64> =
        placed.map(|(submitted, first)| first.duration_since(submitted).unwrap().as_secs_f64()).collect();
    let count = shown.sum("nomad_job_placement_delay_seconds_count", &[]);
    assert_eq!(count, Some(delays.len() as f64));
    for bound in DELAY_BOUNDS_SECONDS {
        let expected = delays.iter().filter(|delay| **delay <= bound).count();
        let le = format!("{bound:?}");
        let found = shown.sum("nomad_job_placement_delay_seconds_bucket", &[("le", &le)]);
        assert_eq!(found, Some(expected as f64), "at most {bound} s");
    }
    let sum = shown.sum("nomad_job_placement_delay_seconds_sum", &[]).unwrap();
    assert!((sum - delays.iter().sum::<f64>()).abs() < 1e-3);
}
