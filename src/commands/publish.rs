//! From the store to the bytes that are served.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::collect::Context;
use crate::exposition::Rendered;
use crate::metrics::{OwnMetrics, Selection, View};
use crate::web::Content;

/// How long to wait for further changes before rendering: sources that were refreshed together are rendered
/// together.
const GATHER: Duration = Duration::from_millis(250);

/// Renders what is known now. Blocking work.
pub(super) fn render(
    context: &Context,
    own: &OwnMetrics,
    selection: &Selection,
    previous: Option<&Content>,
) -> Content {
    let snapshot = context.store.snapshot((context.now)());
    let own = own.gather();
    let metrics =
        Rendered::new(&View::new(&snapshot, &own), selection, previous.map(|content| &content.metrics));
    Content { metrics, ready: snapshot.is_ready() }
}

/// Renders again after every refresh, and at least once an interval, so that what is too old is withdrawn even
/// when nothing comes any more.
pub(super) async fn keep_published(
    context: Arc<Context>,
    own: Arc<OwnMetrics>,
    selection: Arc<Selection>,
    published: watch::Sender<Arc<Content>>,
) {
    let mut changes = context.store.changes();
    loop {
        // Either a change or the passing of time is a reason to render.
        drop(timeout(context.settings.interval, changes.changed()).await);
        sleep(GATHER).await;
        changes.mark_unchanged();
        let (context, own, selection) = (context.clone(), own.clone(), selection.clone());
        let previous = published.borrow().clone();
        let rendering =
            tokio::task::spawn_blocking(move || render(&context, &own, &selection, Some(&previous)));
        match rendering.await {
            Ok(content) => drop(published.send_replace(Arc::new(content))),
            Err(error) => tracing::error!(%error, "rendering ended in a bug"),
        }
    }
}
