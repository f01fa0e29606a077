//! The pump: from the store to the bytes that are served.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::watch;

use crate::collect::Store;
use crate::exposition::Rendered;
use crate::metrics::{OwnMetrics, Selection};
use crate::snapshot::{Reach, Snapshot, Trends};

/// What is served until the next refresh.
pub struct Publication {
    /// The metrics.
    pub metrics: Rendered,
    /// What they were rendered from.
    pub snapshot: Arc<Snapshot>,
    /// The last hour, this snapshot included.
    pub trends: Trends,
    /// The page for people, once somebody asked for it.
    page: OnceLock<Bytes>,
}

/// The newest publication, replaced whole by the publisher and read by every request.
pub type Published = watch::Receiver<Arc<Publication>>;

impl Publication {
    /// What is served of a snapshot and of the hour before it.
    pub fn new(metrics: Rendered, snapshot: Arc<Snapshot>, trends: &Trends) -> Self {
        Self { metrics, trends: trends.with(&snapshot), snapshot, page: OnceLock::new() }
    }

    /// The page for people, if it is ready.
    pub fn ready_page(&self) -> Option<Bytes> {
        self.page.get().cloned()
    }

    /// The page for people, rendered now if it is not ready. Blocking work.
    pub fn page(&self, render: impl FnOnce(&Snapshot, &Trends) -> String) -> Bytes {
        self.page.get_or_init(|| render(&self.snapshot, &self.trends).into()).clone()
    }
}

/// Renders what is known, again and again.
pub struct Publisher {
    /// What is known.
    pub store: Arc<Store>,
    /// Tells the time.
    pub now: fn() -> SystemTime,
    /// How often live collectors are read.
    pub interval: Duration,
    /// The exporter's own metrics.
    pub own: Arc<OwnMetrics>,
    /// Which families are exposed.
    pub selection: Selection,
    /// Brings the exporter's own metrics up to date before each rendering. Blocking work.
    pub observe: Box<dyn Fn(&OwnMetrics) + Send + Sync>,
}

impl Publisher {
    /// Renders what is known now. Blocking work.
    pub fn render(&self, previous: Option<&Publication>) -> Publication {
        let snapshot = Arc::new(self.store.snapshot((self.now)()));
        (self.observe)(&self.own);
        log_reach(previous.map(|publication| &publication.snapshot.joins.reach), &snapshot.joins.reach);
        let rendered = previous.map(|publication| &publication.metrics);
        let metrics = Rendered::new(snapshot.clone(), self.own.gather(), self.selection.clone(), rendered);
        let none = Trends::new(self.interval);
        Publication::new(metrics, snapshot, previous.map_or(&none, |publication| &publication.trends))
    }

    /// Renders again after every refresh, and when none came for more than an interval, so that what expires vanishes
    /// even when nothing comes any more.
    pub async fn keep_published(self, published: watch::Sender<Arc<Publication>>) {
        let publisher = Arc::new(self);
        let mut changes = publisher.store.changes();
        loop {
            changes.next(publisher.interval).await;
            let (publisher, previous) = (publisher.clone(), published.borrow().clone());
            match tokio::task::spawn_blocking(move || publisher.render(Some(&previous))).await {
                Ok(publication) => drop(published.send_replace(Arc::new(publication))),
                // The process ends: what has not begun is not begun.
                Err(error) if error.is_cancelled() => return,
                Err(error) => tracing::error!(%error, "rendering ended in a bug"),
            }
        }
    }
}

/// Logs that the view of the cluster became partial, or is so no longer.
fn log_reach(before: Option<&Reach>, now: &Reach) {
    match (before.and_then(Reach::partial), now) {
        (before, Reach::Partial(reason)) if before != Some(reason) => tracing::warn!(
            reason,
            "not all namespaces are read: metrics that sum over the allocations of a node are left out"
        ),
        (Some(_), Reach::All) => tracing::info!("all namespaces are read again"),
        (Some(_), Reach::Unknown(reason)) => {
            tracing::info!(reason, "it is unknown again whether all namespaces are read");
        }
        _ => {}
    }
}

#[cfg(test)]
impl Publication {
    /// What is served of a cluster of these namespaces.
    pub(crate) fn of_namespaces(names: impl Iterator<Item = String>) -> Published {
        use crate::snapshot::{AllocationCounts, FinishedAllocations, Sections};

        let mut counts = AllocationCounts::default();
        for name in names {
            counts.by_namespace.entry(name).or_default();
        }
        let finished = FinishedAllocations { counts, ..FinishedAllocations::default() };
        let sections = Sections { finished_allocations: Some(Arc::new(finished)), ..Sections::default() };
        let snapshot = Arc::new(Snapshot::new(SystemTime::UNIX_EPOCH, Vec::new(), sections));
        watch::channel(Arc::new(Self::new(
            Rendered::of(snapshot.clone(), None),
            snapshot,
            &Trends::new(Duration::from_secs(15)),
        )))
        .1
    }
}
