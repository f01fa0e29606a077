//! Listening sockets, accepting of connections, and graceful shutdown.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ServerSettings;
use super::connection::{self, ConnectionContext};
use super::connection_limiter::{ConnectionLimiter, ConnectionSlot};
use super::gate::Gate;
use super::routes::Routes;
use crate::publish::Published;

/// Maximum time for running scrapes at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept, which usually means that the process has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why the exporter cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address cannot be bound.
    #[error("--web.listen-address: cannot listen on {address}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// systemd passed no socket.
    #[error("--web.systemd-socket: systemd passed no socket; start the exporter by a socket unit")]
    NoSocket,
    /// The passed file descriptor is not a usable socket.
    #[error(
        "--web.systemd-socket: systemd passed something else than a listening TCP socket; use ListenStream= in the socket unit"
    )]
    Socket(#[source] io::Error),
}

/// Listening sockets that do not accept connections yet.
pub struct Listener {
    sockets: Vec<TcpListener>,
    settings: ServerSettings,
}

impl Listener {
    /// Binds every address, or uses the sockets that systemd passed.
    pub async fn bind(settings: ServerSettings) -> Result<Self, BindError> {
        let mut sockets = Vec::new();
        if settings.systemd_socket {
            sockets = passed()?;
        } else {
            for address in settings.listen.iter().copied() {
                let bound = bind(address).await;
                sockets.push(bound.map_err(|source| BindError::Address { address, source })?);
            }
        }
        Ok(Self { sockets, settings })
    }

    /// Returns the bound addresses.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }

    /// Serves until `stop` completes. Then it accepts no new connections, and waits a limited time for
    /// running responses.
    pub async fn serve(self, content: Published, stop: impl Future<Output = ()>) {
        let ServerSettings { limits, access, telemetry_path, .. } = self.settings;
        let gate = Gate::new(Routes::new(content, &telemetry_path), access, limits.max_requests);
        let shared = Arc::new(ConnectionContext { gate, max_header_bytes: limits.max_header_bytes });
        let limiter = Arc::new(ConnectionLimiter::new(limits.max_connections, limits.deadlines));
        let (stopping, stopped) = watch::channel(());
        let mut serving = JoinSet::new();
        for socket in self.sockets {
            serving.spawn(serve_socket(socket, shared.clone(), limiter.clone(), stopped.clone()));
        }
        drop(stopped);
        stop.await;
        drop(stopping);
        while serving.join_next().await.is_some() {}
    }
}

/// Returns the sockets that systemd passed.
fn passed() -> Result<Vec<TcpListener>, BindError> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let Some(socket) = passed.take_tcp_listener(index).map_err(BindError::Socket)? else { continue };
        socket.set_nonblocking(true).map_err(BindError::Socket)?;
        sockets.push(TcpListener::from_std(socket).map_err(BindError::Socket)?);
    }
    match sockets.is_empty() {
        true => Err(BindError::NoSocket),
        false => Ok(sockets),
    }
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        // On a host without IPv6, the address means all IPv4 addresses.
        Err(_) if address.ip() == Ipv6Addr::UNSPECIFIED => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

/// Accepts connections until the sender of `stopped` is dropped. Continues after a failed accept.
async fn serve_socket(
    socket: TcpListener,
    shared: Arc<ConnectionContext>,
    limiter: Arc<ConnectionLimiter>,
    mut stopped: watch::Receiver<()>,
) {
    let graceful = GracefulShutdown::new();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = accept(&socket, &limiter) => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, place)) => {
                failing = false;
                let (shared, watcher, stopped) = (shared.clone(), graceful.watcher(), stopped.clone());
                tokio::spawn(async move {
                    connection::serve(stream, &shared, &place.activity, watcher, stopped).await;
                });
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
        tracing::warn!("closed connections that did not end within the shutdown timeout");
    }
}

