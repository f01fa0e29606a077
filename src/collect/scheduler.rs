//! Schedules of the collectors.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::report::FetchError;
use super::runner::Runner;

/// Maximum relative deviation of an exporter's intervals, which is random, so that replicas that were started
/// together do not send their requests at the same time.
const JITTER: f64 = 0.05;
/// First pause before a failed refresh is repeated. Pauses grow up to the collector's interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Refreshes all collectors forever. Dropping the future ends all refreshes.
pub(super) async fn run(runners: Vec<Runner>) {
    let schedule = Schedule { began: Instant::now(), stretch: 1.0 + JITTER * (2.0 * fastrand::f64() - 1.0) };
    let mut clocks = JoinSet::new();
    for runner in runners {
        clocks.spawn(keep_fresh(runner, schedule));
    }
    while clocks.join_next().await.is_some() {}
}

/// Times of refreshes. Collectors with the same interval are refreshed together, so that their data is
/// consistent and is rendered once.
#[derive(Clone, Copy)]
struct Schedule {
    began: Instant,
    stretch: f64,
}

impl Schedule {
    /// Returns the first time on this schedule that is not before `not_before`.
    fn next(&self, interval: Duration, not_before: Instant) -> Instant {
        let interval = interval.mul_f64(self.stretch);
        let beats = (not_before - self.began).div_duration_f64(interval).ceil();
        self.began + interval.mul_f64(beats)
    }
}

/// Refreshes one collector forever, one refresh at a time.
async fn keep_fresh(mut runner: Runner, schedule: Schedule) {
    let interval = runner.row.interval(&runner.context.settings);
    let mut retries = retries(interval);
    loop {
        let started = Instant::now();
        let result = runner.refresh().await;
        // Give Nomad a pause even after a refresh that takes longer than its interval.
        let rested = Instant::now() + interval / 10;
        let next = match &result {
            Ok(()) => {
                retries = self::retries(interval);
                match runner.interval {
                    longer if longer > interval => schedule.next(interval, rested.max(started + longer)),
                    _ => schedule.next(interval, rested),
                }
            }
            // Measured from the beginning of the refresh, so that a timeout does not delay the next one.
            Err(_) => rested.max(started + retries.next().unwrap_or(interval)),
        };
        runner.outage.log().await;
        match result {
            // The collector that it depends on may be back sooner.
            Err(FetchError::Needs(collector)) => {
                sleep_until(rested).await;
                drop(timeout_at(next, runner.store.answers(collector)).await);
            }
            Ok(()) => drop(timeout_at(next, runner.changed(started)).await),
            Err(_) => sleep_until(next).await,
        }
    }
}

/// Returns the pauses after failures. They grow to at most one interval, so that a collector is up within an
/// interval after the end of a failure.
fn retries(interval: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_RETRY.min(interval))
        .with_max_delay(interval)
        .without_max_times()
        .build()
}
