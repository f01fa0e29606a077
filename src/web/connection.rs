//! One connection, from the handshake to its end.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::access::speaks_http2;
use super::activity::Activity;
use super::answer::Answer;
use super::gate::{Gate, Taken};

/// Shared state of all connections.
pub(super) struct ConnectionContext {
    pub(super) gate: Gate,
    /// Maximum size of request headers in bytes.
    pub(super) max_header_bytes: u32,
}

type ConnectionResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Serves a connection until it ends, exceeds a deadline, or the exporter shuts down and its response is
/// complete.
pub(super) async fn serve(
    stream: TcpStream,
    shared: &Arc<ConnectionContext>,
    activity: &Arc<Activity>,
    watcher: Watcher,
    stopped: watch::Receiver<()>,
) {
    tokio::select! {
        outcome = converse(stream, shared, activity, watcher, stopped) => {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a connection failed");
            }
        }
        reason = activity.overdue() => tracing::debug!(reason, "a connection was closed"),
    }
}

async fn converse(
    stream: TcpStream,
    shared: &Arc<ConnectionContext>,
    activity: &Arc<Activity>,
    watcher: Watcher,
    mut stopped: watch::Receiver<()>,
) -> ConnectionResult {
    let tls = shared.gate.access().await.and_then(|access| access.tls.clone());
    let Some(config) = tls else {
        return speak_http1(stream, shared, activity, watcher).await;
    };
    let stream = tokio::select! {
        accepted = TlsAcceptor::from(config).accept(stream) => accepted?,
        // No request is pending.
        _ = stopped.changed() => return Ok(()),
    };
    match speaks_http2(stream.get_ref().1.alpn_protocol()) {
        true => speak_http2(stream, shared, activity, watcher).await,
        false => speak_http1(stream, shared, activity, watcher).await,
    }
}

async fn speak_http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: &Arc<ConnectionContext>,
    activity: &Arc<Activity>,
    watcher: Watcher,
) -> ConnectionResult {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The activity handles the timeouts of both protocols.
        .header_read_timeout(None)
        // A client that has closed its sending side still waits for a response.
        .half_close(true)
        .max_header_size(shared.max_header_bytes as usize)
        .serve_connection(TokioIo::new(stream), service(shared, activity));
    Ok(watcher.watch(connection).await?)
}

async fn speak_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: &Arc<ConnectionContext>,
    activity: &Arc<Activity>,
    watcher: Watcher,
) -> ConnectionResult {
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(shared.max_header_bytes)
        .serve_connection(TokioIo::new(stream), service(shared, activity));
    Ok(watcher.watch(connection).await?)
}

/// Returns the service for the requests of a connection.
fn service(
    shared: &Arc<ConnectionContext>,
    activity: &Arc<Activity>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Answer<Taken>>,
    Error = Infallible,
    Future: Send + 'static,
> + use<> {
    let (shared, activity) = (shared.clone(), activity.clone());
    service_fn(move |request| {
        let (shared, activity) = (shared.clone(), activity.clone());
        async move { Ok(shared.gate.answer(&request, &activity).await) }
    })
}
