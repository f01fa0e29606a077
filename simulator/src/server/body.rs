//! Response bodies: whole, compressed, or truncated.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::api::Follow;
use crate::load::Rows;
use crate::version::{Version, since};

use super::Shared;
use super::follow::Following;
use super::stream::Streaming;

/// A body that ends with its data, or with a broken connection.
pub(super) struct Body {
    data: Option<Bytes>,
    /// Rows that follow, generated while they are sent.
    rows: Option<Sent>,
    /// A followed log that is sent while it grows, instead of the fields above.
    follow: Option<Following>,
    /// An event stream, instead of the fields above.
    events: Option<Box<Streaming>>,
    /// The pause after each byte, if bytes are sent one by one.
    pause: Option<(Pin<Box<Sleep>>, Duration)>,
    ending: Ending,
}

/// Rows that are sent plain or compressed.
enum Sent {
    Plain(Rows),
    Gzip(Rows, Option<Box<GzEncoder<Vec<u8>>>>),
}

impl Iterator for Sent {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self {
            Sent::Plain(rows) => rows.next().map(Ok),
            Sent::Gzip(rows, encoder) => compressed(rows, encoder).transpose(),
        }
    }
}

/// Returns the next compressed chunk.
fn compressed(rows: &mut Rows, encoder: &mut Option<Box<GzEncoder<Vec<u8>>>>) -> io::Result<Option<Bytes>> {
    while let Some(open) = encoder {
        match rows.next() {
            Some(chunk) => open.write_all(&chunk)?,
            None => {
                return encoder.take().map(|rest| rest.finish().map(Bytes::from)).transpose();
            }
        }
        if open.get_ref().len() >= GZIP_CHUNK_BYTES {
            return Ok(Some(std::mem::take(open.get_mut()).into()));
        }
    }
    Ok(None)
}

#[derive(PartialEq)]
enum Ending {
    Whole,
    /// The connection is cut after the data was flushed.
    Cut {
        flushed: bool,
    },
}

impl Body {
    pub(super) fn rows(rows: Rows, gzip: bool) -> Body {
        let encoder = || Some(Box::new(GzEncoder::new(Vec::new(), Compression::fast())));
        let rows = if gzip { Sent::Gzip(rows, encoder()) } else { Sent::Plain(rows) };
        Body { rows: Some(rows), ..Body::whole(Bytes::new()) }
    }

    pub(super) fn whole(data: Bytes) -> Body {
        Body {
            data: Some(data).filter(|data| !data.is_empty()),
            rows: None,
            follow: None,
            events: None,
            pause: None,
            ending: Ending::Whole,
        }
    }

    fn is_written_later(&self) -> bool {
        self.rows.is_some() || self.follow.is_some() || self.events.is_some()
    }

    pub(super) fn following(shared: Arc<Shared>, target: String, follow: Follow) -> Body {
        let follow = Some(Following::new(shared, target, follow));
        Body { follow, ..Body::whole(Bytes::new()) }
    }

    pub(super) fn events(events: Streaming) -> Body {
        Body { events: Some(Box::new(events)), ..Body::whole(Bytes::new()) }
    }

    pub(super) fn dripping(data: Bytes, pause: Duration) -> Body {
        Body { pause: Some((Box::pin(sleep(Duration::ZERO)), pause)), ..Body::whole(data) }
    }

    pub(super) fn cut(data: Bytes) -> Body {
        Body { data: Some(data), ending: Ending::Cut { flushed: false }, ..Body::whole(Bytes::new()) }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let body = &mut *self;
        if let Some(follow) = &mut body.follow {
            return follow.poll_next(cx).map_ok(Frame::data);
        }
        if let Some(events) = &mut body.events {
            return events.poll_next(cx).map_ok(Frame::data);
        }
        if let (Some((waiting, pause)), Some(data)) = (&mut body.pause, &mut body.data) {
            ready!(waiting.as_mut().poll(cx));
            waiting.as_mut().reset(Instant::now() + *pause);
            let byte = data.split_to(1);
            if data.is_empty() {
                body.data = None;
            }
            return Poll::Ready(Some(Ok(Frame::data(byte))));
        }
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(rows) = &mut self.rows {
            return Poll::Ready(rows.next().map(|chunk| chunk.map(Frame::data)));
        }
        match &mut self.ending {
            Ending::Whole => Poll::Ready(None),
            // hyper drops unwritten data when a body fails, so the failure waits for one flush.
            Ending::Cut { flushed } if !*flushed => {
                *flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Ending::Cut { .. } => Poll::Ready(Some(Err(io::Error::other("cut short on purpose")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && !self.is_written_later() && self.ending == Ending::Whole
    }

    fn size_hint(&self) -> SizeHint {
        match self.ending {
            _ if self.is_written_later() => SizeHint::default(),
            Ending::Whole => SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64)),
            Ending::Cut { .. } => SizeHint::default(),
        }
    }
}

/// Minimum size of a compressed chunk.
const GZIP_CHUNK_BYTES: usize = 16 << 10;

/// Returns whether this version compresses for a client with this header.
pub(super) fn wants_gzip(version: Version, accept_encoding: Option<&str>) -> bool {
    let mut tokens = accept_encoding.unwrap_or_default().split(',').map(str::trim);
    // Older versions support weights; no relevant client rejects gzip with weight zero.
    tokens.any(|token| token == "gzip" || (version < since::EXACT_GZIP && token.starts_with("gzip;")))
}

/// Compresses bytes.
///
/// # Errors
/// Never, because writing to memory does not fail; the encoder's signature requires it.
pub(super) fn gzip(bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish().map(Bytes::from)
}
