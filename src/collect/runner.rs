//! Refreshes of one collector. Each refresh has a timeout, and a panic ends only that refresh.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::collector::{AnyCollector, Refresh};
use super::context::Context;
use super::observers::Observers;
use super::outage::Outage;
use super::report::{FetchError, Report};
use super::store::Store;
use super::table::{Clock, Collector};

/// Minimum time between two refreshes, if the event stream shows changes in between.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// Maximum share of the time that such refreshes take.
const EARLY_SHARE: f64 = 0.01;

/// An enabled collector.
pub(super) struct Runner {
    pub(super) row: &'static Collector,
    pub(super) context: Arc<Context>,
    pub(super) store: Arc<Store>,
    observers: Arc<Observers>,
    /// `None` after a refresh that was canceled or panicked, because its state may be inconsistent, and after
    /// Nomad's state was rebuilt.
    collector: Option<Box<dyn AnyCollector>>,
    /// Number of rebuilds of Nomad's state at the time of the last refresh.
    resets: u64,
    report: Report,
    /// Time that the servers took for the last list.
    served: Duration,
    /// Current interval, which depends on the cost of the last refresh.
    pub(super) interval: Duration,
    pub(super) outage: Arc<Outage>,
}

impl Runner {
    /// Creates a runner for a collector without data.
    pub(super) fn new(
        row: &'static Collector,
        context: Arc<Context>,
        store: Arc<Store>,
        observers: Arc<Observers>,
        outage: Arc<Outage>,
    ) -> Self {
        let report = Report::new(row.id, context.settings.logged_changes);
        let interval = row.interval(&context.settings);
        let (collector, resets, served) = (None, 0, Duration::ZERO);
        Self { row, context, store, observers, collector, resets, report, served, interval, outage }
    }

    /// Returns whether the collector is down because Nomad cannot be reached.
    pub(super) fn is_unreachable(&self) -> bool {
        self.report.is_unreachable()
    }

    /// Refreshes the collector once, and updates the store and the log.
    pub(super) async fn refresh(&mut self) -> Result<(), FetchError> {
        let started = Instant::now();
        let store = self.store.clone();
        let _going_on = store.begin(self.row);
        let (refresh, error) = match self.read().await {
            Ok(refresh) => (Some(refresh), None),
            Err(error) => (None, Some(error)),
        };
        let took = started.elapsed();
        // Log before the store is updated, because collectors that wait for this one check whether there is
        // an outage.
        self.report.log(error.as_ref(), started, &self.context.client, &self.outage).await;
        if let Some(refresh) = &refresh {
            self.interval = self.row.interval_after(self.cost(refresh, took), &self.context.settings);
        }
        let result = refresh.ok_or_else(|| error.as_ref().expect("a refresh or an error"));
        let (observed, now) = (self.observers.sections(), (self.context.now)());
        let settings = &self.context.settings;
        store.record(self.row, result, observed, (took, self.interval), now, settings);
        error.map_or(Ok(()), Err)
    }

    /// Waits until the event stream shows a change that is worth a refresh before the scheduled one.
    pub(super) fn changed(&self, started: Instant) -> impl Future<Output = ()> + use<> {
        let (context, id) = (self.context.clone(), self.row.id);
        let pause = MIN_PAUSE.max(started.elapsed().div_f64(EARLY_SHARE));
        async move {
            sleep_until(started + pause).await;
            context.events.changed(id).await;
        }
    }

    /// Returns the cost of a refresh. For history collectors this is the total duration, for live ones the
    /// time that the servers took. A single slow response may be an exception, so the faster one of two in a
    /// row counts.
    fn cost(&mut self, refresh: &Refresh, took: Duration) -> Duration {
        let served = refresh.meta.served;
        match self.row.clock {
            Clock::History | Clock::SlowHistory => took,
            // Only probes were sent.
            Clock::Live if served.is_zero() => served,
            Clock::Live => std::mem::replace(&mut self.served, served).min(served),
            Clock::Client => Duration::ZERO,
        }
    }

