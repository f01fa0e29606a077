//! How to ask Nomad, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};

use crate::human::parse_duration;

/// How to ask Nomad, as typed.
#[derive(Debug, Args)]
pub struct NomadArgs {
    /// Address of a Nomad agent: http://HOST:PORT, https://HOST:PORT or unix:///PATH. May be repeated: if an address
    /// fails, the next is used [default: http://127.0.0.1:4646]
    #[arg(long = "nomad.address", env = "NOMAD_EXPORTER_NOMAD_ADDRESS", value_name = "URL", global = true)]
    #[arg(value_delimiter = ',', help_heading = "Nomad")]
    pub address: Vec<String>,

    /// File with the ACL token, reloaded when it changes. To pass the token itself, set NOMAD_TOKEN
    #[arg(
        long = "nomad.token-file",
        env = "NOMAD_EXPORTER_NOMAD_TOKEN_FILE",
        value_name = "FILE",
        global = true
    )]
    #[arg(help_heading = "Nomad")]
    pub token_file: Option<PathBuf>,

    /// Timeout for the first byte and between bytes of a Nomad response
    #[arg(
        long = "nomad.timeout",
        env = "NOMAD_EXPORTER_NOMAD_TIMEOUT",
        value_name = "DURATION",
        global = true
    )]
    #[arg(default_value = "10s", value_parser = parse_duration, help_heading = "Nomad")]
    pub timeout: Duration,

    /// Nomad region [default: the agent's own]
    #[arg(long = "nomad.region", env = "NOMAD_EXPORTER_NOMAD_REGION", value_name = "NAME", global = true)]
    #[arg(help_heading = "Nomad")]
    pub region: Option<String>,

    /// Nomad namespace. May be repeated [default: * (all)]
    #[arg(
        long = "nomad.namespace",
        visible_alias = "namespace",
        env = "NOMAD_EXPORTER_NOMAD_NAMESPACE",
        value_name = "NAME",
        global = true
    )]
    #[arg(value_delimiter = ',', help_heading = "Nomad")]
    pub namespace: Vec<String>,

    /// Allow responses from any server, not only from the leader
    #[arg(
        long = "nomad.allow-stale",
        env = "NOMAD_EXPORTER_NOMAD_ALLOW_STALE",
        value_name = "BOOL",
        global = true
    )]
    #[arg(default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    #[arg(action = ArgAction::Set, value_parser = BoolishValueParser::new(), help_heading = "Nomad")]
    pub allow_stale: bool,

    /// Maximum time since a server's last contact with the leader; responses of other servers are rejected, and 0s
    /// accepts all
    #[arg(long = "nomad.max-last-contact", env = "NOMAD_EXPORTER_NOMAD_MAX_LAST_CONTACT")]
    #[arg(value_name = "DURATION", global = true, default_value = "30s")]
    #[arg(value_parser = parse_duration, help_heading = "Nomad")]
    pub max_last_contact: Duration,

    /// Maximum number of concurrent requests to Nomad, which allows 100 connections from one address
    #[arg(long = "nomad.max-connections", env = "NOMAD_EXPORTER_NOMAD_MAX_CONNECTIONS", value_name = "N")]
    #[arg(global = true, default_value = "16", value_parser = clap::value_parser!(u16).range(1..=90))]
    #[arg(help_heading = "Nomad")]
    pub max_connections: u16,

    /// Compression of Nomad's responses: gzip saves bandwidth on a slow or metered link, but uses CPU time of the
    /// servers
    #[arg(long = "nomad.accept-encoding", env = "NOMAD_EXPORTER_NOMAD_ACCEPT_ENCODING", value_enum)]
    #[arg(value_name = "ENCODING", global = true, default_value = "identity", help_heading = "Nomad")]
    pub accept_encoding: AcceptEncoding,

    /// Maximum size of a list from Nomad in bytes, after decompression
    ///
    /// Lists are decoded as a stream and not kept in memory, so this does not limit memory use. It stops a list that
    /// never ends, and is far above the size of real lists
    #[arg(long = "nomad.max-list-bytes", env = "NOMAD_EXPORTER_NOMAD_MAX_LIST_BYTES", value_name = "BYTES")]
    #[arg(global = true, default_value = "8589934592", help_heading = "Nomad")]
    pub max_list_bytes: u64,

    /// Maximum size of any other response from Nomad in bytes, after decompression
    #[arg(long = "nomad.max-object-bytes", env = "NOMAD_EXPORTER_NOMAD_MAX_OBJECT_BYTES")]
    #[arg(global = true, value_name = "BYTES", default_value = "16777216", help_heading = "Nomad")]
    pub max_object_bytes: u64,

    /// Maximum size of a compressed response from Nomad in bytes, as transferred
    #[arg(long = "nomad.max-compressed-bytes", env = "NOMAD_EXPORTER_NOMAD_MAX_COMPRESSED_BYTES")]
    #[arg(global = true, value_name = "BYTES", default_value = "1073741824", help_heading = "Nomad")]
    pub max_compressed_bytes: u64,

    /// PEM file with CA certificates to trust instead of the system's
    #[arg(long = "nomad.ca-file", env = "NOMAD_EXPORTER_NOMAD_CA_FILE", value_name = "FILE", global = true)]
    #[arg(help_heading = "Nomad")]
    pub ca_file: Option<PathBuf>,

    /// Directory of PEM files with CA certificates to trust instead of the system's
    #[arg(long = "nomad.ca-path", env = "NOMAD_EXPORTER_NOMAD_CA_PATH", value_name = "DIR", global = true)]
    #[arg(help_heading = "Nomad")]
    pub ca_path: Option<PathBuf>,

    /// PEM file with the client certificate for Nomad
    #[arg(
        long = "nomad.client-cert",
        env = "NOMAD_EXPORTER_NOMAD_CLIENT_CERT",
        value_name = "FILE",
        global = true
    )]
    #[arg(help_heading = "Nomad")]
    pub client_cert: Option<PathBuf>,

    /// PEM file with the private key of the client certificate
    #[arg(
        long = "nomad.client-key",
        env = "NOMAD_EXPORTER_NOMAD_CLIENT_KEY",
        value_name = "FILE",
        global = true
    )]
    #[arg(help_heading = "Nomad")]
    pub client_key: Option<PathBuf>,

    /// Expected name in Nomad's certificate, such as server.global.nomad [default: the host of the address]
    #[arg(long = "nomad.tls-server-name", env = "NOMAD_EXPORTER_NOMAD_TLS_SERVER_NAME", value_name = "NAME")]
    #[arg(global = true, help_heading = "Nomad")]
    pub tls_server_name: Option<String>,

    /// Do not verify Nomad's certificate. An attacker in the network can then read the token
    #[arg(long = "nomad.tls-skip-verify", env = "NOMAD_EXPORTER_NOMAD_TLS_SKIP_VERIFY", global = true)]
    #[arg(action = ArgAction::SetTrue, value_parser = BoolishValueParser::new(), help_heading = "Nomad")]
    pub tls_skip_verify: bool,
}

/// How Nomad sends its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AcceptEncoding {
    /// As they are.
    Identity,
    /// Compressed.
    Gzip,
}
