//! Connections: bound, counted, and ended in good order.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use super::Settings;
use super::content::Published;
use super::routes::Routes;

/// How long a connection may stay without a complete request head. It also bounds how long one is kept open
/// between scrapes, so it is longer than the usual scrape interval of a minute.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a scraper may take nothing of its answer: one that never reads does not hold its connection for ever.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long scrapes in flight may take when the exporter stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after a failed accept: most often the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("--web.listen-address: cannot listen on {address}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Listening sockets, not yet accepting.
pub struct Listener {
    sockets: Vec<TcpListener>,
    settings: Settings,
}

impl Listener {
    /// Binds every address.
    pub async fn bind(settings: Settings) -> Result<Self, BindError> {
        let mut sockets = Vec::new();
        for address in settings.listen.iter().copied() {
            sockets.push(bind(address).await.map_err(|source| BindError { address, source })?);
        }
        Ok(Self { sockets, settings })
    }

    /// The addresses that are bound.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }

    /// Serves until `stop` completes; then takes no new connection and gives those in flight a limited time.
    pub async fn serve(self, content: Published, stop: impl Future<Output = ()>) {
        let routes = Arc::new(Routes::new(content, &self.settings.telemetry_path));
        let permits = Arc::new(Semaphore::new(self.settings.max_connections));
        let (stopping, stopped) = watch::channel(());
        let mut serving = JoinSet::new();
        for socket in self.sockets {
            serving.spawn(serve_socket(socket, routes.clone(), permits.clone(), stopped.clone()));
        }
        stop.await;
        drop(stopping);
        while serving.join_next().await.is_some() {}
    }
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        // A host without IPv6: every address then means every IPv4 address.
        Err(_) if address.ip() == Ipv6Addr::UNSPECIFIED => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

/// Accepts until the sender of `stopped` is gone. A failed accept ends nothing; where connections are too many,
/// the next one waits.
async fn serve_socket(
    socket: TcpListener,
    routes: Arc<Routes>,
    permits: Arc<Semaphore>,
    mut stopped: watch::Receiver<()>,
) {
    let graceful = GracefulShutdown::new();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = accept(&socket, &permits) => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, permit)) => {
                failing = false;
                tokio::spawn(connection(stream, routes.clone(), permit, graceful.watcher()));
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "cannot accept connections");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(socket);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were cut that did not end in time");
    }
}

async fn accept(
    socket: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
    Ok((socket.accept().await?.0, permit))
}

async fn connection(stream: TcpStream, routes: Arc<Routes>, permit: OwnedSemaphorePermit, watcher: Watcher) {
    let service = service_fn(async |request| Ok::<_, Infallible>(routes.answer(&request).await));
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended badly");
    }
    drop(permit);
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::web::Content;

    /// More than the buffers of a socket pair hold.
    fn large() -> Published {
        Content::of_namespaces((0..5_000).map(|number| format!("{number}-{}", "x".repeat(200))))
    }

    #[tokio::test]
    async fn a_scraper_that_never_reads_loses_its_connection() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings =
            Settings { listen: vec![address], telemetry_path: "/metrics".to_owned(), max_connections: 1 };
        let listener = Listener::bind(settings).await.unwrap();
        let address = listener.addresses()[0];
        tokio::spawn(listener.serve(large(), std::future::pending()));
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        // Until it is written to, in this world's time.
        tokio::time::sleep(Duration::from_secs(2)).await;
        tokio::time::pause();
        tokio::time::advance(WRITE_TIMEOUT).await;
        tokio::time::resume();

        // The only permit is free again.
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(5), next.readable()).await;
        assert!(answered.is_ok(), "the connection of the silent one is still held");
    }
}
