//! From the store to the bytes that are served.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::collect::Context;
use crate::exposition::Rendered;
use crate::metrics::{OwnMetrics, Selection};
use crate::web::{AccessFile, Content};

/// For how long at most what is new waits for collectors that are still being refreshed.
pub(super) const GATHER: Duration = Duration::from_secs(5);

/// What it takes to render.
pub(super) struct Publisher {
    pub(super) context: Arc<Context>,
    pub(super) own: Arc<OwnMetrics>,
    pub(super) selection: Selection,
    /// Whose state is shown, where there is one.
    pub(super) access: Option<Arc<AccessFile>>,
}

impl Publisher {
    /// Renders what is known now. Blocking work.
    pub(super) fn render(&self, previous: Option<&Content>) -> Content {
        let snapshot = Arc::new(self.context.store.snapshot((self.context.now)()));
        if let Some(load) = self.access.as_ref().map(|access| access.last_load()) {
            self.own.config_loaded(load.successful, load.last_success);
        }
        let previous = previous.map(|content| &content.metrics);
        let metrics = Rendered::new(snapshot.clone(), self.own.gather(), self.selection.clone(), previous);
        Content::new(metrics, snapshot)
    }

    /// Renders again after every refresh, and when none came for more than an interval, so that what is too old is
    /// withdrawn even when nothing comes any more.
    pub(super) async fn keep_published(self, published: watch::Sender<Arc<Content>>) {
        let publisher = Arc::new(self);
        let mut changes = publisher.context.store.changes();
        loop {
            let interval = publisher.context.settings.interval;
            // Either a change or the passing of time is a reason to render.
            drop(timeout(interval * 5 / 4, changes.settled(GATHER.min(interval / 3))).await);
            let (publisher, previous) = (publisher.clone(), published.borrow().clone());
            match tokio::task::spawn_blocking(move || publisher.render(Some(&previous))).await {
                Ok(content) => drop(published.send_replace(Arc::new(content))),
                Err(error) => tracing::error!(%error, "rendering ended in a bug"),
            }
        }
    }
}
