//! Requests, and the metadata of responses.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::endpoint::Endpoint;

/// Characters that are encoded in a path segment: all but the unreserved characters of RFC 3986.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request: an endpoint, its path, and query parameters in addition to the common ones.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) endpoint: Endpoint,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) timeout: Option<Duration>,
    pub(super) once: bool,
    /// Responses with a lower index are rejected.
    pub(super) newest: Option<u64>,
    /// Whether it requests a part of a list, whose index says nothing about later responses.
    pub(super) is_part: bool,
}

impl Request {
    /// Creates a request for a path, such as `/v1/jobs`.
    pub fn new(endpoint: Endpoint, path: impl Into<String>) -> Self {
        let (path, query) = (path.into(), Vec::new());
        Self { endpoint, path, query, timeout: None, once: false, newest: None, is_part: false }
    }

    /// Escapes an ID for use in a path, including slashes.
    pub fn escape(id: &str) -> String {
        utf8_percent_encode(id, &RESERVED).to_string()
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Changes the request for a list into a probe, which requests only one row, without a filter, to read
    /// the index.
    pub fn probe(mut self) -> Self {
        self.query.retain(|(name, _)| *name != "filter" && *name != "resources");
        self.query("per_page", "1")
    }

    /// Changes the request for a list into one for a single row, without a filter: the first one whose ID has this
    /// prefix.
    pub fn row(mut self, namespace: &str, id: &str) -> Self {
        self.query.retain(|(name, _)| !matches!(*name, "filter" | "namespace"));
        self.is_part = true;
        self.query("namespace", namespace).query("prefix", id).query("per_page", "1")
    }

    /// Marks a request that is sent only once, because a failure says nothing about the server.
    pub(super) fn attempted_once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Marks a request that a server forwards to a client. It has a shorter timeout, and is sent only once and
    /// only to this server, because a failure says nothing about the server.
    pub fn passed_on_within(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self.attempted_once() }
    }
}

/// Metadata in the headers of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Time since the server's last contact with the leader: the maximum age of a stale read.
    pub last_contact: Option<Duration>,
    /// Values that show whether the data has changed. For several responses, only the values that all of them
    /// have.
    pub index: Option<Index>,
    /// Time until the response started. By then, Nomad has built all of it.
    pub served: Duration,
}

/// Raft index of the data: it increases with every change, and is the same on all servers. Another token may
/// see other data, so indexes are equal only for the same token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    pub(super) raft: u64,
    /// Number of previous tokens.
    pub(super) token: u64,
}

impl Index {
    /// Returns the Raft index.
    pub fn raft(self) -> u64 {
        self.raft
    }

    /// Returns whether it was read with the same token as another one.
    pub fn is_of_token(self, other: Self) -> bool {
        self.token == other.token
    }

    /// Returns another index of the same token.
    pub fn at(self, raft: u64) -> Self {
        Self { raft, ..self }
    }
}

impl Meta {
    /// Combines two responses: the older of their ages, and the sum of the servers' times.
    pub fn and(self, other: Self) -> Self {
        let last_contact = self.last_contact.max(other.last_contact);
        let index = self.index.filter(|index| other.index == Some(*index));
        Self { last_contact, index, served: self.served + other.served }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_id_is_one_segment_of_a_path() {
        for (id, expected) in [
            ("web-1.2_3~x", "web-1.2_3~x"),
            ("a/b c%?#", "a%2Fb%20c%25%3F%23"),
            ("é!", "%C3%A9%21"),
            ("", ""),
        ] {
            assert_eq!(Request::escape(id), expected);
        }
    }
}
