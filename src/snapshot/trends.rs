//! A short history of some totals, for the status page.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Snapshot, Totals};
use crate::terms::NodeState;

/// Length of the history.
const HOUR: Duration = Duration::from_secs(3600);
/// Maximum number of points, whatever the interval.
const MAX_POINTS: u32 = 720;

/// The points of the last hour, one per interval. Immutable: each refresh creates a new value from the
/// previous one.
#[derive(Clone, Debug, PartialEq)]
pub struct Trends {
    step: Duration,
    points: Vec<TrendPoint>,
}

/// Totals of one interval; unknown values are absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrendPoint {
    /// Time of the last snapshot in the interval.
    pub at: SystemTime,
    /// Pending jobs.
    pub pending_jobs: Option<u64>,
    /// Running jobs.
    pub running_jobs: Option<u64>,
    /// Failed jobs that Nomad still retains.
    pub failed_jobs: Option<u64>,
    /// Active nodes.
    pub active_nodes: Option<u64>,
    /// Age of the oldest pending job in seconds; 0 if none is pending.
    pub oldest_pending_seconds: Option<u64>,
}

impl Trends {
    /// Creates an empty history.
    pub fn new(interval: Duration) -> Self {
        Self { step: interval.max(HOUR / MAX_POINTS), points: Vec::new() }
    }

    /// Returns the history with the point of a snapshot, which replaces an earlier one of the same interval.
    /// Drops points older than an hour, and points in the future, which remain if the clock is set back.
    pub fn with(&self, snapshot: &Snapshot) -> Self {
        let now = snapshot.taken_at;
        let slot = |at: SystemTime| {
            at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() / self.step.as_nanos()
        };
        let is_kept = |point: &&TrendPoint| {
            let age = now.duration_since(point.at);
            age.is_ok_and(|age| age <= HOUR) && slot(point.at) != slot(now)
        };
        let points = self.points.iter().filter(is_kept).copied();
        Self { step: self.step, points: points.chain([TrendPoint::new(snapshot)]).collect() }
    }

    /// Returns the points, oldest first.
    pub fn points(&self) -> &[TrendPoint] {
        &self.points
    }

    /// Returns whether there is a gap between two points. Snapshots may be up to a quarter of an interval
    /// late.
    pub fn is_gap(&self, earlier: SystemTime, later: SystemTime) -> bool {
        later.duration_since(earlier).unwrap_or_default() > self.step * 5 / 2
    }
}

impl TrendPoint {
    fn new(snapshot: &Snapshot) -> Self {
        let totals = Totals::new(snapshot);
        let wait = |since: Option<SystemTime>| {
            since.and_then(|since| snapshot.taken_at.duration_since(since).ok()).unwrap_or_default().as_secs()
        };
        Self {
            at: snapshot.taken_at,
            pending_jobs: totals.pending_jobs,
            running_jobs: totals.running_jobs,
            failed_jobs: totals.failed_jobs,
            active_nodes: totals.nodes(NodeState::Active),
            oldest_pending_seconds: snapshot
                .joins
                .pending
                .as_ref()
                .map(|pending| wait(pending.oldest_since())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::snapshot::{LiveJobs, NamespaceJobs, Sections};
    use crate::terms::{JobStatus, JobType};

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Creates a cluster with this number of pending jobs, the oldest of which waits since the epoch.
    fn pending(now: SystemTime, count: u64) -> Snapshot {
        let mut namespace = NamespaceJobs::default();
        namespace.jobs[JobType::Batch][JobStatus::Pending] = count;
        if count > 0 {
            namespace.pending.add(JobType::Batch, UNIX_EPOCH, now);
        }
        let jobs = LiveJobs { by_namespace: [("ci".into(), namespace)].into(), ..LiveJobs::default() };
        Snapshot::new(now, Vec::new(), Sections { jobs: Some(Arc::new(jobs)), ..Sections::default() })
    }

    fn counts(trends: &Trends) -> Vec<Option<u64>> {
        trends.points().iter().map(|point| point.pending_jobs).collect()
    }

    #[test]
    fn the_last_snapshot_of_an_interval_is_its_point() {
        let trends = Trends::new(15 * MINUTE / 60);
        let trends = trends.with(&pending(at(300), 1)).with(&pending(at(314), 2)).with(&pending(at(315), 0));
        assert_eq!(counts(&trends), [Some(2), Some(0)]);
        let waits: Vec<_> = trends.points().iter().map(|point| point.oldest_pending_seconds).collect();
        assert_eq!(waits, [Some(314), Some(0)]);
    }

    #[test]
    fn unknown_values_are_not_zero() {
        let trends = Trends::new(MINUTE).with(&Snapshot::new(at(60), Vec::new(), Sections::default()));
        let unknown = TrendPoint {
            at: at(60),
            pending_jobs: None,
            running_jobs: None,
            failed_jobs: None,
            active_nodes: None,
            oldest_pending_seconds: None,
        };
        assert_eq!(trends.points(), [unknown]);
    }

    #[test]
    fn points_are_bounded_by_an_hour_and_by_their_number() {
        for (interval, refresh, expected) in [(15, 15, 241), (1, 1, 721), (600, 600, 7), (15, 1, 241)] {
            let mut trends = Trends::new(Duration::from_secs(interval));
            for second in (0..9_000).step_by(refresh) {
                trends = trends.with(&pending(at(second), second));
                assert!(trends.points().len() <= expected, "every {interval} s: {}", trends.points().len());
            }
            assert!(trends.points().len() >= expected - 1, "every {interval} s: {}", trends.points().len());
            let [first, .., last] = trends.points() else { panic!("one point") };
            assert!(last.at.duration_since(first.at).unwrap() <= HOUR);
        }
    }

    #[test]
    fn points_in_the_future_are_dropped() {
        let trends = Trends::new(MINUTE).with(&pending(at(6000), 1)).with(&pending(at(120), 2));
        assert_eq!(counts(&trends), [Some(2)]);
    }

    #[test]
    fn a_late_refresh_is_not_a_gap() {
        let trends = Trends::new(MINUTE);
        assert!(!trends.is_gap(at(0), at(135)));
        assert!(trends.is_gap(at(0), at(151)));
        assert!(!trends.is_gap(at(60), at(0)));
    }
}
