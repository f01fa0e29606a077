//! Store of the newest sections and of the state of each collector.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::collector::Refresh;
use super::collectors::collector;
use super::context::Settings;
use super::report::FetchError;
use super::table::{Clock, Collector};
use crate::snapshot::{CollectorId, CollectorState, NamespaceCoverage, Scope, Sections, Snapshot};
use crate::terms::{ByTerm, TermSet};

/// Maximum time for which new data waits for collectors that are still being refreshed.
const GATHER: Duration = Duration::from_secs(5);

/// Time given to another collector on the same schedule to begin its refresh, before waiting for the end of
/// it.
const HEAD_START: Duration = Duration::from_millis(20);

/// The newest sections, shared between the collectors and the renderers.
pub struct Store(watch::Sender<State>);

#[derive(Debug, Default)]
struct State {
    /// Namespaces to read.
    scope: Scope,
    /// Collectors that are being refreshed.
    refreshing: TermSet<CollectorId>,
    /// State of each enabled collector.
    records: ByTerm<CollectorId, Option<CollectorRecord>>,
    /// The newest sections, including expired ones.
    sections: Sections,
}

#[derive(Debug)]
struct CollectorRecord {
    state: CollectorState,
    /// When the data of the last success expires.
    fresh_until: Option<Instant>,
}

/// A refresh in progress. Ends when this is dropped.
pub(super) struct Refreshing<'a>(&'a Store, &'static Collector);

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.refreshing.remove(self.1.id));
    }
}

/// Notifications about changes of a store.
pub struct Changes(watch::Receiver<State>);

impl Changes {
    /// Waits for a new change, but at most a little longer than an interval, so that expired data is noticed
    /// even if no new data arrives. A change waits until no live collector is being refreshed, for at most a
    /// part of the interval, so that data of collectors that are refreshed together appears together.
    pub async fn next(&mut self, interval: Duration) {
        drop(timeout(interval * 5 / 4, self.settled(GATHER.min(interval / 3))).await);
    }

    async fn settled(&mut self, at_most: Duration) {
        if self.0.changed().await.is_ok() {
            // There is new data even if the wait timed out.
            drop(timeout(at_most, self.0.wait_for(State::is_settled)).await);
        }
        self.0.mark_unchanged();
    }
}

impl Store {
    /// Creates an empty store.
    pub(super) fn new(settings: &Settings) -> Self {
        let mut state = State { scope: settings.namespaces.clone(), ..State::default() };
        for id in settings.collectors.iter() {
            state.records[id] = Some(CollectorRecord::new(collector(id), settings));
        }
        Self(watch::Sender::new(state))
    }

    /// Records the result of a refresh, its duration, and the current interval. `observed` are sections that
    /// several collectors update.
    pub(super) fn record(
        &self,
        collector: &Collector,
        result: Result<Refresh, &FetchError>,
        observed: Sections,
        (duration, interval): (Duration, Duration),
        now: SystemTime,
        settings: &Settings,
    ) {
        self.0.send_modify(|state| {
            let Some(record) = &mut state.records[collector.id] else { return };
            record.state.up = Some(result.is_ok());
            record.state.duration = Some(duration);
            record.state.panics += u64::from(matches!(result, Err(FetchError::Panicked(_))));
            record.state.problem = match &result {
                Err(error) if !matches!(error, FetchError::Needs(_)) => Some(error.sentence()),
                _ => None,
            };
            if let Ok(refresh) = result {
                record.state.interval = interval;
                record.state.last_success = Some(now);
                record.state.objects = Some(refresh.objects);
                record.state.last_contact = refresh.meta.last_contact;
                record.fresh_until = Some(Instant::now() + interval * settings.max_age_intervals);
                debug_assert!(
                    TermSet::of(&[collector.id]).contains_all(refresh.sections.collectors()),
                    "{} tells a section of another collector",
                    collector.name()
                );
                state.sections.update(refresh.sections);
                state.sections.update(observed);
            }
        });
    }

    /// Returns a snapshot of the current data.
    pub fn snapshot(&self, now: SystemTime) -> Snapshot {
        let (scope, collectors, sections) = self.0.borrow().fresh();
        // The lock is released before the joins are calculated, so that collectors can write meanwhile.
        Snapshot::within(&scope, now, collectors, sections)
    }

