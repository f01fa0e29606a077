//! The last hour in a few numbers, for people without a Prometheus at hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Snapshot, Totals};
use crate::terms::NodeState;

/// How far back the points go.
const HOUR: Duration = Duration::from_secs(3600);
/// Points at most, whatever the interval.
const MAX_POINTS: u32 = 720;

/// A ring of points: one for each interval of the last hour. It is a value, as all state is: each refresh makes a new
/// one of the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Trends {
    step: Duration,
    points: Vec<TrendPoint>,
}

/// The cluster in one interval; absent values are unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrendPoint {
    /// When the last snapshot of the interval was taken.
    pub at: SystemTime,
    /// Pending jobs.
    pub pending_jobs: Option<u64>,
    /// Running jobs.
    pub running_jobs: Option<u64>,
    /// Dead jobs that failed and that Nomad still retains.
    pub failed_jobs: Option<u64>,
    /// Active nodes.
    pub active_nodes: Option<u64>,
    /// Seconds that the oldest pending job has waited; 0 if none is pending.
    pub oldest_pending_seconds: Option<u64>,
}

impl Trends {
    /// No points yet; one comes each interval.
    pub fn new(interval: Duration) -> Self {
        Self { step: interval.max(HOUR / MAX_POINTS), points: Vec::new() }
    }

    /// Returns these points and that of a snapshot, which replaces an earlier one of the same interval. Points older
    /// than an hour are dropped, and points of the future, which a clock that was set back leaves behind.
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

    /// The points, oldest first.
    pub fn points(&self) -> &[TrendPoint] {
        &self.points
    }

    /// Returns whether points between these two are missing. Snapshots come up to a quarter of an interval late.
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

    /// A cluster with this many pending jobs, of which the oldest has waited since the epoch.
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
    fn what_is_unknown_is_no_zero() {
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
    fn points_of_a_future_that_did_not_come_are_dropped() {
        let trends = Trends::new(MINUTE).with(&pending(at(6000), 1)).with(&pending(at(120), 2));
        assert_eq!(counts(&trends), [Some(2)]);
    }

    #[test]
    fn a_gap_is_longer_than_a_late_refresh() {
        let trends = Trends::new(MINUTE);
        assert!(!trends.is_gap(at(0), at(135)));
        assert!(trends.is_gap(at(0), at(151)));
        assert!(!trends.is_gap(at(60), at(0)));
    }
}
