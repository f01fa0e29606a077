//! Each source on its own clock.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::context::Context;
use super::report::{self, FetchError};
use super::sources::{SOURCES, Source};

/// The intervals of an exporter are longer or shorter by up to this share than those of another one, so that replicas
/// that were started together do not march in step.
const JITTER: f64 = 0.05;
/// How soon a failed refresh is tried again at first; the pause grows up to the source's interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Refreshes every source that is on, for ever. Dropping it ends all refreshes.
pub async fn run(context: Arc<Context>) {
    let mut sources = JoinSet::new();
    let beat = Beat { began: Instant::now(), stretch: 1.0 + JITTER * (2.0 * fastrand::f64() - 1.0) };
    for source in SOURCES.iter().filter(|source| context.settings.sources.contains(&source.name)) {
        sources.spawn(keep_fresh(source, context.clone(), beat));
    }
    while let Some(ended) = sources.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a source ended; its data will be withdrawn");
        }
    }
}

/// The times at which sources are refreshed. Those of one clock are refreshed together: what they tell fits together,
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

/// Refreshes one source again and again, one refresh at a time.
async fn keep_fresh(source: &'static Source, context: Arc<Context>, beat: Beat) {
    let interval = source.interval(&context.settings);
    let mut retries = retries(interval);
    loop {
        let started = Instant::now();
        let result = refresh(source, &context).await;
        let now = Instant::now();
        // A refresh that outlasts its interval still leaves Nomad a moment's rest.
        let rested = now + interval / 10;
        let next = match &result {
            Ok(()) => {
                retries = self::retries(interval);
                match source.interval_after(now - started, &context.settings) {
                    longer if longer > interval => beat.next(interval, rested.max(started + longer)),
                    _ => beat.next(interval, rested),
                }
            }
            // From its beginning, or one that waited in vain would put off the next.
            Err(_) => rested.max(started + retries.next().unwrap_or(interval)),
        };
        match result {
            // What it builds on may be back sooner.
            Err(FetchError::Needs(source)) => {
                sleep_until(rested).await;
                drop(timeout_at(next, context.store.answers(source)).await);
            }
            Ok(()) | Err(_) => sleep_until(next).await,
        }
    }
}

/// The pauses after failures: from short to one interval, so that a source is back within an interval of the
/// fault's end.
fn retries(interval: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_RETRY.min(interval))
        .with_max_delay(interval)
        .without_max_times()
        .build()
}

/// Refreshes one source once; the store and the log are told.
pub async fn refresh(source: &'static Source, context: &Arc<Context>) -> Result<(), FetchError> {
    let settings = &context.settings;
    let limit = source.interval(settings) * settings.max_age_intervals;
    let started = Instant::now();
    let _under_way = context.store.begin(source);
    let result = timeout(limit, (source.fetch)(context.clone())).await;
    let result = result.unwrap_or(Err(FetchError::TookTooLong(limit)));
    let (refresh, error) = match result {
        Ok(refresh) => (Some(refresh), None),
        Err(error) => (None, Some(error)),
    };
    let result = refresh.ok_or_else(|| error.as_ref().expect("a refresh or an error"));
    let change = context.store.record(source, result, started.elapsed(), (context.now)(), settings);
    report::log(context, source, change, error.as_ref());
    error.map_or(Ok(()), Err)
}

/// Refreshes every source that is on once, all at the same time but for those that build on others. Returns what
/// failed, in the order of the table.
pub async fn refresh_all(context: &Arc<Context>) -> Vec<(&'static Source, FetchError)> {
    let mut refreshes = JoinSet::new();
    for (place, source) in SOURCES.iter().enumerate() {
        if context.settings.sources.contains(&source.name) {
            let context = context.clone();
            refreshes.spawn(async move { (place, source, refresh(source, &context).await) });
        }
    }
    let mut failed: Vec<_> = refreshes
        .join_all()
        .await
        .into_iter()
        .filter_map(|(place, source, result)| Some((place, source, result.err()?)))
        .collect();
    failed.sort_unstable_by_key(|(place, ..)| *place);
    failed.into_iter().map(|(_, source, error)| (source, error)).collect()
}
