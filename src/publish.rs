//! Rendering of each refresh for serving.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::watch;

use crate::collect::Store;
use crate::exposition::Rendered;
use crate::metrics::{OwnMetrics, Selection};
use crate::snapshot::{NamespaceCoverage, Snapshot, Trends};

/// Data that is served until the next refresh.
pub struct Publication {
    /// The rendered metrics.
    pub metrics: Rendered,
    /// The snapshot that they were rendered from.
    pub snapshot: Arc<Snapshot>,
    /// The last hour, including this snapshot.
    pub trends: Trends,
    /// The status page, once it was requested.
    page: OnceLock<Bytes>,
}

/// The newest publication. The publisher replaces it as a whole, and every request reads it.
pub type Published = watch::Receiver<Arc<Publication>>;

impl Publication {
    /// Creates the publication of a snapshot and the hour before it.
    pub fn new(metrics: Rendered, snapshot: Arc<Snapshot>, trends: &Trends) -> Self {
        Self { metrics, trends: trends.with(&snapshot), snapshot, page: OnceLock::new() }
    }

    /// Returns the status page, if it is ready.
    pub fn ready_page(&self) -> Option<Bytes> {
        self.page.get().cloned()
    }

    /// Returns the status page, and renders it if necessary. Blocks.
    pub fn page(&self, render: impl FnOnce(&Snapshot, &Trends) -> String) -> Bytes {
        self.page.get_or_init(|| render(&self.snapshot, &self.trends).into()).clone()
    }
}

/// Renders the data repeatedly.
pub struct Publisher {
    /// The collected data.
    pub store: Arc<Store>,
    /// The clock.
    pub now: fn() -> SystemTime,
    /// Interval of the live collectors.
    pub interval: Duration,
    /// The exporter's own metrics.
    pub own: Arc<OwnMetrics>,
    /// The exposed metrics.
    pub selection: Selection,
    /// Updates the exporter's own metrics before each rendering. Blocks.
    pub observe: Box<dyn Fn(&OwnMetrics) + Send + Sync>,
}

impl Publisher {
    /// Renders the current data. Blocks.
    pub fn render(&self, previous: Option<&Publication>) -> Publication {
        let snapshot = Arc::new(self.store.snapshot((self.now)()));
        (self.observe)(&self.own);
        log_coverage(
            previous.map(|publication| &publication.snapshot.joins.coverage),
            &snapshot.joins.coverage,
        );
        let rendered = previous.map(|publication| &publication.metrics);
        let metrics = Rendered::new(snapshot.clone(), self.own.gather(), self.selection.clone(), rendered);
        let none = Trends::new(self.interval);
        Publication::new(metrics, snapshot, previous.map_or(&none, |publication| &publication.trends))
    }

    /// Renders after every refresh, and also if there was none for longer than an interval, so that stale
    /// metrics are dropped even if no refresh succeeds.
    pub async fn keep_published(self, published: watch::Sender<Arc<Publication>>) {
        let publisher = Arc::new(self);
        let mut changes = publisher.store.changes();
        loop {
            changes.next(publisher.interval).await;
            let (publisher, previous) = (publisher.clone(), published.borrow().clone());
            match tokio::task::spawn_blocking(move || publisher.render(Some(&previous))).await {
                Ok(publication) => drop(published.send_replace(Arc::new(publication))),
                // The process is shutting down, so blocking tasks are no longer started.
                Err(error) if error.is_cancelled() => return,
                Err(error) => tracing::error!(%error, "rendering panicked; please report this"),
            }
        }
    }
}

/// Logs changes of whether all namespaces can be read.
fn log_coverage(before: Option<&NamespaceCoverage>, now: &NamespaceCoverage) {
    match (before.and_then(NamespaceCoverage::partial), now) {
        (before, NamespaceCoverage::Partial(reason)) if before != Some(reason) => tracing::warn!(
            reason,
            "not all namespaces are read; metrics that sum over the allocations of a node are omitted"
        ),
        (Some(_), NamespaceCoverage::All) => tracing::info!("all namespaces are read again"),
        (Some(_), NamespaceCoverage::Unknown(reason)) => {
            tracing::info!(reason, "it is unknown whether all namespaces are read");
        }
        _ => {}
    }
}

#[cfg(test)]
impl Publication {
    /// Creates a publication for a cluster with these namespaces.
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
