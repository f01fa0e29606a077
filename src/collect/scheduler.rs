//! Each collector on its own clock.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::report::FetchError;
use super::runner::Runner;

/// The intervals of an exporter are longer or shorter by up to this share than those of another one, so that replicas
/// that were started together do not march in step.
const JITTER: f64 = 0.05;
/// How soon a failed refresh is tried again at first; the pause grows up to the collector's interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Refreshes every collector, for ever. Dropping it ends all refreshes.
pub(super) async fn run(runners: Vec<Runner>) {
    let beat = Beat { began: Instant::now(), stretch: 1.0 + JITTER * (2.0 * fastrand::f64() - 1.0) };
    let mut clocks = JoinSet::new();
    for runner in runners {
        clocks.spawn(keep_fresh(runner, beat));
    }
    while clocks.join_next().await.is_some() {}
}

/// The times at which collectors are refreshed. Those of one clock are refreshed together: what they tell fits together,
/// and is rendered once.
#[derive(Clone, Copy)]
struct Beat {
    began: Instant,
    stretch: f64,
}

impl Beat {
    /// The first beat of this interval that is not before a time.
    fn next(&self, interval: Duration, not_before: Instant) -> Instant {
        let interval = interval.mul_f64(self.stretch);
        let beats = (not_before - self.began).div_duration_f64(interval).ceil();
        self.began + interval.mul_f64(beats)
    }
}

/// Refreshes one collector again and again, one refresh at a time.
async fn keep_fresh(mut runner: Runner, beat: Beat) {
    let interval = runner.row.interval(&runner.context.settings);
    let mut retries = retries(interval);
    loop {
        let started = Instant::now();
        let result = runner.refresh().await;
        // A refresh that outlasts its interval still leaves Nomad a moment's rest.
        let rested = Instant::now() + interval / 10;
        let next = match &result {
            Ok(()) => {
                retries = self::retries(interval);
                match runner.interval {
                    longer if longer > interval => beat.next(interval, rested.max(started + longer)),
                    _ => beat.next(interval, rested),
                }
            }
            // From its beginning, or one that waited in vain would put off the next.
            Err(_) => rested.max(started + retries.next().unwrap_or(interval)),
        };
        runner.outage.say().await;
        match result {
            // What it builds on may be back sooner.
            Err(FetchError::Needs(collector)) => {
                sleep_until(rested).await;
                drop(timeout_at(next, runner.store.answers(collector)).await);
            }
            Ok(()) | Err(_) => sleep_until(next).await,
        }
    }
}

/// The pauses after failures: from short to one interval, so that a collector is back within an interval of the
/// fault's end.
fn retries(interval: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_RETRY.min(interval))
        .with_max_delay(interval)
        .without_max_times()
        .build()
}
