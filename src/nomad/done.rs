//! Reporting of completed requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::body::Meter;
use super::endpoint::Endpoint;
use super::error::Reason;

/// Called for every completed request.
pub type OnRequest = Arc<dyn Fn(RequestDone) + Send + Sync>;

/// A completed request, successful or not.
#[derive(Clone, Copy, Debug)]
pub struct RequestDone {
    /// Its endpoint.
    pub endpoint: Endpoint,
    /// Its result.
    pub reason: Reason,
    /// Its duration, including decoding.
    pub duration: Duration,
    /// Size of its body in bytes, after decompression.
    pub bytes: u64,
}

/// Reports a request when it ends. If its caller has stopped waiting, it counts as timed out.
pub(super) struct Count<'a> {
    on_request: &'a OnRequest,
    endpoint: Endpoint,
    started: Instant,
    /// Its result.
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
