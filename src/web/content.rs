//! What is served.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use crate::exposition::Rendered;

/// What is served until the next refresh.
pub struct Content {
    /// The metrics.
    pub metrics: Rendered,
    /// Whether the exporter is worth scraping.
    pub ready: bool,
    /// The page for people.
    pub status: Bytes,
}

/// The newest content, replaced whole by whoever renders and read by every request.
pub type Published = watch::Receiver<Arc<Content>>;
