//! Checks before the routes: access and limits.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access::{Access, AccessFile, Refusal};
use super::activity::{Activity, PendingRequest};
use super::answer::Answer;
use super::routes::Routes;

const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"nomad-exporter\", charset=\"UTF-8\"");

/// Access control and limits in front of the routes.
pub(super) struct Gate {
    routes: Routes,
    access: Option<AccessFile>,
    requests: Arc<Semaphore>,
}

/// Dropped when a response has been received: the request, and its place among the concurrent ones.
pub(super) type Taken = (PendingRequest, Option<OwnedSemaphorePermit>);

impl Gate {
    pub(super) fn new(routes: Routes, access: Option<AccessFile>, max_requests: usize) -> Self {
        Self { routes, access, requests: Arc::new(Semaphore::new(max_requests)) }
    }

    /// Returns the current access settings; `None` means unrestricted access.
    pub(super) async fn access(&self) -> Option<Arc<Access>> {
        match &self.access {
            Some(file) => Some(file.current().await),
            None => None,
        }
    }

    /// Responds to a request.
    pub(super) async fn answer<B>(
        &self,
        request: &Request<B>,
        activity: &Arc<Activity>,
    ) -> Response<Answer<Taken>> {
        let pending = activity.request();
        let access = self.access().await;
        let admitted = match &access {
            Some(access) => access.admit(request.headers()).await,
            None => Ok(()),
        };
        let (mut response, place) = match admitted {
            Ok(()) => self.within_limit(request).await,
            Err(refusal) => (refuse(refusal), None),
        };
        for (name, value) in access.iter().flat_map(|access| &access.headers) {
            response.headers_mut().insert(name, value.clone());
        }
        response.map(|body| Answer::new(body, (pending, place)))
    }

    /// Applies the limit of concurrent requests. Probes are exempt, because a supervisor would restart a busy
    /// exporter without a response.
    async fn within_limit<B>(
        &self,
        request: &Request<B>,
    ) -> (Response<Full<Bytes>>, Option<OwnedSemaphorePermit>) {
        if request.uri().path().starts_with("/-/") {
            return (self.routes.answer(request).await, None);
        }
        match self.requests.clone().try_acquire_owned() {
            Ok(place) => (self.routes.answer(request).await, Some(place)),
            Err(_) => (busy("too many concurrent requests (--web.max-requests)\n"), None),
        }
    }
}

fn refuse(refusal: Refusal) -> Response<Full<Bytes>> {
    match refusal {
        Refusal::TooMany => text(StatusCode::TOO_MANY_REQUESTS, "too many requests (rate_limit)\n"),
        Refusal::Busy => busy("too many concurrent password checks\n"),
        Refusal::Unknown => {
            let mut response = text(StatusCode::UNAUTHORIZED, "user name and password required\n");
            response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
            response
        }
    }
}

fn busy(why: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use allocation_counter::measure;
    use http::header::{ACCEPT, ACCEPT_ENCODING};

    use super::*;
    use crate::publish::Publication;
    use crate::web::Deadlines;

    /// Counting and limiting a scrape costs no allocation: the response is made in src/web/routes.rs.
    #[test]
    fn the_gate_allocates_nothing() {
        let request = Request::get("/metrics")
            .header(ACCEPT, "application/openmetrics-text;version=1.0.0")
            .header(ACCEPT_ENCODING, "gzip")
            .body(())
            .unwrap();
        let content = Publication::of_namespaces((0..10).map(|number| format!("namespace-{number}")));
        let gate = Gate::new(Routes::new(content, "/metrics"), None, 1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let long = Duration::from_secs(60);
        let activity = Arc::new(Activity::new(Deadlines { head: long, idle: long, response: long }));
        // The first scrape renders.
        drop(runtime.block_on(gate.answer(&request, &activity)));
        let routes = measure(|| drop(runtime.block_on(gate.routes.answer(&request))));
        let gated = measure(|| drop(runtime.block_on(gate.answer(&request, &activity))));
        assert_eq!(gated.count_total, routes.count_total);
    }
}
