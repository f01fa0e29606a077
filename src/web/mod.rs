//! Web server: a scrape returns bytes that were rendered before.
//!
//! ```text
//! listener ──► connection_limiter ──► connection ──► gate ──► routes ──► content
//! sockets      slots                  TLS, HTTP,     access,  paths      bytes
//!                                     deadlines      limits
//! ```

mod access;
mod activity;
mod answer;
mod connection;
mod connection_limiter;
mod gate;
mod listener;
mod routes;
mod status;

pub use access::{AccessError, AccessFile};
pub use activity::Deadlines;
pub use listener::{BindError, Listener};
pub use status::page as status_page;

use std::net::SocketAddr;

/// Settings of the web server.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Use the sockets that systemd passed instead of the addresses.
    pub systemd_socket: bool,
    /// Path of the metrics.
    pub telemetry_path: String,
    /// TLS and authentication settings. Unset means plain HTTP without authentication.
    pub access: Option<AccessFile>,
    /// Limits.
    pub limits: ServerLimits,
}

/// Limits of the web server.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Maximum number of connections.
    pub max_connections: usize,
    /// Maximum number of concurrent requests, except probes.
    pub max_requests: usize,
    /// Maximum size of request headers in bytes.
    pub max_header_bytes: u32,
    /// Per-connection timeouts.
    pub deadlines: Deadlines,
}
