//! The log of requests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::request::Request;
use crate::work::Work;

/// A request that reached the server.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// The method.
    pub method: http::Method,
    /// The path as sent, still encoded.
    pub path: String,
    /// The query as sent, without the question mark; empty if there is none.
    pub query: String,
    /// The token, of `X-Nomad-Token` or `Authorization: Bearer`.
    pub token: Option<String>,
    /// The `Accept-Encoding` header.
    pub accept_encoding: Option<String>,
    /// The work of its response for a server; zero before the response.
    pub work: Work,
}

#[derive(Debug, Default)]
pub(super) struct RequestLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    requests: Vec<LoggedRequest>,
    /// Number of cleared requests.
    forgotten: usize,
    work: Work,
}

impl RequestLog {
    /// Adds a request and returns its number.
    pub(super) fn record(&self, request: &Request) -> usize {
        let logged = LoggedRequest {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.raw_query.clone(),
            token: request.token.clone(),
            accept_encoding: request.accept_encoding.clone(),
            work: Work::default(),
        };
        let mut state = self.lock();
        state.requests.push(logged);
        state.forgotten + state.requests.len() - 1
    }

    /// Adds the work of the response to the request with this number.
    pub(super) fn answered(&self, number: usize, work: Work) {
        let mut state = self.lock();
        let Some(place) = number.checked_sub(state.forgotten) else { return };
        state.work += work;
        if let Some(logged) = state.requests.get_mut(place) {
            logged.work = work;
        }
    }

    /// Adds the work for events that are sent.
    pub(super) fn streamed(&self, events: u64) {
        self.lock().work.sent += events;
    }

    pub(super) fn all(&self) -> Vec<LoggedRequest> {
        self.lock().requests.clone()
    }

    /// Returns the work of the responses to all requests that were not cleared.
    pub(super) fn work(&self) -> Work {
        self.lock().work
    }

    pub(super) fn clear(&self) {
        let mut state = self.lock();
        state.forgotten += state.requests.len();
        state.requests.clear();
        state.work = Work::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