    /// Runs the refresh in a separate task, so that a panic does not end the caller. The task is canceled
    /// together with this future.
    async fn read(&mut self) -> Result<Refresh, FetchError> {
        let resets = self.context.client.resets();
        if std::mem::replace(&mut self.resets, resets) != resets {
            // Its data is from before the rebuild.
            self.collector = None;
            self.observers.forget(resets);
        }
        let mut collector = self.collector.take().unwrap_or_else(|| (self.row.new)(&self.observers));
        let limit = self.row.interval(&self.context.settings) * self.context.settings.max_age_intervals;
        let (context, store) = (self.context.clone(), self.store.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let result = timeout(limit, collector.refresh(&context, &store)).await;
            (collector, result.unwrap_or(Err(FetchError::TookTooLong(limit))))
        });
        match task.join_next().await.expect("one task was spawned") {
            Ok((collector, result)) => {
                self.collector = Some(collector);
                result
            }
            Err(error) => Err(FetchError::Panicked(panic_message(error).await)),
        }
    }
}

/// Returns the message of a panic. Waits forever if the task was canceled: only the end of the program does that.
async fn panic_message(error: JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else { return std::future::pending().await };
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::collect::collector::{Collect, Newest, reads};
    use crate::collect::{Clock, Collectors, Settings};
    use crate::nomad::{self, Client, Compression, Token};
    use crate::snapshot::{CollectorId, Leader, Sections};
    use crate::terms::TermSet;

    /// A collector that panics in every second refresh.
    struct Fragile {
        refreshes: u32,
    }

    reads!(Fragile:);

    impl Collect for Fragile {
        fn new(_: &Observers) -> Self {
            Self { refreshes: 0 }
        }

        async fn collect(&mut self, _: &Arc<Context>, _: &Newest<'_, Self>) -> Result<Refresh, FetchError> {
            self.refreshes += 1;
            assert!(self.refreshes < 2, "the second refresh");
            let leader = Some(Arc::new(Leader::default()));
            Ok(Refresh { sections: Sections { leader, ..Sections::default() }, ..Refresh::default() })
        }
    }

    static FRAGILE: Collector = Collector::of::<Fragile>(CollectorId::Leader, Clock::Live, "nothing");

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_panics_is_started_again() {
        let settings = Settings::of(TermSet::of(&[CollectorId::Leader]));
        let max_age = settings.interval * settings.max_age_intervals;
        let nowhere = nomad::ClientSettings {
            addresses: Vec::new(),
            token: Token::None,
            http_auth: None,
            tls: nomad::Tls::default(),
            region: None,
            timeout: Duration::from_secs(1),
            allow_stale: true,
            max_last_contact: None,
            max_connections: 1,
            compression: Compression::Identity,
            max_list_bytes: 0,
            max_object_bytes: 0,
            max_compressed_bytes: 0,
        };
        let client = Client::new(nowhere, Arc::new(|_| {})).unwrap();
        let shared = Collectors::new(client, settings, SystemTime::now);
        let (context, store) = (shared.context.clone(), shared.store.clone());
        let mut runner =
            Runner::new(&FRAGILE, context, store.clone(), Arc::default(), Arc::new(Outage::new(20)));

        runner.refresh().await.unwrap();
        let error = runner.refresh().await.unwrap_err();
        assert_eq!(error.to_string(), "it panicked: the second refresh; please report this");
        let snapshot = store.snapshot(SystemTime::now());
        let state = &snapshot.collectors[0];
        assert_eq!((state.up, state.panics), (Some(false), 1));
        assert!(snapshot.sections.leader.is_some(), "the last success counts until it expires");

        runner.refresh().await.unwrap();
        assert_eq!(store.snapshot(SystemTime::now()).collectors[0].up, Some(true), "with new state");
        tokio::time::advance(max_age).await;
        assert!(store.snapshot(SystemTime::now()).sections.leader.is_none(), "it expires");
    }

    /// When the program ends, the runtime may cancel a refresh before the task that waits for it.
    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_program_is_no_panic() {
        let refresh = tokio::spawn(std::future::pending::<()>());
        refresh.abort();
        let error = refresh.await.unwrap_err();
        assert!(timeout(Duration::from_secs(3600), panic_message(error)).await.is_err());
    }
}
