//! Nomad's event stream, which shows immediately which jobs and allocations changed.
//!
//! Their state is read from lists, because events lack some of it, such as the summary of a job. Events may be missing
//! before the end of a stream, whatever the reason.

mod line;

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::client::{Client, TokenGeneration};
use super::connections::Connections;
use super::endpoint::Endpoint;
use super::error::Error;
use super::request::Request;
use crate::terms::Term;

pub use line::{Event, Subject, Topic, Transaction};

/// Maximum time until the first line. A valid stream begins with a heartbeat. Since Nomad 1.11.2, a rejected stream has
/// status 200 too, but no lines.
const FIRST_LINE: Duration = Duration::from_secs(5);
/// Maximum time between lines: slightly more than two heartbeats, which are sent every 30 s.
const NEXT_LINE: Duration = Duration::from_secs(65);
/// Maximum length of a line, which contains one transaction, such as a plan for some thousand allocations.
const MAX_LINE_BYTES: usize = 16 << 20;
/// Longer lines are decoded on a blocking thread.
const LARGE_LINE_BYTES: usize = 256 << 10;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamEnd {
    /// It could not be opened, or the connection broke.
    #[error("{}", .0.sentence())]
    Broken(#[from] Error),
    /// No line was received in time.
    #[error(
        "{address} sent no event and no heartbeat within {}{}", humantime::format_duration(*limit),
        if *is_first { "; the token may not be permitted to read the events of all namespaces" } else { "" }
    )]
    Silent {
        /// Address of the agent.
        address: String,
        /// The limit that was exceeded.
        limit: Duration,
        /// Whether no line was received at all.
        is_first: bool,
    },
    /// The server closed it, because it is restarting, or because this reader was too slow.
    #[error("{address} closed the event stream")]
    Closed {
        /// Address of the agent.
        address: String,
    },
    /// A line is not valid.
    #[error("{address} sent an invalid line on the event stream: {problem}")]
    Unreadable {
        /// Address of the agent.
        address: String,
        /// Description of the problem.
        problem: String,
    },
    /// An index is lower than the previous one, because the server was rebuilt or another one responds.
    #[error("the index of the event stream of {address} fell from {previous} to {index}")]
    Fell {
        /// Address of the agent.
        address: String,
        /// The previous index.
        previous: u64,
        /// The new index.
        index: u64,
    },
}

impl StreamEnd {
    /// Returns whether the stream is not available, so that another attempt soon would fail too.
    pub fn is_rejection(&self) -> bool {
        match self {
            Self::Broken(Error::Status { status, message, .. }) => {
                let is_refusal = (400..500).contains(status) && *status != 429;
                // Up to Nomad 1.9.5, these have status 500.
                is_refusal
                    || ["Permission denied", "EventBroker not configured"]
                        .iter()
                        .any(|it| message.contains(it))
            }
            Self::Silent { is_first, .. } => *is_first,
            _ => false,
        }
    }
}

/// An open stream.
pub struct EventStream<'a> {
    client: &'a Client,
    server: &'a Connections,
    request: Request,
    response: reqwest::Response,
    /// Received bytes that are not a complete line yet.
    buffer: Vec<u8>,
    /// Number of bytes that were already searched for the end of the line.
    searched: usize,
    /// Number of received bytes that were not reported yet.
    received: u64,
    /// Index of the last transaction.
    index: u64,
    is_first: bool,
    token: u64,
}

impl Client {
    /// Opens the event stream of a namespace, or of all namespaces (`*`). It starts with the recent events that the server
    /// still buffers.
    pub async fn events(&self, namespace: &str) -> Result<EventStream<'_>, StreamEnd> {
        let mut request = Request::new(Endpoint::EventStream, "/v1/event/stream")
            .query("namespace", namespace)
            .attempted_once();
        for topic in Topic::SUBSCRIBED {
            request = request.query("topic", topic.as_str());
        }
        let (server, response) = self.open(&request).await?;
        let token = response.extensions().get().map_or(0, |TokenGeneration(token)| *token);
        Ok(EventStream {
            client: self,
            server,
            request,
            response,
            buffer: Vec::new(),
            searched: 0,
            received: 0,
            index: 0,
            is_first: true,
            token,
        })
    }
}

impl EventStream<'_> {
    /// Waits for the next line: a transaction, or `None` for a heartbeat. An error ends the stream.
    pub async fn next(&mut self) -> Result<Option<Transaction>, StreamEnd> {
        let limit = if self.is_first { FIRST_LINE } else { NEXT_LINE };
        let line = match timeout_at(Instant::now() + limit, self.line()).await {
            Ok(line) => line?,
            Err(_) => {
                let (address, is_first) = (self.address(), self.is_first);
                return Err(StreamEnd::Silent { address, limit, is_first });
            }
        };
        self.is_first = false;
        let decoded = match line.len() > LARGE_LINE_BYTES {
            true => tokio::task::spawn_blocking(move || line::decode(&line))
                .await
                .unwrap_or_else(|panic| Err(panic.to_string())),
            false => line::decode(&line),
        };
        let transaction =
            decoded.map_err(|problem| StreamEnd::Unreadable { address: self.address(), problem })?;
        if let Some(Transaction { index, .. }) = transaction {
            let previous = std::mem::replace(&mut self.index, index);
            if index < previous {
                return Err(StreamEnd::Fell { address: self.address(), previous, index });
            }
        }
        Ok(transaction)
    }

    /// Returns the number of bytes received since the last call.
    pub fn take_received(&mut self) -> u64 {
        std::mem::take(&mut self.received)
    }

    /// Returns whether the current token is still the one that opened the stream.
    pub async fn has_current_token(&self) -> bool {
        self.client.token_generation().await == self.token
    }

    /// Returns the next complete line, with its line feed.
    async fn line(&mut self) -> Result<Vec<u8>, StreamEnd> {
        loop {
            if let Some(offset) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.searched + offset + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(line);
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > MAX_LINE_BYTES {
                let problem = format!("a line of more than {} MiB", MAX_LINE_BYTES >> 20);
                return Err(StreamEnd::Unreadable { address: self.address(), problem });
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|error| self.client.broken(self.server, &self.request, error))? {
                Some(chunk) => {
                    self.received += chunk.len() as u64;
                    self.buffer.extend_from_slice(&chunk);
                }
                None => return Err(StreamEnd::Closed { address: self.address() }),
            }
        }
    }

    fn address(&self) -> String {
        self.server.address.to_string()
    }
}

#[cfg(test)]
mod tests;
