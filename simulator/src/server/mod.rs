//! The HTTP server of a backend.

mod body;
mod faults;
mod follow;
mod log;
mod mischief;
mod respond;
mod stream;

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::backend::Backend;
use crate::work::Work;

pub use faults::{ConnectionFault, EventFault, Fault, Faults};
pub use log::LoggedRequest;
use log::RequestLog;

/// Pause after a failed accept, which happens if there are no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<Infallible>>,
    task: JoinHandle<()>,
}

/// Shared state of the connections.
#[derive(Debug)]
struct Shared {
    backend: Backend,
    faults: Faults,
    log: RequestLog,
    /// How many event streams have ended whose connections nobody closes.
    forgotten_streams: AtomicU64,
}

impl Simulator {
    /// Serves the backend on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The port cannot be opened.
    pub async fn start(backend: Backend) -> io::Result<Simulator> {
        Simulator::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), backend).await
    }

    /// Serves the backend on this address.
    ///
    /// # Errors
    /// The address cannot be opened.
    pub async fn start_on(addr: SocketAddr, backend: Backend) -> io::Result<Simulator> {
        let listener = TcpListener::bind(addr).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            backend,
            faults: Faults::default(),
            log: RequestLog::default(),
            forgotten_streams: AtomicU64::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Ok(Simulator { address, shared, stop: Some(stop), task })
    }

    /// Returns the URL: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns all requests so far, in order.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.log.all()
    }

    /// Returns the work of a server for the responses so far.
    pub fn work(&self) -> Work {
        self.shared.log.work()
    }

    /// Clears the requests so far and their work.
    pub fn clear_requests(&self) {
        self.shared.log.clear();
    }

    /// Returns the active faults.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Closes the listener and all connections.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Err(error) = (&mut self.task).await {
            tracing::warn!(%error, "the server did not end by itself");
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts connections until the sender of `stopped` is dropped; connections end with the set that owns them.
async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<Infallible>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            // Removes ended connections, so that the set does not grow forever.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// Serves a connection until it ends or is closed.
async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    match shared.faults.of_connection() {
        Some(ConnectionFault::Raw(bytes)) => {
            let mut stream = stream;
            if let Err(error) = stream.write_all(&bytes).await {
                tracing::debug!(%error, "a connection ended before it was refused");
            }
        }
        Some(ConnectionFault::Silent) => {
            let _held = stream;
            pending().await
        }
        None => tokio::select! {
            () = serve(TokioIo::new(stream), Arc::clone(&shared)) => {}
            () = shared.faults.cut() => {}
        },
    }
}

async fn serve(io: TokioIo<TcpStream>, shared: Arc<Shared>) {
    let service = service_fn(move |request| respond::respond(Arc::clone(&shared), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .title_case_headers(true)
        .serve_connection(io, service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
