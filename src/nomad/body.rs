//! A response body as a blocking reader, so that serde_json decodes it while it arrives.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

/// How many chunks may wait for the decoder. Beyond that the connection waits: a slow decoder slows Nomad down
/// instead of filling our memory.
const CHUNKS_IN_FLIGHT: usize = 8;

/// The blocking end of a body.
pub struct Body {
    chunks: mpsc::Receiver<Bytes>,
    current: Bytes,
}

/// A body and the sender that feeds it. The body ends when the sender is dropped; whether it ended well is for
/// the feeding side to say.
pub(super) fn channel() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, chunks) = mpsc::channel(CHUNKS_IN_FLIGHT);
    (sender, Body { chunks, current: Bytes::new() })
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
