//! Streaming of a growing log.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep};

use crate::api::{Follow, More};

use super::Shared;
use super::faults::Fault;

/// Interval at which the log is read.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Interval of heartbeats while there is no data.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A log stream. New faults apply to it: one that closes connections breaks it, and one that hangs silences
/// it.
pub(super) struct Following {
    shared: Arc<Shared>,
    target: String,
    follow: Follow,
    waiting: Pin<Box<Sleep>>,
    spoke: Instant,
    ended: bool,
}

impl Following {
    pub(super) fn new(shared: Arc<Shared>, target: String, follow: Follow) -> Following {
        let waiting = Box::pin(sleep(Duration::ZERO));
        Following { shared, target, follow, waiting, spoke: Instant::now(), ended: false }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            ready!(self.waiting.as_mut().poll(cx));
            self.waiting.as_mut().reset(Instant::now() + LOOK_AGAIN);
            match self.shared.faults.find(&self.target) {
                Some(Fault::Close) => return Poll::Ready(Some(Err(io::Error::other("closed on purpose")))),
                Some(Fault::Hang) => continue,
                _ => {}
            }
            let bytes = match self.shared.backend.more(&mut self.follow) {
                More::Data(bytes) => bytes,
                More::End(bytes) => {
                    self.ended = true;
                    bytes
                }
            };
            let quiet = !self.follow.plain && self.spoke.elapsed() >= HEARTBEAT;
            if !bytes.is_empty() || quiet {
                self.spoke = Instant::now();
                let heartbeat = || Bytes::from_static(b"{}");
                return Poll::Ready(Some(Ok(if bytes.is_empty() { heartbeat() } else { bytes })));
            }
        }
    }
}
