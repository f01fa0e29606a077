//! Event streams: events are sent as they happen.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::time::{Instant, Sleep, sleep};

use crate::answer::Events;
use crate::api::{Lines, Subscription};
use crate::version::since;

use super::Shared;
use super::faults::{EventFault, Fault};
use super::mischief::Mischief;

/// Interval at which the stream checks for new events.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Interval of heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Delay until some connections close after their stream has ended. Versions of Nomad that hijack the
/// connection do not close it: Go closes it at garbage collection. Here, every other connection closes at
/// once, and the others after this delay.
const FORGOTTEN: Duration = Duration::from_secs(120);

/// An event stream that is being sent. Faults that are set later also apply to it.
pub(super) struct Streaming {
    shared: Arc<Shared>,
    target: String,
    /// `None` if the subscription was refused.
    subscription: Option<Box<Subscription>>,
    began: Instant,
    next_heartbeat: Instant,
    waiting: Pin<Box<Sleep>>,
    /// Lines that are not sent yet.
    pending: VecDeque<Bytes>,
    sent: usize,
    mischief: Mischief,
    gzip: Option<Box<GzEncoder<Vec<u8>>>>,
    ending: Ending,
}

/// Whether and how a stream ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    /// It continues.
    Not,
    /// It ends once everything is sent, but not before this time.
    After(Instant),
    /// The connection is cut after one chance to flush the sent data.
    Cut { flushed: bool },
}

impl Streaming {
    pub(super) fn new(shared: Arc<Shared>, target: String, events: Events, gzip: bool) -> Streaming {
        let now = Instant::now();
        let subscription = match events {
            Events::Stream(subscription) => Some(subscription),
            Events::Nothing => None,
        };
        let greeting =
            subscription.as_ref().filter(|subscription| subscription.greets()).map(|_| heartbeat());
        let encoder = || Box::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut stream = Streaming {
            shared,
            target,
            subscription,
            began: now,
            next_heartbeat: now + HEARTBEAT,
            waiting: Box::pin(sleep(Duration::ZERO)),
            pending: greeting.into_iter().collect(),
            sent: 0,
            mischief: Mischief::default(),
            gzip: gzip.then(encoder),
            ending: Ending::Not,
        };
        if stream.subscription.is_none() {
            stream.end("");
        }
        stream
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Ending::Cut { flushed } = &mut self.ending {
                if *flushed {
                    return Poll::Ready(Some(Err(io::Error::other("cut on purpose"))));
                }
                *flushed = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(self.waiting.as_mut().poll(cx));
            let fault = self.shared.faults.find(&self.target);
            match &fault {
                Some(Fault::Close) => return Poll::Ready(Some(Err(io::Error::other("closed on purpose")))),
                Some(Fault::CutAfter(time)) if self.began.elapsed() >= *time => {
                    self.ending = Ending::Cut { flushed: false };
                    continue;
                }
                Some(Fault::Hang) => {
                    self.wait(LOOK_AGAIN);
                    continue;
                }
                _ => {}
            }
            if self.pending.is_empty() && self.ending == Ending::Not {
                self.look(fault.as_ref());
            }
            let Some(bytes) = self.take(fault.as_ref()) else {
                match self.ending {
                    Ending::After(time) if Instant::now() >= time => return Poll::Ready(None),
                    _ => self.wait(LOOK_AGAIN),
                }
                continue;
            };
            self.sent += bytes.len();
            return Poll::Ready(Some(self.encode(bytes)));
        }
    }

    fn wait(&mut self, time: Duration) {
        self.waiting.as_mut().reset(Instant::now() + time);
    }

    /// Collects the lines that are to be sent.
    fn look(&mut self, fault: Option<&Fault>) {
        if fault == Some(&Fault::Events(EventFault::Dropped)) {
            self.end("event dropped from buffer");
            return;
        }
        let Some(subscription) = &mut self.subscription else { return };
        match self.shared.backend.lines(subscription) {
            Lines::Some { lines, events } => {
                self.shared.log.streamed(events);
                let lines = lines.into_iter().flat_map(|line| self.mischief.done_to(line, fault));
                self.pending.extend(lines.map(|line| [&line[..], b"\n"].concat().into()));
            }
            Lines::End(words) => return self.end(words),
        }
        // A heartbeat is sent after the events that precede it.
        if Instant::now() >= self.next_heartbeat {
            self.next_heartbeat += HEARTBEAT;
            self.pending.push_back(heartbeat());
        }
    }

    /// Ends the stream on behalf of the server, with a last message in versions that can send one.
    fn end(&mut self, words: &'static str) {
        let now = Instant::now();
        if self.shared.backend.version() < since::HIJACKED_STREAM {
            self.pending.extend(Some(Bytes::from(words)).filter(|words| !words.is_empty()));
            self.ending = Ending::After(now);
            return;
        }
        let is_even = self.shared.forgotten_streams.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        self.ending = Ending::After(if is_even { now } else { now + FORGOTTEN });
    }

    /// Returns the next bytes to send: a line, or the part of it that a fault leaves.
    fn take(&mut self, fault: Option<&Fault>) -> Option<Bytes> {
        let line = self.pending.front_mut()?;
        match fault {
            Some(Fault::Drip(pause)) if line.len() > 1 => {
                let byte = line.split_to(1);
                self.wait(*pause);
                Some(byte)
            }
            Some(Fault::Drip(pause)) => {
                self.wait(*pause);
                self.pending.pop_front()
            }
            Some(Fault::Truncate(limit)) if self.sent + line.len() > *limit => {
                self.ending = Ending::Cut { flushed: false };
                let rest = limit.saturating_sub(self.sent);
                self.pending.pop_front().map(|line| line.slice(..rest)).filter(|part| !part.is_empty())
            }
            _ => self.pending.pop_front(),
        }
    }

    fn encode(&mut self, bytes: Bytes) -> io::Result<Bytes> {
        let Some(encoder) = &mut self.gzip else { return Ok(bytes) };
        encoder.write_all(&bytes)?;
        encoder.flush()?;
        Ok(std::mem::take(encoder.get_mut()).into())
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if let Some(subscription) = &mut self.subscription {
            self.shared.backend.leave(subscription);
        }
    }
}

fn heartbeat() -> Bytes {
    Bytes::from_static(b"{}\n")
}
