//! Responses of the backends, before faults and compression.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::api::{Follow, Subscription};
use crate::load::Rows;
use crate::work::Work;

const INDEX: HeaderName = HeaderName::from_static("x-nomad-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-nomad-knownleader");
const LAST_CONTACT: HeaderName = HeaderName::from_static("x-nomad-lastcontact");
const NEXT_TOKEN: HeaderName = HeaderName::from_static("x-nomad-nexttoken");

/// Status, headers and body of a response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// A body that is generated while it is sent, instead of `body`.
    pub(crate) rows: Option<Rows>,
    /// A log that is followed, instead of the body.
    pub(crate) follow: Option<Follow>,
    /// Its work for a server.
    pub(crate) work: Work,
    /// An event stream, instead of the body.
    pub(crate) events: Option<Events>,
}

/// Response to a subscription.
#[derive(Clone, Debug)]
pub(crate) enum Events {
    /// Events as they happen.
    Stream(Box<Subscription>),
    /// Nothing, because the subscription was refused. The response does not report it.
    Nothing,
}

impl Answer {
    pub(crate) fn new(
        status: StatusCode,
        content_type: Option<&'static str>,
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Answer {
            status,
            headers,
            body: body.into(),
            rows: None,
            follow: None,
            events: None,
            work: Work::default(),
        }
    }

    /// Returns 200 with this value.
    pub(crate) fn json(value: &Value) -> Answer {
        Answer::new(StatusCode::OK, Some("application/json"), value.to_string())
    }

    /// Sets its work.
    pub(crate) fn costing(self, work: Work) -> Answer {
        Answer { work, ..self }
    }

    /// Sends a followed log after the headers.
    pub(crate) fn following(mut self, follow: Follow) -> Answer {
        self.follow = Some(follow);
        self
    }

    /// Sends events after the headers, as they happen.
    pub(crate) fn streaming(mut self, subscription: Subscription) -> Answer {
        self.events = Some(Events::Stream(Box::new(subscription)));
        self
    }

    /// Sends nothing after the headers, because the subscription was refused.
    pub(crate) fn refusing(mut self) -> Answer {
        self.events = Some(Events::Nothing);
        self
    }

    /// Returns an error in Nomad's format: plain text, no newline.
    pub(crate) fn error(code: StatusCode, message: impl Into<String>) -> Answer {
        Answer::new(code, Some("text/plain; charset=utf-8"), message.into())
    }

    /// Returns the empty 404 of Nomad's router for an unknown path.
    pub(crate) fn no_such_path() -> Answer {
        Answer::new(StatusCode::NOT_FOUND, None, Bytes::new())
    }

    /// Adds the headers of a read from the servers' state.
    pub(crate) fn meta(mut self, index: u64, known_leader: bool, last_contact: Duration) -> Answer {
        self.headers.insert(INDEX, HeaderValue::from(index));
        self.headers
            .insert(KNOWN_LEADER, HeaderValue::from_static(if known_leader { "true" } else { "false" }));
        self.headers.insert(LAST_CONTACT, milliseconds(last_contact));
        self
    }

    /// Sets where the next page starts.
    pub(crate) fn next_token(mut self, token: Option<String>) -> Answer {
        if let Some(value) = token.and_then(|token| HeaderValue::from_str(&token).ok()) {
            self.headers.insert(NEXT_TOKEN, value);
        }
        self
    }

    /// Returns the index of the data.
    pub(crate) fn index(&self) -> Option<u64> {
        self.headers.get(INDEX)?.to_str().ok()?.parse().ok()
    }

    /// Replaces the index, if the response has one.
    pub(crate) fn set_index(&mut self, index: u64) {
        if self.headers.contains_key(INDEX) {
            self.headers.insert(INDEX, HeaderValue::from(index));
        }
    }

    /// Replaces the time since the last contact with the leader, if the response has one.
    pub(crate) fn set_last_contact(&mut self, age: Duration) {
        if self.headers.contains_key(LAST_CONTACT) {
            self.headers.insert(LAST_CONTACT, milliseconds(age));
        }
    }

    /// Reports that there is no leader, if the response has that header.
    pub(crate) fn set_no_leader(&mut self) {
        if self.headers.contains_key(KNOWN_LEADER) {
            self.headers.insert(KNOWN_LEADER, HeaderValue::from_static("false"));
        }
    }
}

/// A rejected request, with an error in plain text.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into() }
    }

    pub(crate) fn forbidden() -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "Permission denied")
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        Answer::error(refusal.status, refusal.message)
    }
}

fn milliseconds(duration: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
