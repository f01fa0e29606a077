//! Each collector on its own clock.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::collectors::{COLLECTORS, Collector};
use super::context::Context;
use super::report::{self, FetchError};

/// The intervals of an exporter are longer or shorter by up to this share than those of another one, so that replicas
/// that were started together do not march in step.
const JITTER: f64 = 0.05;
/// How soon a failed refresh is tried again at first; the pause grows up to the collector's interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Refreshes every collector that is on, for ever. Dropping it ends all refreshes.
pub async fn run(context: Arc<Context>) {
    let mut collectors = JoinSet::new();
    let beat = Beat { began: Instant::now(), stretch: 1.0 + JITTER * (2.0 * fastrand::f64() - 1.0) };
    for collector in
        COLLECTORS.iter().filter(|collector| context.settings.collectors.contains(&collector.name))
    {
        collectors.spawn(keep_fresh(collector, context.clone(), beat));
    }
    while let Some(ended) = collectors.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a collector ended; its data will be withdrawn");
        }
    }
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
async fn keep_fresh(collector: &'static Collector, context: Arc<Context>, beat: Beat) {
    let interval = collector.interval(&context.settings);
    let mut retries = retries(interval);
    loop {
        let started = Instant::now();
        let result = refresh(collector, &context).await;
        let now = Instant::now();
        // A refresh that outlasts its interval still leaves Nomad a moment's rest.
        let rested = now + interval / 10;
        let next = match &result {
            Ok(()) => {
                retries = self::retries(interval);
                match collector.interval_after(now - started, &context.settings) {
                    longer if longer > interval => beat.next(interval, rested.max(started + longer)),
                    _ => beat.next(interval, rested),
                }
            }
            // From its beginning, or one that waited in vain would put off the next.
            Err(_) => rested.max(started + retries.next().unwrap_or(interval)),
        };
        match result {
            // What it builds on may be back sooner.
            Err(FetchError::Needs(collector)) => {
                sleep_until(rested).await;
                drop(timeout_at(next, context.store.answers(collector)).await);
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

/// Refreshes one collector once; the store and the log are told.
pub async fn refresh(collector: &'static Collector, context: &Arc<Context>) -> Result<(), FetchError> {
    let settings = &context.settings;
    let limit = collector.interval(settings) * settings.max_age_intervals;
    let started = Instant::now();
    let _under_way = context.store.begin(collector);
    let result = timeout(limit, (collector.fetch)(context.clone())).await;
    let result = result.unwrap_or(Err(FetchError::TookTooLong(limit)));
    let (refresh, error) = match result {
        Ok(refresh) => (Some(refresh), None),
        Err(error) => (None, Some(error)),
    };
    let result = refresh.ok_or_else(|| error.as_ref().expect("a refresh or an error"));
    let change = context.store.record(collector, result, started.elapsed(), (context.now)(), settings);
    report::log(context, collector, change, error.as_ref());
    error.map_or(Ok(()), Err)
}

/// Refreshes every collector that is on once, all at the same time but for those that build on others. Returns what
/// failed, in the order of the table.
pub async fn refresh_all(context: &Arc<Context>) -> Vec<(&'static Collector, FetchError)> {
    let mut refreshes = JoinSet::new();
    for (place, collector) in COLLECTORS.iter().enumerate() {
        if context.settings.collectors.contains(&collector.name) {
            let context = context.clone();
            refreshes.spawn(async move { (place, collector, refresh(collector, &context).await) });
        }
    }
    let mut failed: Vec<_> = refreshes
        .join_all()
        .await
        .into_iter()
        .filter_map(|(place, collector, result)| Some((place, collector, result.err()?)))
        .collect();
    failed.sort_unstable_by_key(|(place, ..)| *place);
    failed.into_iter().map(|(_, collector, error)| (collector, error)).collect()
}
