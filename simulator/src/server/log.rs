//! The log of requests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::request::Request;

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
}

#[derive(Debug, Default)]
pub(super) struct RequestLog(Mutex<Vec<LoggedRequest>>);

impl RequestLog {
    pub(super) fn record(&self, request: &Request) {
        let logged = LoggedRequest {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.raw_query.clone(),
            token: request.token.clone(),
            accept_encoding: request.accept_encoding.clone(),
        };
        self.lock().push(logged);
    }

    pub(super) fn all(&self) -> Vec<LoggedRequest> {
        self.lock().clone()
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LoggedRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
