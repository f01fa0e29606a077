//! How to serve, as typed.

use clap::Args;

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

    /// Connections at most; others wait until one ends
    #[arg(
        id = "web.max-connections",
        long = "web.max-connections",
        env = "NOMAD_EXPORTER_WEB_MAX_CONNECTIONS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "256", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Web")]
    pub max_connections: u16,
}
