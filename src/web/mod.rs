//! Serving: a scrape hands out bytes that were rendered before it came.

mod content;
mod landing;
mod listener;
mod routes;

pub use content::{Content, Published};
pub use listener::{BindError, Listener};

use std::net::SocketAddr;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Path of the metrics.
    pub telemetry_path: String,
    /// Connections at most.
    pub max_connections: usize,
}
