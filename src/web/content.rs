//! What is served.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::watch;

use super::status;
use crate::exposition::Rendered;
use crate::snapshot::Snapshot;

/// What is served until the next refresh.
pub struct Content {
    /// The metrics.
    pub metrics: Rendered,
    /// What they were rendered from.
    pub snapshot: Arc<Snapshot>,
    /// The page for people, once somebody asked for it.
    status: OnceLock<Bytes>,
}

impl Content {
    /// What is served of a snapshot.
    pub fn new(metrics: Rendered, snapshot: Arc<Snapshot>) -> Self {
        Self { metrics, snapshot, status: OnceLock::new() }
    }

    /// The page for people, if it is ready.
    pub(super) fn ready_status(&self) -> Option<Bytes> {
        self.status.get().cloned()
    }

    /// The page for people, rendered now if it is not ready. Blocking work.
    pub(super) fn status(&self, telemetry_path: &str) -> Bytes {
        self.status.get_or_init(|| status::page(&self.snapshot, telemetry_path).into()).clone()
    }
}

/// The newest content, replaced whole by whoever renders and read by every request.
pub type Published = watch::Receiver<Arc<Content>>;

#[cfg(test)]
impl Content {
    /// What is served of a cluster of these namespaces.
    pub(super) fn of_namespaces(names: impl Iterator<Item = String>) -> Published {
        use crate::snapshot::{AllocationCounts, Sections};

        let mut counts = AllocationCounts::default();
        for name in names {
            counts.by_namespace.entry(name).or_default();
        }
        let sections = Sections { finished_allocations: Some(Arc::new(counts)), ..Sections::default() };
        let taken_at = std::time::SystemTime::UNIX_EPOCH;
        let snapshot = Arc::new(Snapshot { taken_at, collectors: Vec::new(), sections });
        watch::channel(Arc::new(Self::new(Rendered::of(snapshot.clone(), None), snapshot))).1
    }
}
