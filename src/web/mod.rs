//! Serving: a scrape hands out bytes that were rendered before it came.
//!
//! ```text
//! listener ──► crowd ──► connection ──► gate ──► routes ──► content
//! sockets      places    TLS, HTTP,     access,  paths      bytes
//!                        deadlines      limits
//! ```

mod access;
mod answer;
mod connection;
mod crowd;
mod gate;
mod listener;
mod pulse;
mod routes;
mod status;

pub use access::{AccessError, AccessFile};
pub use listener::{BindError, Listener};
pub use pulse::Deadlines;
pub use status::page as status_page;

use std::net::SocketAddr;

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Take the sockets that systemd passed, and not the addresses.
    pub systemd_socket: bool,
    /// Path of the metrics.
    pub telemetry_path: String,
    /// Who may come in, and how; everybody, in the clear, if nothing is said.
    pub access: Option<AccessFile>,
    /// What scrapers may take up.
    pub limits: ServerLimits,
}

/// What scrapers may take up.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at most.
    pub max_connections: usize,
    /// Requests that are being answered at most, probes aside.
    pub max_requests: usize,
    /// Bytes of a request's head at most.
    pub max_header_bytes: u32,
    /// How long what may take.
    pub deadlines: Deadlines,
}
