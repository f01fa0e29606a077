//! Streaming of task logs.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Deserialize;

use super::client::Client;
use super::connections::Connections;
use super::endpoint::Endpoint;
use super::error::Error;
use super::request::Request;

/// Maximum size of a frame. Nomad's hold 64 KiB.
const FRAME_BYTES: u64 = 1 << 20;
/// Maximum size of the message with which Nomad aborts a stream.
const MESSAGE_BYTES: usize = 300;

/// A part of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// Output of the task, byte for byte.
    Data(Vec<u8>),
    /// Heartbeat of a followed log, once per second.
    Alive,
}

/// A log stream.
///
/// It uses frames instead of plain text, although frames are a third larger: their heartbeat distinguishes a
/// quiet log from a dead connection, and Nomad's error message, which follows the data, can be distinguished
/// from the log.
pub struct LogStream<'a> {
    client: &'a Client,
    server: &'a Connections,
    request: Request,
    response: reqwest::Response,
    buffer: Vec<u8>,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "Data")]
    data: Option<String>,
}

impl Client {
    /// Opens the log of a task. The request names the allocation, the task and the offset.
    pub async fn log(&self, request: Request) -> Result<LogStream<'_>, Error> {
        debug_assert_eq!(request.endpoint, Endpoint::Logs);
        let (server, response) = self.open(&request).await?;
        Ok(LogStream { client: self, server, request, response, buffer: Vec::new() })
    }
}

impl LogStream<'_> {
    /// Returns the next part; `None` at the end. A connection that is silent for longer than the timeout is
    /// dead.
    pub async fn next(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|error| self.client.broken(self.server, &self.request, error))? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.iter().all(u8::is_ascii_whitespace) => return Ok(None),
                None => return Err(self.broken_off()),
            }
            if self.buffer.len() as u64 > FRAME_BYTES {
                return Err(self.broken_off());
            }
        }
    }

    /// Returns the first frame in the buffer, if it is complete.
    fn take(&mut self) -> Result<Option<Frame>, Error> {
        let mut frames = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Sent>();
        let frame = match frames.next() {
            Some(Ok(sent)) => {
                // Invalid base64 is not part of a log; the data before it were.
                sent.data.map(|data| BASE64_STANDARD.decode(data)).transpose().map_err(drop)
            }
            // The frame is incomplete.
            None => return Ok(None),
            Some(Err(error)) if error.is_eof() => return Ok(None),
            Some(Err(_)) => Err(()),
        };
        let taken = frames.byte_offset();
        match frame {
            Ok(data) => {
                self.buffer.drain(..taken);
                Ok(Some(data.filter(|data| !data.is_empty()).map_or(Frame::Alive, Frame::Data)))
            }
            Err(()) => Err(self.broken_off()),
        }
    }

    fn broken_off(&self) -> Error {
        let text = &self.buffer[..self.buffer.len().min(MESSAGE_BYTES)];
        let message = String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ");
        Error::BrokenOff {
            address: self.server.address.to_string(),
            endpoint: self.request.endpoint,
            message,
        }
    }
}
