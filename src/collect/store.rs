//! Where refreshes end: the newest sections, and how the collectors stand.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::collector::Refresh;
use super::collectors::collector;
use super::context::Settings;
use super::report::FetchError;
use super::table::{Clock, Collector};
use crate::snapshot::{CollectorId, CollectorState, Reach, Scope, Sections, Snapshot};
use crate::terms::{ByTerm, TermSet};

/// For how long at most what is new waits for collectors that are still being refreshed.
const GATHER: Duration = Duration::from_secs(5);

/// How much sooner a collector of the same beat may begin that others wait for.
const HEAD_START: Duration = Duration::from_millis(20);

/// The newest sections, shared between collectors and whoever renders them.
pub struct Store(watch::Sender<State>);

#[derive(Debug, Default)]
struct State {
    /// The namespaces that are to be read.
    scope: Scope,
    /// The collectors that are being refreshed.
    refreshing: TermSet<CollectorId>,
    /// How each collector that is on stands.
    records: ByTerm<CollectorId, Option<CollectorRecord>>,
    /// The newest sections, expired ones too.
    sections: Sections,
}

#[derive(Debug)]
struct CollectorRecord {
    state: CollectorState,
    /// Until when the last success counts.
    fresh_until: Option<Instant>,
}

/// A refresh that is going on.
pub(super) struct Refreshing<'a>(&'a Store, &'static Collector);

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.refreshing.remove(self.1.id));
    }
}

/// Tells of changes of a store.
pub struct Changes(watch::Receiver<State>);

impl Changes {
    /// Waits for a change that was not seen yet, or for the passing of a little more than an interval, so that what
    /// expires is noticed even when nothing comes any more. Collectors that are refreshed together are to be shown
    /// together: a change waits until no live collector is being refreshed, for a part of the interval at most.
    pub async fn next(&mut self, interval: Duration) {
        drop(timeout(interval * 5 / 4, self.settled(GATHER.min(interval / 3))).await);
    }

    async fn settled(&mut self, at_most: Duration) {
        if self.0.changed().await.is_ok() {
            // However the wait ended, there is something new.
            drop(timeout(at_most, self.0.wait_for(State::is_settled)).await);
        }
        self.0.mark_unchanged();
    }
}

impl Store {
    /// A store that knows nothing yet.
    pub(super) fn new(settings: &Settings) -> Self {
        let mut state = State { scope: settings.namespaces.clone(), ..State::default() };
        for id in settings.collectors.iter() {
            state.records[id] = Some(CollectorRecord::new(collector(id), settings));
        }
        Self(watch::Sender::new(state))
    }

    /// Takes in how a refresh ended, how long it took, and how often there is one now. Sections that several collectors
    /// feed come beside it.
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

    /// What is known now.
    pub fn snapshot(&self, now: SystemTime) -> Snapshot {
        let (scope, collectors, sections) = self.0.borrow().fresh();
        // Joined after the state was let go: others may write meanwhile.
        Snapshot::within(&scope, now, collectors, sections)
    }

    /// Tells of changes.
    pub fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// A refresh begins; it goes on until what this returns is dropped.
    pub(super) fn begin(&self, collector: &'static Collector) -> Refreshing<'_> {
        self.0.send_if_modified(|state| {
            state.refreshing.insert(collector.id);
            false
        });
        Refreshing(self, collector)
    }

    /// Waits while a collector is being refreshed, for a moment if it is about to be, and not for ever.
    pub(super) async fn settled(&self, id: CollectorId) {
        sleep(HEAD_START).await;
        let mut changes = self.0.subscribe();
        let settled = changes.wait_for(|state| !state.refreshing.contains(id));
        drop(timeout(GATHER, settled).await);
    }

    /// The fresh sections of a collector, once it was tried for the first time, if it is on at all.
    pub(super) async fn newest(&self, id: CollectorId) -> Sections {
        let was_tried =
            |state: &State| state.records[id].as_ref().is_none_or(|record| record.state.up.is_some());
        let mut changes = self.0.subscribe();
        let state = changes.wait_for(was_tried).await;
        state.expect("the sender lives in self").select(TermSet::of(&[id]))
    }

    /// Waits until this collector answers.
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
    /// Whether no live collector is being refreshed. Those of other clocks take long, and nobody is to wait for them.
    fn is_settled(&self) -> bool {
        self.refreshing.iter().all(|id| collector(id).clock != Clock::Live)
    }

    /// The sections that are made of these collectors and have not expired.
    fn select(&self, collectors: TermSet<CollectorId>) -> Sections {
        let now = Instant::now();
        let is_fresh =
            |id: &CollectorId| self.records[*id].as_ref().is_some_and(|record| record.is_fresh(now));
        self.sections.select(collectors.iter().filter(is_fresh).collect())
    }

    /// What is to be read, how the collectors stand, and the sections that have not expired. That a token may not read
    /// everything does not expire: it holds until the contrary is known.
    fn fresh(&self) -> (Scope, Vec<CollectorState>, Sections) {
        let now = Instant::now();
        let records = || self.records.iter().filter_map(|(_, record)| record.as_ref());
        let states = records()
            .map(|record| CollectorState { fresh: record.is_fresh(now), ..record.state.clone() })
            .collect();
        let mut sections = self.select(records().map(|record| record.state.id).collect());
        let is_partial = |reach: &Arc<Reach>| reach.partial().is_some();
        sections.reach = sections.reach.or_else(|| self.sections.reach.clone().filter(is_partial));
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
        for (reach, expected) in [
            (Reach::Partial("it is narrow".to_owned()), Some(false)),
            (Reach::All, None),
            (Reach::Unknown("it is odd".to_owned()), None),
        ] {
            let store = Store::new(&settings);
            let sees_all = || store.snapshot(SystemTime::UNIX_EPOCH).joins.reach.sees_all();
            assert_eq!(sees_all(), None, "nobody has asked");
            let known = reach.sees_all();
            let sections = Sections { reach: Some(Arc::new(reach)), ..Sections::default() };
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
