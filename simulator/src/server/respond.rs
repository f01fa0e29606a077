//! Handling of a request: log, faults, backend, compression.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;

use crate::answer::{Answer, Events};
use crate::request::Request;
use crate::version::{Version, since};
use crate::work::Work;

use tokio::time::Instant;

use super::Shared;
use super::body::{Body, gzip, wants_gzip};
use super::faults::Fault;
use super::stream::Streaming;

/// Maximum wait of a blocking query.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Path under which the simulator itself reports the work for its responses so far.
const WORK: &str = "/simulator/work";
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Version that starts the response to a subscription with `HTTP/0.0`, which no client accepts.
const UNREADABLE_STREAM: Version = Version::new(1, 11, 2);

/// The request gets no response, and the connection closes.
#[derive(Debug)]
pub(super) struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("closed on purpose")
    }
}

impl std::error::Error for NoAnswer {}

pub(super) async fn respond(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Body>, NoAnswer> {
    let (parts, body) = request.into_parts();
    // An incomplete request is not a request.
    let body = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let request = Request { body, ..Request::new(&parts) };
    if request.path == WORK {
        return Ok(response(work_so_far(&shared), None));
    }
    let number = shared.log.record(&request);

    let fault = shared.faults.find(&request.target());
    let mut answer = match &fault {
        Some(Fault::Status { code, body }) => {
            Answer::error(StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
        }
        Some(Fault::Hang) => pending().await,
        Some(Fault::Close) => return Err(NoAnswer),
        Some(Fault::Body(bytes)) => Answer::new(StatusCode::OK, Some("application/json"), bytes.clone()),
        Some(Fault::Gzipped(bytes)) => {
            let mut answer = Answer::new(StatusCode::OK, Some("application/json"), bytes.clone());
            answer.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            answer
        }
        Some(Fault::Delay(delay)) => {
            tokio::time::sleep(*delay).await;
            block(&shared, &request).await
        }
        Some(Fault::Redirect(url)) => {
            let mut answer = Answer::error(StatusCode::TEMPORARY_REDIRECT, "");
            answer.headers.extend(HeaderValue::from_str(url).ok().map(|url| (header::LOCATION, url)));
            answer
        }
        Some(Fault::Index(_)) => shared.backend.answer(&request),
        Some(
            Fault::Truncate(_)
            | Fault::Drip(_)
            | Fault::LastContact(_)
            | Fault::NoLeader
            | Fault::CutAfter(_)
            | Fault::Events(_)
            | Fault::Intermittent { .. },
        )
        | None => block(&shared, &request).await,
    };
    let single = request.query.has("prefix").into();
    shared.log.answered(number, Work { single, ..answer.work });
    match &fault {
        Some(Fault::LastContact(age)) => answer.set_last_contact(*age),
        Some(Fault::NoLeader) => answer.set_no_leader(),
        Some(Fault::Index(index)) => answer.set_index(*index),
        _ => {}
    }
    if let Some(follow) = answer.follow.take() {
        let mut response = hyper::Response::new(Body::following(shared, request.target(), follow));
        *response.headers_mut() = answer.headers;
        return Ok(response);
    }
    if let Some(events) = answer.events.take() {
        return stream(shared, &request, answer, events);
    }
    compress(&shared, &request, &mut answer);
    Ok(response(answer, fault))
}

/// Returns the work for the responses so far.
fn work_so_far(shared: &Shared) -> Answer {
    let Work { filtered, compared, sent, single } = shared.log.work();
    Answer::json(&json!({"filtered": filtered, "compared": compared, "sent": sent, "single": single}))
}

/// Responds to a blocking query once the index has been exceeded, or when its wait time is over.
async fn block(shared: &Shared, request: &Request) -> Answer {
    let after = request.query.get("index").and_then(|index| index.parse().ok()).unwrap_or(0_u64);
    let wait = request.query.get("wait").and_then(|wait| humantime::parse_duration(wait).ok());
    let until = Instant::now() + wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
    loop {
        let answer = shared.backend.answer(request);
        let is_old = after > 0 && answer.index().is_some_and(|index| index <= after);
        if !is_old || Instant::now() >= until {
            return answer;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Returns the response of an event stream.
fn stream(
    shared: Arc<Shared>,
    request: &Request,
    mut answer: Answer,
    events: Events,
) -> Result<hyper::Response<Body>, NoAnswer> {
    let version = shared.backend.version();
    let hijacked = version >= since::HIJACKED_STREAM;
    if version == UNREADABLE_STREAM {
        return Err(NoAnswer);
    }
    if version >= since::EXACT_GZIP {
        answer.headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    let gzip = !hijacked && wants_gzip(version, request.accept_encoding.as_deref());
    if gzip {
        answer.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let mut response =
        hyper::Response::new(Body::events(Streaming::new(shared, request.target(), events, gzip)));
    if hijacked {
        // Nomad sends HTTP/1.1, but hyper supports a body that ends with its connection only for HTTP/1.0.
        *response.version_mut() = http::Version::HTTP_10;
        answer.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    *response.headers_mut() = answer.headers;
    Ok(response)
}

fn compress(shared: &Shared, request: &Request, answer: &mut Answer) {
    let version = shared.backend.version();
    if version >= since::EXACT_GZIP {
        answer.headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    let is_compressed = answer.headers.contains_key(header::CONTENT_ENCODING);
    if is_compressed || !wants_gzip(version, request.accept_encoding.as_deref()) {
        return;
    }
    if answer.rows.is_some() {
        answer.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return;
    }
    if answer.body.is_empty() {
        return;
    }
    if let Ok(compressed) = gzip(&answer.body) {
        answer.body = compressed;
        answer.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

fn response(answer: Answer, fault: Option<Fault>) -> hyper::Response<Body> {
    let Answer { status, mut headers, body, rows, follow: _, events: _, work: _ } = answer;
    let body = match fault {
        _ if let Some(rows) = rows => Body::rows(rows, headers.contains_key(header::CONTENT_ENCODING)),
        Some(Fault::Drip(pause)) => Body::dripping(body, pause),
        Some(Fault::Truncate(bytes)) if bytes < body.len() => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            Body::cut(body.slice(..bytes))
        }
        _ => Body::whole(body),
    };
    let mut response = hyper::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
