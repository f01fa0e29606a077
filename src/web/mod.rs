//! Serving: a scrape hands out bytes that were rendered before it came.

mod content;
mod listener;
mod routes;
mod status;

pub use content::{Content, Published};
pub use listener::{BindError, Listener};
pub use status::page as status_page;

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
