//! Errors of requests: a bounded reason for metrics, and a message for people.

use std::time::Duration;

use super::endpoint::Endpoint;
use super::transport::TransportError;

/// The result of a request: the values of the `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Responded and decoded.
    Ok,
    /// No response, or a pause in it, for longer than the timeout.
    Timeout,
    /// No connection, or a broken one.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// 401 or 403: the token lacks a permission.
    Forbidden,
    /// 404.
    NotFound,
    /// 429: too many connections from this address.
    Throttled,
    /// The server has no leader, has had no contact with it for longer than the limit, or lags behind another
    /// response.
    Stale,
    /// Any other status.
    Http,
    /// The body is not valid for this endpoint.
    Decode,
    /// The body is larger than the limit.
    TooLarge,
}

impl Reason {
    /// Returns the label value.
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

    /// Returns whether the error concerns the servers or the token. If so, a request that a server forwards
    /// to a client says nothing about that client.
    pub fn is_before_the_client(self) -> bool {
        matches!(self, Self::Connect | Self::Tls | Self::Forbidden | Self::Throttled | Self::Stale)
    }
}

/// A failed request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There was no response within the timeout.
    #[error("{address} did not respond within {}", humantime::format_duration(*limit))]
    Timeout {
        /// The address.
        address: String,
        /// The timeout.
        limit: Duration,
    },
    /// The response is so slow that it would be outdated before it is complete.
    #[error("{address} responds at less than {} KiB/s; check its load and the network", minimum >> 10)]
    Crawl {
        /// The address.
        address: String,
        /// The minimum in bytes per second.
        minimum: u64,
    },
    /// No connection, or a broken one.
    #[error("cannot reach {address}")]
    Connect {
        /// The address.
        address: String,
        /// The network error.
        source: reqwest::Error,
    },
    /// The TLS handshake failed.
    #[error("TLS handshake with {address} failed")]
    Tls {
        /// The address.
        address: String,
        /// The TLS error.
        source: reqwest::Error,
    },
    /// Nomad responded with an error status.
    #[error("{address} responded {status} to {}: {message}", endpoint.as_str())]
    Status {
        /// The address.
        address: String,
        /// The endpoint.
        endpoint: Endpoint,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body: Nomad's error messages are one line.
        message: String,
    },
    /// The server responds from its own copy of the state and has no leader.
    #[error("{address} has no leader, so its response to {} may be out of date", endpoint.as_str())]
    NoLeader {
        /// The address.
        address: String,
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// The server responds from its own copy of the state and has had no contact with the leader for too
    /// long.
    #[error(
        "{address} had its last contact with the leader {} ago: its response to {} exceeds --nomad.max-last-contact={}",
        humantime::format_duration(*age), endpoint.as_str(), humantime::format_duration(*limit)
    )]
    Stale {
        /// The address.
        address: String,
        /// The endpoint.
        endpoint: Endpoint,
        /// Time since the last contact with the leader.
        age: Duration,
        /// The limit.
        limit: Duration,
    },
    /// The response is older than one that was read before.
    #[error(
        "{address} lags behind: its response to {} has index {index}, but index {newest} was read before",
        endpoint.as_str()
    )]
    Behind {
        /// The address.
        address: String,
        /// The endpoint.
        endpoint: Endpoint,
        /// Raft index of the response.
        index: u64,
        /// Raft index of the newest response.
        newest: u64,
    },
    /// The body is not valid for this endpoint.
    #[error("cannot decode the response of {address} to {}", endpoint.as_str())]
    Decode {
        /// The address.
        address: String,
        /// The endpoint.
        endpoint: Endpoint,
        /// The decoding error.
        source: serde_json::Error,
    },
    /// The body is larger than the limit.
    #[error("the response of {address} to {} is larger than {flag}={limit}", endpoint.as_str())]
    TooLarge {
        /// The address.
        address: String,
        /// The endpoint.
        endpoint: Endpoint,
        /// The flag that sets the limit.
        flag: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A response that had started was aborted with this message.
    #[error("{address} aborted its response to {}: {message}", endpoint.as_str())]
    BrokenOff {
        /// The address.
        address: String,
        /// The endpoint.
        endpoint: Endpoint,
        /// Nomad's message.
        message: String,
    },
}

impl Error {
    /// Returns the endpoint, if the error concerns a single request and not the connection.
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

    /// Returns whether no response started, or none in time, so that Nomad may not be reachable at all.
    pub fn is_of_connection(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Connect { .. } | Self::Tls { .. })
    }

    /// Returns the reason for metrics.
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

    /// Returns Nomad's own message, if it sent one.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Status { message, .. } | Self::BrokenOff { message, .. } => Some(message),
            _ => None,
        }
    }

    /// Returns the error and its cause as one sentence, with the missing capability if access was denied.
    pub fn sentence(&self) -> String {
        // Only the last cause says what happened; the others are layers of libraries.
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        match (causes.last(), self) {
            (Some(cause), _) => format!("{self}: {cause}"),
            (None, Self::Status { status: 401 | 403, endpoint, .. }) => {
                format!("{self}; the token's policy must grant {}", endpoint.capability())
            }
            (None, _) => self.to_string(),
        }
    }

    /// Returns whether a retry, or another server, may help: the connection failed, Nomad was overloaded, has
    /// no leader, has lost contact with it, or lags behind. Denied requests and invalid responses do not
    /// improve.
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

    /// Returns whether the servers do not support this at all: autopilot needs Raft protocol 3, which older
    /// servers do not use by default. They then respond with status 500.
    pub fn is_not_offered(&self) -> bool {
        matches!(
            self,
            Self::Status { endpoint: Endpoint::Autopilot, status: 500, message, .. }
                if message.contains("raft_protocol set to 3")
        )
    }
}

/// A client that cannot be created from its settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Unusable TLS settings.
    #[error(transparent)]
    Transport(#[from] TransportError),
}
/// Returns `None` if Nomad does not have the requested object, for example because it was removed after it was
/// listed.
pub fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.reason() == Reason::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
