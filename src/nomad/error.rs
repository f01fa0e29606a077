//! Why a request failed: a bounded reason for metrics, a sentence for people.

use std::time::Duration;

use super::endpoint::Endpoint;
use super::transport::TransportError;

/// How a request ended: the closed set of the `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Answered and decoded.
    Ok,
    /// No answer, or a pause within it, of more than the time limit.
    Timeout,
    /// No connection, or one that broke.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// 401 or 403: the token may not.
    Forbidden,
    /// 404.
    NotFound,
    /// 429: too many connections from this address.
    Throttled,
    /// The answering server knows no leader, has not heard it for longer than the limit, or lags behind another answer.
    Stale,
    /// Any other status.
    Http,
    /// The body is not what this endpoint answers.
    Decode,
    /// The body is larger than the cap.
    TooLarge,
}

impl Reason {
    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Throttled => "throttled",
            Self::Stale => "stale",
            Self::Http => "http",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether it tells of Nomad's servers or of our token: where a server passes a request on to a client, nothing is
    /// known of that client then.
    pub fn is_before_the_client(self) -> bool {
        matches!(self, Self::Connect | Self::Tls | Self::Forbidden | Self::Throttled | Self::Stale)
    }
}

/// A request that did not yield its answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The limit passed without an answer.
    #[error("{address} did not respond within {}", humantime::format_duration(*limit))]
    Timeout {
        /// Who was asked.
        address: String,
        /// The limit in force.
        limit: Duration,
    },
    /// An answer began and comes so slowly that it would be old before it is whole.
    #[error("{address} responds at less than {} KiB/s; check its load and the network", minimum >> 10)]
    Crawl {
        /// Who was asked.
        address: String,
        /// Bytes a second that are expected.
        minimum: u64,
    },
    /// No connection, or one that broke.
    #[error("cannot reach {address}")]
    Connect {
        /// Who was asked.
        address: String,
        /// What the network said.
        source: reqwest::Error,
    },
    /// The TLS handshake failed.
    #[error("TLS handshake with {address} failed")]
    Tls {
        /// Who was asked.
        address: String,
        /// What the handshake said.
        source: reqwest::Error,
    },
    /// Nomad answered with an error status.
    #[error("{address} responded {status} to {}: {message}", endpoint.as_str())]
    Status {
        /// Who was asked.
        address: String,
        /// What was asked.
        endpoint: Endpoint,
        /// The HTTP status.
        status: u16,
        /// The first bytes of the body: Nomad's error texts are one line.
        message: String,
    },
    /// The server answers from its own copy of the state and knows no leader.
    #[error("{address} has no leader, so its response to {} may be out of date", endpoint.as_str())]
    NoLeader {
        /// Who was asked.
        address: String,
        /// What was asked.
        endpoint: Endpoint,
    },
    /// The server answers from its own copy of the state and has not heard the leader for too long.
    #[error(
        "{address} had its last contact with the leader {} ago: its response to {} exceeds --nomad.max-last-contact={}",
        humantime::format_duration(*age), endpoint.as_str(), humantime::format_duration(*limit)
    )]
    Stale {
        /// Who was asked.
        address: String,
        /// What was asked.
        endpoint: Endpoint,
        /// How long ago it heard the leader.
        age: Duration,
        /// The limit in force.
        limit: Duration,
    },
    /// The server answers from an older state than one that was read before.
    #[error(
        "{address} lags behind: its response to {} has index {index}, but index {newest} was read before",
        endpoint.as_str()
    )]
    Behind {
        /// Who was asked.
        address: String,
        /// What was asked.
        endpoint: Endpoint,
        /// The Raft index of the answer.
        index: u64,
        /// That of the newest answer.
        newest: u64,
    },
    /// The body is not what this endpoint answers.
    #[error("cannot decode the response of {address} to {}", endpoint.as_str())]
    Decode {
        /// Who was asked.
        address: String,
        /// What was asked.
        endpoint: Endpoint,
        /// Where the body went wrong.
        source: serde_json::Error,
    },
    /// The body is larger than the cap.
    #[error("the response of {address} to {} is larger than {flag}={limit}", endpoint.as_str())]
    TooLarge {
        /// Who was asked.
        address: String,
        /// What was asked.
        endpoint: Endpoint,
        /// The flag that sets the cap.
        flag: &'static str,
        /// The cap in force.
        limit: u64,
    },
    /// An answer that had begun well ended with this text.
    #[error("{address} aborted its response to {}: {message}", endpoint.as_str())]
    BrokenOff {
        /// Who was asked.
        address: String,
        /// What was asked.
        endpoint: Endpoint,
        /// Nomad's text.
        message: String,
    },
}

