//! Where refreshes end: the newest section of each collector, and how the collectors stand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::collectors::{COLLECTORS, Clock, Collector};
use super::context::Settings;
use super::report::FetchError;
use crate::nomad::Meta;
use crate::snapshot::{
    AllocationCounts, Autopilot, CollectorState, Deployments, Drains, Evaluations, FinishedCounts,
    FinishedJobs, Hosts, Leader, LiveAllocations, LiveJobs, Nodes, PlacementDelays, SchedulerSettings,
    Sections, Servers, Snapshot, Specifications, Usage,
};

/// What one refresh of a collector read.
#[derive(Debug, Default)]
pub(super) struct Refresh {
    /// The sections to replace.
    pub(super) sections: Vec<Section>,
    /// Rows read.
    pub(super) objects: u64,
    /// What the answers' headers told.
    pub(super) meta: Meta,
}

/// One part of a snapshot.
#[derive(Debug)]
pub(super) enum Section {
    Jobs(LiveJobs),
    FinishedJobs(FinishedJobs),
    Nodes(Nodes),
    Drains(Drains),
    Hosts(Hosts),
    Allocations(LiveAllocations),
    FinishedAllocations(AllocationCounts),
    Evaluations(Evaluations),
    Namespaces(BTreeSet<String>),
    Servers(Servers),
    Placements(PlacementDelays),
    Completions(FinishedCounts),
    Specifications(Specifications),
    Deployments(Deployments),
    Leader(Leader),
    Autopilot(Autopilot),
    Scheduler(SchedulerSettings),
    Usage(Usage),
    /// The nodes are as they were.
    SameNodes,
    /// The live allocations are as they were.
    SameAllocations,
}

/// The newest sections, shared between collectors and whoever renders them.
pub struct Store(watch::Sender<State>);

#[derive(Debug, Default)]
struct State {
    /// How many refreshes of live collectors are under way.
    under_way: usize,
    collectors: Vec<CollectorRecord>,
    jobs: Slot<LiveJobs>,
    finished_jobs: Slot<FinishedJobs>,
    nodes: Slot<Nodes>,
    drains: Slot<Drains>,
    hosts: Slot<Hosts>,
    allocations: Slot<LiveAllocations>,
    finished_allocations: Slot<AllocationCounts>,
    evaluations: Slot<Evaluations>,
    namespaces: Slot<BTreeSet<String>>,
    servers: Slot<Servers>,
    placements: Slot<PlacementDelays>,
    completions: Slot<FinishedCounts>,
    specifications: Slot<Specifications>,
    deployments: Slot<Deployments>,
    leader: Slot<Leader>,
    autopilot: Slot<Autopilot>,
    scheduler: Slot<SchedulerSettings>,
    usage: Slot<Usage>,
}

#[derive(Debug)]
struct CollectorRecord {
    collector: &'static str,
    state: CollectorState,
    /// Until when the last success counts.
    fresh_until: Option<Instant>,
}

/// A section and until when it may be shown.
#[derive(Debug)]
struct Slot<T>(Option<(Arc<T>, Instant)>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: PartialEq> Slot<T> {
    /// A value that is as it was stays the same one, so that whoever rendered it need not look at it again.
    fn put(&mut self, value: T, until: Instant) {
        match &mut self.0 {
            Some((known, fresh_until)) if **known == value => *fresh_until = until,
            slot => *slot = Some((Arc::new(value), until)),
        }
    }

    fn renew(&mut self, until: Instant) {
        if let Some((_, fresh_until)) = &mut self.0 {
            *fresh_until = until;
        }
    }

    fn fresh(&self, now: Instant) -> Option<Arc<T>> {
        let (value, until) = self.0.as_ref()?;
        (now < *until).then(|| value.clone())
    }
}

/// A refresh of a live collector that is under way.
pub(super) struct UnderWay<'a>(&'a Store);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.under_way -= 1);
    }
}

/// Tells of changes of a store.
pub struct Changes(watch::Receiver<State>);

impl Changes {
    /// Waits for a change that was not seen yet, and then until no live collector is being refreshed, or for so long at
    /// most: collectors that are refreshed together are to be shown together.
    pub async fn settled(&mut self, at_most: Duration) {
        if self.0.changed().await.is_ok() {
            // However the wait ended, there is something new.
            drop(timeout(at_most, self.0.wait_for(|state| state.under_way == 0)).await);
        }
        self.0.mark_unchanged();
    }
}

/// How a refresh changed its collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It stands as it stood.
    None,
    /// It began to answer, or does again.
    Up,
    /// It stopped answering, or does not begin to.
    Down,
}

impl Store {
    /// A store that knows nothing yet.
    pub fn new(settings: &Settings) -> Self {
        let enabled = COLLECTORS.iter().filter(|collector| settings.collectors.contains(&collector.name));
        let collectors = enabled.map(|collector| CollectorRecord::new(collector, settings)).collect();
        Self(watch::Sender::new(State { collectors, ..State::default() }))
    }