    /// Subscribes to changes.
    pub fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// Marks the beginning of a refresh. It ends when the returned value is dropped.
    pub(super) fn begin(&self, collector: &'static Collector) -> Refreshing<'_> {
        self.0.send_if_modified(|state| {
            state.refreshing.insert(collector.id);
            false
        });
        Refreshing(self, collector)
    }

    /// Waits while a collector is being refreshed, and briefly if a refresh is about to begin, with a
    /// timeout.
    pub(super) async fn settled(&self, id: CollectorId) {
        sleep(HEAD_START).await;
        let mut changes = self.0.subscribe();
        let settled = changes.wait_for(|state| !state.refreshing.contains(id));
        drop(timeout(GATHER, settled).await);
    }

    /// Returns the sections of a collector that have not expired. Waits for its first refresh, if it is
    /// enabled.
    pub(super) async fn newest(&self, id: CollectorId) -> Sections {
        let was_tried =
            |state: &State| state.records[id].as_ref().is_none_or(|record| record.state.up.is_some());
        let mut changes = self.0.subscribe();
        let state = changes.wait_for(was_tried).await;
        state.expect("the sender lives in self").select(TermSet::of(&[id]))
    }

    /// Waits until this collector succeeds.
    pub(super) async fn answers(&self, id: CollectorId) {
        let is_up =
            |state: &State| state.records[id].as_ref().is_some_and(|record| record.state.up == Some(true));
        let mut changes = self.0.subscribe();
        drop(changes.wait_for(is_up).await.expect("the sender lives in self"));
    }
}

impl CollectorRecord {
    fn new(collector: &Collector, settings: &Settings) -> Self {
        let state = CollectorState {
            id: collector.id,
            required: collector.required,
            up: None,
            problem: None,
            fresh: false,
            last_success: None,
            duration: None,
            objects: None,
            last_contact: None,
            interval: collector.interval(settings),
            panics: 0,
        };
        Self { state, fresh_until: None }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.fresh_until.is_some_and(|until| now < until)
    }
}

impl State {
    /// Returns whether no live collector is being refreshed. Collectors with longer intervals take too long
    /// to wait for.
    fn is_settled(&self) -> bool {
        self.refreshing.iter().all(|id| collector(id).clock != Clock::Live)
    }

    /// Returns the sections of these collectors that have not expired.
    fn select(&self, collectors: TermSet<CollectorId>) -> Sections {
        let now = Instant::now();
        let is_fresh =
            |id: &CollectorId| self.records[*id].as_ref().is_some_and(|record| record.is_fresh(now));
        self.sections.select(collectors.iter().filter(is_fresh).collect())
    }

    /// Returns the scope, the state of each collector, and the sections that have not expired. A token that
    /// may not read everything does not expire: this is assumed until Nomad reports otherwise.
    fn fresh(&self) -> (Scope, Vec<CollectorState>, Sections) {
        let now = Instant::now();
        let records = || self.records.iter().filter_map(|(_, record)| record.as_ref());
        let states = records()
            .map(|record| CollectorState { fresh: record.is_fresh(now), ..record.state.clone() })
            .collect();
        let mut sections = self.select(records().map(|record| record.state.id).collect());
        let is_partial = |coverage: &Arc<NamespaceCoverage>| coverage.partial().is_some();
        sections.coverage = sections.coverage.or_else(|| self.sections.coverage.clone().filter(is_partial));
        (self.scope.clone(), states, sections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_narrow_token_is_not_forgotten_while_nomad_does_not_tell() {
        let settings = Settings::of(TermSet::of(&[CollectorId::Token]));
        let max_age = settings.history_interval * settings.max_age_intervals;
        for (coverage, expected) in [
            (NamespaceCoverage::Partial("it is narrow".to_owned()), Some(false)),
            (NamespaceCoverage::All, None),
            (NamespaceCoverage::Unknown("it is odd".to_owned()), None),
        ] {
            let store = Store::new(&settings);
            let sees_all = || store.snapshot(SystemTime::UNIX_EPOCH).joins.coverage.sees_all();
            assert_eq!(sees_all(), None, "nothing was requested yet");
            let known = coverage.sees_all();
            let sections = Sections { coverage: Some(Arc::new(coverage)), ..Sections::default() };
            let refresh = Refresh { sections, ..Refresh::default() };
            let (row, now) = (collector(CollectorId::Token), SystemTime::UNIX_EPOCH);
            let times = (Duration::ZERO, row.interval(&settings));
            store.record(row, Ok(refresh), Sections::default(), times, now, &settings);
            assert_eq!(sees_all(), known);
            tokio::time::advance(max_age).await;
            assert_eq!(sees_all(), expected, "it expired");
        }
    }
}
