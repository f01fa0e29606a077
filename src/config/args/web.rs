//! How to serve, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

use crate::human::parse_duration;

/// How to serve, as typed.
#[derive(Debug, Args)]
pub struct WebArgs {
    /// Address to serve on, HOST:PORT or :PORT. Repeat it for several
    #[arg(
        long = "web.listen-address",
        env = "NOMAD_EXPORTER_WEB_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        global = true
    )]
    #[arg(value_delimiter = ',', default_value = ":9441", help_heading = "Web")]
    pub listen_address: Vec<String>,

    /// Path of the metrics
    #[arg(
        long = "web.telemetry-path",
        env = "NOMAD_EXPORTER_WEB_TELEMETRY_PATH",
        value_name = "PATH",
        global = true
    )]
    #[arg(default_value = "/metrics", help_heading = "Web")]
    pub telemetry_path: String,

    /// Listen on the sockets that systemd passes, and not on addresses
    #[arg(long = "web.systemd-socket", env = "NOMAD_EXPORTER_WEB_SYSTEMD_SOCKET", global = true)]
    #[arg(action = ArgAction::SetTrue, value_parser = BoolishValueParser::new(), help_heading = "Web")]
    pub systemd_socket: bool,

    /// File that switches on TLS, client certificates, basic authentication and a rate limit, in the format of
    /// Prometheus' exporters; read again when it changes [default: plain HTTP for everybody]
    #[arg(
        long = "web.config.file",
        env = "NOMAD_EXPORTER_WEB_CONFIG_FILE",
        value_name = "FILE",
        global = true
    )]
    #[arg(help_heading = "Web")]
    pub config_file: Option<PathBuf>,

    /// Connections at most; where there are more, the one that has been silent longest is ended
    ///
    /// Each takes a file descriptor, of which a process often has 1,024. A pair of Prometheus servers needs two
    #[arg(
        id = "web.max-connections",
        long = "web.max-connections",
        env = "NOMAD_EXPORTER_WEB_MAX_CONNECTIONS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "256", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Web")]
    pub max_connections: u16,

    /// Requests that are being answered at once at most; others get 503, but probes (/-/healthy, /-/ready) do not
    ///
    /// An answer that is slow to be taken holds the bytes of its refresh: 40 hold at most 40 refreshes. Prometheus'
    /// own exporters have the same limit
    #[arg(
        long = "web.max-requests",
        env = "NOMAD_EXPORTER_WEB_MAX_REQUESTS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "40", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Web")]
    pub max_requests: u16,

    /// Bytes of a request's head at most; a longer one gets 431
    ///
    /// A scrape's head has less than 1 KiB; with a long token of a proxy it stays below 16 KiB
    #[arg(long = "web.max-header-bytes", env = "NOMAD_EXPORTER_WEB_MAX_HEADER_BYTES", value_name = "BYTES")]
    #[arg(global = true, default_value = "16384", value_parser = clap::value_parser!(u32).range(1024..=1_048_576))]
    #[arg(help_heading = "Web")]
    pub max_header_bytes: u32,

    /// How long a new connection may take to bring its first request's head, a TLS handshake included
    ///
    /// Prometheus gives up a scrape after 10 s unless it is told otherwise: whoever takes longer to ask is no scraper
    #[arg(long = "web.header-timeout", env = "NOMAD_EXPORTER_WEB_HEADER_TIMEOUT", value_name = "DURATION")]
    #[arg(global = true, default_value = "10s", value_parser = parse_duration, help_heading = "Web")]
    pub header_timeout: Duration,

    /// How long a connection is kept from an answer to the next request's head
    ///
    /// Longer than Prometheus' default scrape interval of a minute, so that a scraper keeps its connection
    #[arg(long = "web.idle-timeout", env = "NOMAD_EXPORTER_WEB_IDLE_TIMEOUT", value_name = "DURATION")]
    #[arg(global = true, default_value = "90s", value_parser = parse_duration, help_heading = "Web")]
    pub idle_timeout: Duration,

    /// How long a request may take from its head until its answer has been taken; then its connection is ended
    ///
    /// Three times Prometheus' default scrape timeout: whoever waits longer has raised it and can raise this
    #[arg(
        long = "web.response-timeout",
        env = "NOMAD_EXPORTER_WEB_RESPONSE_TIMEOUT",
        value_name = "DURATION"
    )]
    #[arg(global = true, default_value = "30s", value_parser = parse_duration, help_heading = "Web")]
    pub response_timeout: Duration,
}
