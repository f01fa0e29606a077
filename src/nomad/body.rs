//! A response body as a blocking reader, so that serde_json can decode it while it arrives.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::{Buf, Bytes};
use flate2::read::{GzDecoder, MultiGzDecoder};
use http::header::CONTENT_ENCODING;
use tokio::sync::mpsc;

/// Maximum number of chunks that wait for the decoder. Beyond it, the connection waits: a slow decoder slows
/// down Nomad instead of filling memory.
const CHUNKS_IN_FLIGHT: usize = 8;
/// Maximum size of an error message: Nomad's are one line.
const MESSAGE_BYTES: usize = 300;

/// The blocking end of a body. Decompresses, and fails beyond its limit.
pub struct Body {
    content: BodyReader,
    limit: u64,
    meter: Arc<Meter>,
}

enum BodyReader {
    Plain(Chunks),
    Gzip(Box<MultiGzDecoder<Chunks>>),
}

/// Creates a body, and the sender that feeds it. The body ends when the sender is dropped; the sending side
/// reports whether it was complete.
pub(super) fn channel() -> (mpsc::Sender<Bytes>, Chunks) {
    let (sender, chunks) = mpsc::channel(CHUNKS_IN_FLIGHT);
    (sender, Chunks { chunks, current: Bytes::new() })
}

impl Body {
    /// Blocks until the first bytes of a compressed body arrive.
    pub(super) fn new(chunks: Chunks, is_gzip: bool, limit: u64, meter: Arc<Meter>) -> Self {
        let content = match is_gzip {
            true => BodyReader::Gzip(Box::new(MultiGzDecoder::new(chunks))),
            false => BodyReader::Plain(chunks),
        };
        Self { content, limit, meter }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.content {
            BodyReader::Plain(chunks) => chunks.read(buffer),
            BodyReader::Gzip(decoder) => decoder.read(buffer),
        }?;
        if self.meter.add(count) > self.limit {
            self.meter.is_cut.store(true, Ordering::Relaxed);
            return Err(io::Error::other("it is larger than the limit"));
        }
        Ok(count)
    }
}

/// Byte count of a body, shared by both ends.
#[derive(Debug, Default)]
pub(super) struct Meter {
    bytes: AtomicU64,
    is_cut: AtomicBool,
}

impl Meter {
    /// Adds bytes, and returns the total.
    pub(super) fn add(&self, count: usize) -> u64 {
        self.bytes.fetch_add(count as u64, Ordering::Relaxed) + count as u64
    }

    /// Returns the number of bytes so far, after decompression.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns whether the limit was reached.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }
}

/// The compressed or plain body, in chunks.
pub(super) struct Chunks {
    chunks: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Chunks {
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

/// Returns whether a body is compressed.
pub(super) fn is_gzip(response: &reqwest::Response) -> bool {
    response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip")
}

/// Reads the beginning of an error's body.
pub(super) async fn message(mut response: reqwest::Response) -> String {
    let mut sent = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        sent.extend_from_slice(&chunk[..chunk.len().min(MESSAGE_BYTES - sent.len())]);
        if sent.len() >= MESSAGE_BYTES {
            break;
        }
    }
    let mut text = Vec::new();
    if is_gzip(&response) {
        // If the body ends early, use the part that has arrived.
        drop(GzDecoder::new(sent.as_slice()).take(MESSAGE_BYTES as u64).read_to_end(&mut text));
    } else {
        text = sent;
    }
    String::from_utf8_lossy(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}
