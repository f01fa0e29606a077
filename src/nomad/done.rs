//! Requests that ended: each is reported once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::body::Meter;
use super::endpoint::Endpoint;
use super::error::Reason;

/// Told of every request that ended.
pub type OnRequest = Arc<dyn Fn(RequestDone) + Send + Sync>;

/// One request that ended, whatever way.
#[derive(Clone, Copy, Debug)]
pub struct RequestDone {
    /// What was asked.
    pub endpoint: Endpoint,
    /// How it ended.
    pub reason: Reason,
    /// How long it took, decoding included.
    pub duration: Duration,
    /// Bytes of its body, after decompression.
    pub bytes: u64,
}

/// Reports a request when it ends, also when its caller stopped waiting: that one counts as timed out.
pub(super) struct Count<'a> {
    on_request: &'a OnRequest,
    endpoint: Endpoint,
    started: Instant,
    /// How it ended.
    pub(super) reason: Reason,
    /// Counts its bytes.
    pub(super) meter: Arc<Meter>,
}

impl<'a> Count<'a> {
    pub(super) fn new(on_request: &'a OnRequest, endpoint: Endpoint) -> Self {
        Self { on_request, endpoint, started: Instant::now(), reason: Reason::Timeout, meter: Arc::default() }
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        (self.on_request)(RequestDone {
            endpoint: self.endpoint,
            reason: self.reason,
            duration: self.started.elapsed(),
            bytes: self.meter.bytes(),
        });
    }
}