impl Error {
    /// What was asked, where the error tells of one question and not of the connection.
    pub fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::Status { endpoint, .. }
            | Self::NoLeader { endpoint, .. }
            | Self::Stale { endpoint, .. }
            | Self::Behind { endpoint, .. }
            | Self::Decode { endpoint, .. }
            | Self::BrokenOff { endpoint, .. }
            | Self::TooLarge { endpoint, .. } => Some(*endpoint),
            Self::Timeout { .. } | Self::Crawl { .. } | Self::Connect { .. } | Self::Tls { .. } => None,
        }
    }

    /// Returns whether no answer began, or none in time: then Nomad may not be reachable at all.
    pub fn is_of_connection(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Connect { .. } | Self::Tls { .. })
    }

    /// The reason for metrics.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Timeout { .. } | Self::Crawl { .. } => Reason::Timeout,
            Self::Connect { .. } => Reason::Connect,
            Self::Tls { .. } => Reason::Tls,
            Self::Status { status: 401 | 403, .. } => Reason::Forbidden,
            Self::Status { status: 404, .. } => Reason::NotFound,
            Self::Status { status: 429, .. } => Reason::Throttled,
            Self::NoLeader { .. } | Self::Stale { .. } | Self::Behind { .. } => Reason::Stale,
            Self::Status { .. } | Self::BrokenOff { .. } => Reason::Http,
            Self::Decode { .. } => Reason::Decode,
            Self::TooLarge { .. } => Reason::TooLarge,
        }
    }

    /// Nomad's own words, where it said why it refused.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Status { message, .. } | Self::BrokenOff { message, .. } => Some(message),
            _ => None,
        }
    }

    /// The error and its cause as one sentence, with what to do about a refusal.
    pub fn sentence(&self) -> String {
        // What lies between is how libraries are layered; the last cause is what happened.
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        match (causes.last(), self) {
            (Some(cause), _) => format!("{self}: {cause}"),
            (None, Self::Status { status: 401 | 403, endpoint, .. }) => {
                format!("{self}; the token's policy must grant {}", endpoint.capability())
            }
            (None, _) => self.to_string(),
        }
    }

    /// Whether asking again at once, or another server, may help: the connection failed, Nomad shed load, or it
    /// is between leaders, cut off from its own or lags behind it. An answer that was refused or cannot be read will not get better.
    pub fn is_transient(&self) -> bool {
        let may_pass = matches!(
            self,
            Self::Connect { .. }
                | Self::Tls { .. }
                | Self::NoLeader { .. }
                | Self::Stale { .. }
                | Self::Behind { .. }
                | Self::Status { status: 429 | 500..=599, .. }
        );
        may_pass && !self.is_not_offered()
    }

    /// Returns whether the servers do not offer this at all: autopilot needs a Raft protocol that older servers do not
    /// speak unless they are told to, and says so with 500.
    pub fn is_not_offered(&self) -> bool {
        matches!(
            self,
            Self::Status { endpoint: Endpoint::Autopilot, status: 500, message, .. }
                if message.contains("raft_protocol set to 3")
        )
    }
}

/// A client that cannot be built from its settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The TLS settings do not make a transport.
    #[error(transparent)]
    Transport(#[from] TransportError),
}
