//! Response bodies that report when the connection has sent them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

/// A body with a guard that is dropped once the body has been sent.
pub(super) struct Answer<G> {
    body: Full<Bytes>,
    guard: Option<G>,
}

/// The bytes of a body, and the guard that is dropped with them.
pub(super) struct Guarded<G> {
    bytes: Bytes,
    _guard: Option<G>,
}

impl<G> Answer<G> {
    pub(super) fn new(body: Full<Bytes>, guard: G) -> Self {
        Self { body, guard: Some(guard) }
    }
}

impl<G: Unpin> Body for Answer<G> {
    type Data = Guarded<G>;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Guarded<G>>, Infallible>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map_ok(|frame| frame.map_data(|bytes| Guarded { bytes, _guard: self.guard.take() }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<G> Buf for Guarded<G> {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