async fn accept(
    socket: &TcpListener,
    limiter: &Arc<ConnectionLimiter>,
) -> io::Result<(TcpStream, ConnectionSlot)> {
    let (stream, _) = socket.accept().await?;
    Ok((stream, limiter.enter().await))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;
    use crate::publish::Publication;
    use crate::web::{Deadlines, ServerLimits};

    const SOON: Duration = Duration::from_secs(20);
    const PROBE: &[u8] = b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n";
    const SCRAPE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

    /// Starts a listener with these limits and a response that is larger than the buffers of a socket pair.
    async fn listening(change: impl FnOnce(&mut ServerLimits)) -> SocketAddr {
        let long = Duration::from_secs(3_600);
        let deadlines = Deadlines { head: long, idle: long, response: long };
        let mut limits =
            ServerLimits { max_connections: 100, max_requests: 100, max_header_bytes: 16_384, deadlines };
        change(&mut limits);
        let settings = ServerSettings {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            systemd_socket: false,
            telemetry_path: "/metrics".to_owned(),
            access: None,
            limits,
        };
        let listener = Listener::bind(settings).await.unwrap();
        let address = listener.addresses()[0];
        let content =
            Publication::of_namespaces((0..5_000).map(|number| format!("{number}-{}", "x".repeat(200))));
        tokio::spawn(listener.serve(content, std::future::pending()));
        address
    }

    async fn connected(address: SocketAddr, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream
    }

    /// Returns the first line of a response.
    async fn answer(mut stream: TcpStream) -> String {
        let mut bytes = [0; 256];
        let read = timeout(SOON, stream.read(&mut bytes)).await.expect("an answer in time").unwrap();
        String::from_utf8_lossy(&bytes[..read]).lines().next().unwrap_or_default().to_owned()
    }

    /// `nc -N` and old HTTP/1.0 clients do this. The response takes a while, because it is the first one.
    #[tokio::test]
    async fn a_half_closed_connection_gets_its_response() {
        let address = listening(|_| ()).await;
        let mut stream = connected(address, b"GET /metrics HTTP/1.0\r\n\r\n").await;
        stream.shutdown().await.unwrap();
        assert_eq!(answer(stream).await, "HTTP/1.0 200 OK");
    }

    /// Returns whether the other end closes soon, whatever it has sent.
    async fn is_closed(mut stream: TcpStream) -> bool {
        let read = async { while stream.read(&mut [0; 65_536]).await.is_ok_and(|read| read > 0) {} };
        timeout(SOON, read).await.is_ok()
    }

    const SHORT: Duration = Duration::from_millis(300);

    /// Covers clients that read nothing at all, and clients that read a little from time to time.
    #[tokio::test]
    async fn a_scraper_that_does_not_read_is_disconnected() {
        const DEADLINE: Duration = Duration::from_secs(600);
        for pace in [0, 1_024] {
            let address = listening(|limits| {
                limits.deadlines.response = DEADLINE;
                limits.max_requests = 1;
            })
            .await;
            let mut slow = connected(address, SCRAPE).await;
            slow.readable().await.unwrap();
            let crawl = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(SHORT / 10).await;
                    slow.read_exact(&mut vec![0; pace]).await.unwrap();
                }
            });
            // The only place is taken until the slow client is disconnected.
            assert_eq!(answer(connected(address, SCRAPE).await).await, "HTTP/1.1 503 Service Unavailable");
            tokio::time::pause();
            tokio::time::advance(DEADLINE).await;
            tokio::time::resume();
            let given_up = async {
                while answer(connected(address, SCRAPE).await).await != "HTTP/1.1 200 OK" {
                    tokio::time::sleep(SHORT / 10).await;
                }
            };
            timeout(SOON, given_up).await.expect("its place is free again");
            crawl.abort();
        }
    }

    #[tokio::test]
    async fn connections_without_a_request_time_out() {
        let address = listening(|limits| limits.deadlines.head = SHORT).await;
        assert!(is_closed(connected(address, b"").await).await);
        assert!(is_closed(connected(address, &PROBE[..20]).await).await);
        let address = listening(|limits| limits.deadlines.idle = SHORT).await;
        assert!(is_closed(connected(address, PROBE).await).await);
        let second = [PROBE, &PROBE[..20]].concat();
        assert!(is_closed(connected(address, &second).await).await);
    }

    #[tokio::test]
    async fn idle_connections_are_closed_for_new_ones() {
        let address = listening(|limits| limits.max_connections = 2).await;
        let mut limiter = Vec::new();
        for _ in 0..20 {
            limiter.push(connected(address, b"GET ").await);
        }
        assert_eq!(answer(connected(address, PROBE).await).await, "HTTP/1.1 200 OK");
        // Connections with a pending response stay.
        let slow = connected(address, SCRAPE).await;
        slow.readable().await.unwrap();
        limiter.push(connected(address, b"").await);
        assert_eq!(answer(connected(address, PROBE).await).await, "HTTP/1.1 200 OK");
        assert_eq!(answer(slow).await, "HTTP/1.1 200 OK");
    }

    #[tokio::test]
    async fn long_heads_are_rejected() {
        let address = listening(|limits| limits.max_header_bytes = 1_024).await;
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "x".repeat(1_024));
        let refused = answer(connected(address, long.as_bytes()).await).await;
        assert_eq!(refused, "HTTP/1.1 431 Request Header Fields Too Large");
        assert_eq!(answer(connected(address, PROBE).await).await, "HTTP/1.1 200 OK");
    }

    /// Probes are served even if there are too many scrapes.
    #[tokio::test]
    async fn concurrent_requests_are_limited() {
        let address = listening(|limits| limits.max_requests = 1).await;
        let slow = connected(address, SCRAPE).await;
        slow.readable().await.unwrap();
        let refused = answer(connected(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await).await;
        assert_eq!(refused, "HTTP/1.1 503 Service Unavailable");
        assert_eq!(answer(connected(address, PROBE).await).await, "HTTP/1.1 200 OK");
        drop(slow);
        while answer(connected(address, SCRAPE).await).await != "HTTP/1.1 200 OK" {
            tokio::time::sleep(SHORT / 10).await;
        }
    }
}