    /// Takes in how a refresh ended.
    pub(super) fn record(
        &self,
        collector: &Collector,
        result: Result<Refresh, &FetchError>,
        duration: Duration,
        now: SystemTime,
        settings: &Settings,
    ) -> Change {
        let mut change = Change::None;
        let interval = collector.interval_after(duration, settings);
        self.0.send_modify(|state| {
            let until = Instant::now() + interval * settings.max_age_intervals;
            if let Some(record) =
                state.collectors.iter_mut().find(|record| record.collector == collector.name)
            {
                change = record.change(result.is_ok());
                record.state.duration = Some(duration);
                record.state.problem = match &result {
                    Err(error) if !matches!(error, FetchError::Needs(_)) => Some(error.sentence()),
                    _ => None,
                };
                if let Ok(refresh) = &result {
                    record.state.interval = interval;
                    record.state.last_success = Some(now);
                    record.state.objects = Some(refresh.objects);
                    record.state.last_contact = refresh.meta.last_contact;
                    record.fresh_until = Some(until);
                }
            }
            for section in result.into_iter().flat_map(|refresh| refresh.sections) {
                state.put(section, until);
            }
        });
        change
    }

    /// What is known now.
    pub fn snapshot(&self, now: SystemTime) -> Snapshot {
        self.0.borrow().snapshot(now)
    }

    /// Tells of changes.
    pub fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// A refresh begins; it is under way until what this returns is dropped.
    pub(super) fn begin(&self, collector: &Collector) -> Option<UnderWay<'_>> {
        // Those of other clocks take long, and nobody is to wait for them.
        (collector.clock == Clock::Live).then(|| {
            self.0.send_if_modified(|state| {
                state.under_way += 1;
                false
            });
            UnderWay(self)
        })
    }

    /// The sections as they stand once these collectors were tried for the first time, if they are on at all.
    pub(super) async fn after(&self, collectors: &[&str]) -> Sections {
        let tried =
            |record: &CollectorRecord| !collectors.contains(&record.collector) || record.state.up.is_some();
        let mut changes = self.0.subscribe();
        let state = changes.wait_for(|state| state.collectors.iter().all(tried)).await;
        state.expect("the sender lives in self").sections(Instant::now())
    }

    /// Waits until this collector answers.
    pub(super) async fn answers(&self, collector: &str) {
        let is_up = |record: &CollectorRecord| record.collector == collector && record.state.up == Some(true);
        let mut changes = self.0.subscribe();
        let state = changes.wait_for(|state| state.collectors.iter().any(is_up)).await;
        drop(state.expect("the sender lives in self"));
    }
}

impl CollectorRecord {
    fn new(collector: &Collector, settings: &Settings) -> Self {
        let state = CollectorState {
            name: collector.name,
            required: collector.required,
            up: None,
            problem: None,
            fresh: false,
            last_success: None,
            duration: None,
            objects: None,
            last_contact: None,
            interval: collector.interval(settings),
        };
        Self { collector: collector.name, state, fresh_until: None }
    }

    fn change(&mut self, up: bool) -> Change {
        match self.state.up.replace(up) {
            Some(before) if before == up => Change::None,
            _ if up => Change::Up,
            _ => Change::Down,
        }
    }
}

impl State {
    fn put(&mut self, section: Section, until: Instant) {
        match section {
            Section::Jobs(jobs) => self.jobs.put(jobs, until),
            Section::FinishedJobs(jobs) => self.finished_jobs.put(jobs, until),
            Section::Nodes(nodes) => self.nodes.put(nodes, until),
            Section::Drains(drains) => self.drains.put(drains, until),
            Section::Hosts(hosts) => self.hosts.put(hosts, until),
            Section::Allocations(allocations) => self.allocations.put(allocations, until),
            Section::FinishedAllocations(counts) => self.finished_allocations.put(counts, until),
            Section::Evaluations(evaluations) => self.evaluations.put(evaluations, until),
            Section::Namespaces(namespaces) => self.namespaces.put(namespaces, until),
            Section::Servers(servers) => self.servers.put(servers, until),
            Section::Placements(placements) => self.placements.put(placements, until),
            Section::Completions(completions) => self.completions.put(completions, until),
            Section::Specifications(specifications) => self.specifications.put(specifications, until),
            Section::Deployments(deployments) => self.deployments.put(deployments, until),
            Section::Leader(leader) => self.leader.put(leader, until),
            Section::Autopilot(autopilot) => self.autopilot.put(autopilot, until),
            Section::Scheduler(scheduler) => self.scheduler.put(scheduler, until),
            Section::Usage(usage) => self.usage.put(usage, until),
            Section::SameNodes => self.nodes.renew(until),
            Section::SameAllocations => self.allocations.renew(until),
        }
    }

    fn sections(&self, now: Instant) -> Sections {
        Sections {
            jobs: self.jobs.fresh(now),
            finished_jobs: self.finished_jobs.fresh(now),
            nodes: self.nodes.fresh(now),
            drains: self.drains.fresh(now),
            hosts: self.hosts.fresh(now),
            allocations: self.allocations.fresh(now),
            finished_allocations: self.finished_allocations.fresh(now),
            evaluations: self.evaluations.fresh(now),
            namespaces: self.namespaces.fresh(now),
            servers: self.servers.fresh(now),
            placements: self.placements.fresh(now),
            completions: self.completions.fresh(now),
            specifications: self.specifications.fresh(now),
            deployments: self.deployments.fresh(now),
            leader: self.leader.fresh(now),
            autopilot: self.autopilot.fresh(now),
            scheduler: self.scheduler.fresh(now),
            usage: self.usage.fresh(now),
        }
    }

    fn snapshot(&self, taken_at: SystemTime) -> Snapshot {
        let now = Instant::now();
        let collectors = self.collectors.iter().map(|record| CollectorState {
            fresh: record.fresh_until.is_some_and(|until| now < until),
            ..record.state.clone()
        });
        Snapshot { taken_at, collectors: collectors.collect(), sections: self.sections(now) }
    }
}
