//! How to serve, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

use crate::human::parse_duration;

/// How to serve, as typed.
#[derive(Debug, Args)]
pub struct WebArgs {
    /// Listen address, HOST:PORT or :PORT. May be repeated
    #[arg(
        long = "web.listen-address",
        env = "NOMAD_EXPORTER_WEB_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        global = true
    )]
    #[arg(value_delimiter = ',', default_value = ":9441", help_heading = "Web")]
    pub listen_address: Vec<String>,

    /// Path of the metrics endpoint
    #[arg(
        long = "web.telemetry-path",
        env = "NOMAD_EXPORTER_WEB_TELEMETRY_PATH",
        value_name = "PATH",
        global = true
    )]
    #[arg(default_value = "/metrics", help_heading = "Web")]
    pub telemetry_path: String,

    /// Listen on the sockets that systemd passes instead of addresses
    #[arg(long = "web.systemd-socket", env = "NOMAD_EXPORTER_WEB_SYSTEMD_SOCKET", global = true)]
    #[arg(action = ArgAction::SetTrue, value_parser = BoolishValueParser::new(), help_heading = "Web")]
    pub systemd_socket: bool,

    /// Configuration file for TLS, client certificates, basic authentication and a rate limit, in the format of the
    /// Prometheus exporter toolkit. It is reloaded when it changes [default: plain HTTP without authentication]
    #[arg(
        long = "web.config.file",
        env = "NOMAD_EXPORTER_WEB_CONFIG_FILE",
        value_name = "FILE",
        global = true
    )]
    #[arg(help_heading = "Web")]
    pub config_file: Option<PathBuf>,

    /// Maximum number of connections; beyond it, the connection that has been idle longest is closed
    ///
    /// Each needs a file descriptor, and a process is often limited to 1,024. Two Prometheus servers need two
    /// connections
    #[arg(
        id = "web.max-connections",
        long = "web.max-connections",
        env = "NOMAD_EXPORTER_WEB_MAX_CONNECTIONS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "256", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Web")]
    pub max_connections: u16,

    /// Maximum number of concurrent requests; others get 503, except for probes (/-/healthy, /-/ready)
    ///
    /// A slow client keeps the response of one refresh in memory: 40 clients keep at most 40. Prometheus' own exporters
    /// have the same limit
    #[arg(
        long = "web.max-requests",
        env = "NOMAD_EXPORTER_WEB_MAX_REQUESTS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "40", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Web")]
    pub max_requests: u16,

    /// Maximum size of request headers in bytes; larger ones get 431
    ///
    /// The headers of a scrape are smaller than 1 KiB, or 16 KiB with a long token of a proxy
    #[arg(long = "web.max-header-bytes", env = "NOMAD_EXPORTER_WEB_MAX_HEADER_BYTES", value_name = "BYTES")]
    #[arg(global = true, default_value = "16384", value_parser = clap::value_parser!(u32).range(1024..=1_048_576))]
    #[arg(help_heading = "Web")]
    pub max_header_bytes: u32,

    /// Timeout for the first request headers of a new connection, including the TLS handshake
    ///
    /// The default is Prometheus' default scrape timeout
    #[arg(long = "web.header-timeout", env = "NOMAD_EXPORTER_WEB_HEADER_TIMEOUT", value_name = "DURATION")]
    #[arg(global = true, default_value = "10s", value_parser = parse_duration, help_heading = "Web")]
    pub header_timeout: Duration,

    /// Timeout for the next request headers of a kept-alive connection
    ///
    /// The default is longer than Prometheus' default scrape interval of one minute, so that scrapers keep their
    /// connections
    #[arg(long = "web.idle-timeout", env = "NOMAD_EXPORTER_WEB_IDLE_TIMEOUT", value_name = "DURATION")]
    #[arg(global = true, default_value = "90s", value_parser = parse_duration, help_heading = "Web")]
    pub idle_timeout: Duration,

    /// Timeout from the headers of a request until its response has been received; then the connection is closed
    ///
    /// The default is three times Prometheus' default scrape timeout. If you raise that, raise this too
    #[arg(
        long = "web.response-timeout",
        env = "NOMAD_EXPORTER_WEB_RESPONSE_TIMEOUT",
        value_name = "DURATION"
    )]
    #[arg(global = true, default_value = "30s", value_parser = parse_duration, help_heading = "Web")]
    pub response_timeout: Duration,
}
