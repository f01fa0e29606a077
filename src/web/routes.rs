//! Which request gets which answer.

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::task::spawn_blocking;

use crate::exposition::{self, Encoding};
use crate::publish::Published;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
);

/// Everything a request may be answered with.
pub(super) struct Routes {
    content: Published,
    telemetry_path: String,
}

impl Routes {
    pub(super) fn new(content: Published, telemetry_path: &str) -> Self {
        Self { content, telemetry_path: telemetry_path.to_owned() }
    }

    /// Answers a request. Only the first scrape of a format waits, for its rendering.
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let known = path == self.telemetry_path || matches!(path, "/" | "/-/healthy" | "/-/ready");
        if known && !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal =
                respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD are answered\n");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        match path {
            "/" => self.status().await,
            "/-/healthy" => respond(StatusCode::OK, TEXT, "healthy\n"),
            "/-/ready" => self.ready(request.uri().query()),
            _ if known => self.metrics(request.headers()).await,
            _ => respond(StatusCode::NOT_FOUND, TEXT, "not found\n"),
        }
    }

    async fn status(&self) -> Response<Full<Bytes>> {
        let content = self.content.borrow().clone();
        let path = self.telemetry_path.clone();
        let page = match content.ready_page() {
            Some(page) => page,
            None => {
                match rendered(move || {
                    content.page(|snapshot, trends| super::status::page(snapshot, trends, &path))
                })
                .await
                {
                    Ok(page) => page,
                    Err(failure) => return failure,
                }
            }
        };
        let mut response = respond(StatusCode::OK, HTML, page);
        // The page needs no script and loads nothing; should anything slip through its escaping, it stays dead.
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        response
    }

    /// Whether Nomad has answered lately; with `?all`, whether no required collector is without data: a deployment with a
    /// wrong ACL policy is to fail, while an exporter that lost one collector is still worth scraping.
    fn ready(&self, query: Option<&str>) -> Response<Full<Bytes>> {
        let content = self.content.borrow();
        let all = query
            .is_some_and(|query| query.split('&').any(|name| matches!(name, "all" | "all=" | "all=true")));
        let missing: Vec<&str> = if all { content.snapshot.missing().collect() } else { Vec::new() };
        let problem = if !content.snapshot.is_ready() {
            "not ready: Nomad has not answered lately\n".to_owned()
        } else if !missing.is_empty() {
            format!("not ready: no fresh data of {}\n", missing.join(", "))
        } else {
            return respond(StatusCode::OK, TEXT, "ready\n");
        };
        respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, problem)
    }

    async fn metrics(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let format = exposition::format(joined(headers, ACCEPT).as_deref());
        let encoding = exposition::encoding(joined(headers, ACCEPT_ENCODING).as_deref());
        let content = self.content.borrow().clone();
        let bytes = match content.metrics.ready(format, encoding) {
            Some(bytes) => bytes,
            None => match rendered(move || content.metrics.bytes(format, encoding)).await {
                Ok(bytes) => bytes,
                Err(failure) => return failure,
            },
        };
        let mut response = respond(StatusCode::OK, HeaderValue::from_static(format.content_type()), bytes);
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if encoding == Encoding::Gzip {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Renders on a thread that may take its time.
async fn rendered(render: impl FnOnce() -> Bytes + Send + 'static) -> Result<Bytes, Response<Full<Bytes>>> {
    spawn_blocking(render).await.map_err(|error| {
        tracing::error!(%error, "rendering ended in a bug");
        respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "rendering failed\n")
    })
}

/// A header that may come in several lines, as one.
fn joined(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

fn respond(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;
    use crate::publish::Publication;

    /// Routes over a cluster of so many namespaces, after a first scrape.
    fn scraped(namespaces: usize, request: &Request<()>) -> Routes {
        let content = Publication::of_namespaces((0..namespaces).map(|number| format!("namespace-{number}")));
        let routes = Routes::new(content, "/metrics");
        assert_eq!(block_on(routes.answer(request)).status(), StatusCode::OK);
        routes
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// A scrape clones handles: it allocates its headers and nothing else, however large the cluster is.
    #[test]
    fn a_scrape_allocates_its_head_alone() {
        let request = Request::get("/metrics")
            .header(ACCEPT, "application/openmetrics-text;version=1.0.0")
            .header(ACCEPT_ENCODING, "gzip")
            .body(())
            .unwrap();
        for namespaces in [1, 1_000] {
            let routes = scraped(namespaces, &request);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let counted = measure(|| drop(runtime.block_on(routes.answer(&request))));
            // Two request headers in lists of lines, each joined; two tables of the response's header map.
            assert_eq!(
                (counted.count_total, counted.bytes_max < 4_096),
                (6, true),
                "{namespaces} namespaces: {counted:?}"
            );
        }
    }
}
