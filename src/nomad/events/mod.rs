//! Nomad's event stream: which jobs and allocations changed, while it happens.
//!
//! What they are now is for lists to tell: an event says little of it, and nothing of a job's summary. A stream that
//! ends, for whatever reason, may have lacked something at its end.

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

/// How long the first line may take. A healthy stream begins with a heartbeat; since Nomad 1.11.2 a rejected one has
/// status 200 too, and then nothing.
const FIRST_LINE: Duration = Duration::from_secs(5);
/// How long the next line may take: two heartbeats, which come every 30 s, and a little.
const NEXT_LINE: Duration = Duration::from_secs(65);
/// How long a line may be. It holds one transaction: a plan for some thousand allocations.
const MAX_LINE_BYTES: usize = 16 << 20;
/// From so many bytes on, a line is decoded on a thread of its own.
const LARGE_LINE_BYTES: usize = 256 << 10;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamEnd {
    /// It could not be opened, or the connection broke.
    #[error("{}", .0.sentence())]
    Broken(#[from] Error),
    /// Nothing came in time.
    #[error(
        "{address} sent no event and no heartbeat within {}{}", humantime::format_duration(*limit),
        if *is_first { "; the token may not be permitted to read the events of all namespaces" } else { "" }
    )]
    Silent {
        /// Who was asked.
        address: String,
        /// The limit in force.
        limit: Duration,
        /// Whether nothing came at all.
        is_first: bool,
    },
    /// The server closed it: it may be restarting, or it dropped an event because this reader was too slow.
    #[error("{address} closed the event stream")]
    Closed {
        /// Who was asked.
        address: String,
    },
    /// What came is no event.
    #[error("{address} sent something on the event stream that cannot be read: {problem}")]
    Unreadable {
        /// Who was asked.
        address: String,
        /// Where it went wrong.
        problem: String,
    },
    /// An index is below the previous one: the server was rebuilt, or another one responds.
    #[error("the index of the event stream of {address} fell from {previous} to {index}")]
    Fell {
        /// Who was asked.
        address: String,
        /// The previous index.
        previous: u64,
        /// The new one.
        index: u64,
    },
}

impl StreamEnd {
    /// Whether it was not offered at all, so that another attempt soon would end in the same way.
    pub fn is_rejection(&self) -> bool {
        match self {
            Self::Broken(Error::Status { status, message, .. }) => {
                let is_refusal = (400..500).contains(status) && *status != 429;
                // Up to Nomad 1.9.5 these come with status 500.
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

/// A stream that is open.
pub struct EventStream<'a> {
    client: &'a Client,
    server: &'a Connections,
    request: Request,
    response: reqwest::Response,
    /// What came and is not a whole line yet.
    buffer: Vec<u8>,
    /// How much of it was searched for the end of the line.
    searched: usize,
    /// The index of the last transaction.
    index: u64,
    is_first: bool,
    token: u64,
}

impl Client {
    /// Opens the event stream of a namespace, or of all (`*`). It begins with what the server still has of the last
    /// moments.
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
            index: 0,
            is_first: true,
            token,
        })
    }
}

impl EventStream<'_> {
    /// Waits for the next line: a transaction, or `None` for a heartbeat. After an error there is nothing more to read.
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

    /// Whether the token that it was opened with is still the one in use.
    pub async fn has_current_token(&self) -> bool {
        self.client.token_generation().await == self.token
    }

    /// The next whole line, without its end.
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
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
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
