//! Arguments as typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::collect::SOURCES;

/// Prometheus exporter for the state of a HashiCorp Nomad cluster: jobs, backlog, nodes and drains.
///
/// Without a command it serves. Nomad's own variables (NOMAD_ADDR, NOMAD_TOKEN, NOMAD_REGION, NOMAD_NAMESPACE,
/// NOMAD_CACERT, NOMAD_CAPATH, NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY, NOMAD_TLS_SERVER_NAME, NOMAD_SKIP_VERIFY,
/// NOMAD_HTTP_AUTH) apply where no flag is given.
#[derive(Debug, Parser)]
#[command(name = "nomad-exporter", version, max_term_width = 110)]
pub struct Args {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Address of a Nomad agent: http://HOST:PORT, https://HOST:PORT or unix:///PATH. Repeat it to name others
    /// that are asked when one fails [default: http://127.0.0.1:4646]
    #[arg(long = "nomad.address", env = "NOMAD_EXPORTER_NOMAD_ADDRESS", value_name = "URL", global = true)]
    #[arg(value_delimiter = ',', help_heading = "Nomad")]
    pub nomad_address: Vec<String>,

    /// File with the ACL token; read again when it changes. NOMAD_TOKEN gives the token itself
    #[arg(
        long = "nomad.token-file",
        env = "NOMAD_EXPORTER_NOMAD_TOKEN_FILE",
        value_name = "FILE",
        global = true
    )]
    #[arg(help_heading = "Nomad")]
    pub nomad_token_file: Option<PathBuf>,

    /// How long an answer of Nomad may take to begin, and how long it may pause
    #[arg(
        long = "nomad.timeout",
        env = "NOMAD_EXPORTER_NOMAD_TIMEOUT",
        value_name = "DURATION",
        global = true
    )]
    #[arg(default_value = "10s", value_parser = humantime::parse_duration, help_heading = "Nomad")]
    pub nomad_timeout: Duration,

    /// Region to ask about [default: the agent's own]
    #[arg(long = "nomad.region", env = "NOMAD_EXPORTER_NOMAD_REGION", value_name = "NAME", global = true)]
    #[arg(help_heading = "Nomad")]
    pub nomad_region: Option<String>,

    /// Namespace to ask about; repeat it for several [default: * (all)]
    #[arg(
        long = "nomad.namespace",
        env = "NOMAD_EXPORTER_NOMAD_NAMESPACE",
        value_name = "NAME",
        global = true
    )]
    #[arg(value_delimiter = ',', help_heading = "Nomad")]
    pub nomad_namespace: Vec<String>,

    /// Let any server answer and not only the leader
    #[arg(
        long = "nomad.allow-stale",
        env = "NOMAD_EXPORTER_NOMAD_ALLOW_STALE",
        value_name = "BOOL",
        global = true
    )]
    #[arg(default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    #[arg(action = ArgAction::Set, value_parser = BoolishValueParser::new(), help_heading = "Nomad")]
    pub nomad_allow_stale: bool,

    /// Refuse answers of a server that knows no leader or has not heard it for longer; 0s takes any
    #[arg(long = "nomad.max-last-contact", env = "NOMAD_EXPORTER_NOMAD_MAX_LAST_CONTACT")]
    #[arg(value_name = "DURATION", global = true, default_value = "30s")]
    #[arg(value_parser = humantime::parse_duration, help_heading = "Nomad")]
    pub nomad_max_last_contact: Duration,

    /// Requests in flight at most; Nomad allows 100 connections from one address
    #[arg(long = "nomad.max-connections", env = "NOMAD_EXPORTER_NOMAD_MAX_CONNECTIONS", value_name = "N")]
    #[arg(global = true, default_value = "16", value_parser = clap::value_parser!(u16).range(1..=90))]
    #[arg(help_heading = "Nomad")]
    pub nomad_max_connections: u16,

    /// How Nomad sends its answers: gzip asks CPU time of it to save bytes on a slow or metered link
    #[arg(long = "nomad.accept-encoding", env = "NOMAD_EXPORTER_NOMAD_ACCEPT_ENCODING", value_enum)]
    #[arg(value_name = "ENCODING", global = true, default_value = "identity", help_heading = "Nomad")]
    pub nomad_accept_encoding: AcceptEncoding,

    /// Bytes of one list of Nomad at most, after decompression
    #[arg(long = "nomad.max-list-bytes", env = "NOMAD_EXPORTER_NOMAD_MAX_LIST_BYTES", value_name = "BYTES")]
    #[arg(global = true, default_value = "8589934592", help_heading = "Nomad")]
    pub nomad_max_list_bytes: u64,

    /// Trust the authorities in this PEM file instead of the system's
    #[arg(long = "nomad.ca-file", env = "NOMAD_EXPORTER_NOMAD_CA_FILE", value_name = "FILE", global = true)]
    #[arg(help_heading = "Nomad")]
    pub nomad_ca_file: Option<PathBuf>,

    /// Trust the authorities in the PEM files of this directory instead of the system's
    #[arg(long = "nomad.ca-path", env = "NOMAD_EXPORTER_NOMAD_CA_PATH", value_name = "DIR", global = true)]
    #[arg(help_heading = "Nomad")]
    pub nomad_ca_path: Option<PathBuf>,

    /// Certificate to show to Nomad, PEM
    #[arg(
        long = "nomad.client-cert",
        env = "NOMAD_EXPORTER_NOMAD_CLIENT_CERT",
        value_name = "FILE",
        global = true
    )]
    #[arg(help_heading = "Nomad")]
    pub nomad_client_cert: Option<PathBuf>,

    /// Its private key, PEM
    #[arg(
        long = "nomad.client-key",
        env = "NOMAD_EXPORTER_NOMAD_CLIENT_KEY",
        value_name = "FILE",
        global = true
    )]
    #[arg(help_heading = "Nomad")]
    pub nomad_client_key: Option<PathBuf>,

    /// Name to expect in Nomad's certificate, such as server.global.nomad [default: the address's host]
    #[arg(long = "nomad.tls-server-name", env = "NOMAD_EXPORTER_NOMAD_TLS_SERVER_NAME", value_name = "NAME")]
    #[arg(global = true, help_heading = "Nomad")]
    pub nomad_tls_server_name: Option<String>,

    /// Accept any certificate of Nomad: whoever stands between can read the token
    #[arg(long = "nomad.tls-skip-verify", env = "NOMAD_EXPORTER_NOMAD_TLS_SKIP_VERIFY", global = true)]
    #[arg(action = ArgAction::SetTrue, value_parser = BoolishValueParser::new(), help_heading = "Nomad")]
    pub nomad_tls_skip_verify: bool,

    /// How often live sources are read
    #[arg(
        long = "collect.interval",
        env = "NOMAD_EXPORTER_COLLECT_INTERVAL",
        value_name = "DURATION",
        global = true
    )]
    #[arg(default_value = "15s", value_parser = humantime::parse_duration, help_heading = "Collection")]
    pub collect_interval: Duration,

    /// How often history sources (dead jobs, terminal allocations) are read
    #[arg(long = "collect.history-interval", env = "NOMAD_EXPORTER_COLLECT_HISTORY_INTERVAL", global = true)]
    #[arg(value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    #[arg(help_heading = "Collection")]
    pub collect_history_interval: Duration,

    /// What share of the time one history source may be read. One whose refresh takes long is read less often
    #[arg(
        long = "collect.history-duty-cycle",
        env = "NOMAD_EXPORTER_COLLECT_HISTORY_DUTY_CYCLE",
        value_name = "RATIO"
    )]
    #[arg(global = true, default_value = "0.05", help_heading = "Collection")]
    pub collect_history_duty_cycle: f64,

    /// How often clients are asked for their hosts and allocations; the requests are spread over this time
    #[arg(long = "collect.client-interval", env = "NOMAD_EXPORTER_COLLECT_CLIENT_INTERVAL", global = true)]
    #[arg(value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    #[arg(help_heading = "Collection")]
    pub collect_client_interval: Duration,

    /// After how many intervals without success a source's data is withdrawn
    #[arg(
        long = "collect.max-age-intervals",
        env = "NOMAD_EXPORTER_COLLECT_MAX_AGE_INTERVALS",
        global = true
    )]
    #[arg(value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=1000))]
    #[arg(help_heading = "Collection")]
    pub collect_max_age_intervals: u32,

    /// How many of the oldest pending jobs are named
    #[arg(
        long = "collect.pending-jobs",
        env = "NOMAD_EXPORTER_COLLECT_PENDING_JOBS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "20", value_parser = clap::value_parser!(u16).range(0..=1000), help_heading = "Collection")]
    pub collect_pending_jobs: u16,

    /// Types of the jobs that have series of their own: service, batch, system, sysbatch. With batch there are
    /// series for each build that lives
    #[arg(
        long = "collect.job-types",
        env = "NOMAD_EXPORTER_COLLECT_JOB_TYPES",
        value_name = "TYPES",
        global = true
    )]
    #[arg(value_delimiter = ',', default_value = "service,system", help_heading = "Collection")]
    pub collect_job_types: Vec<String>,

    /// How many jobs have series of their own at most
    #[arg(
        long = "collect.max-jobs",
        env = "NOMAD_EXPORTER_COLLECT_MAX_JOBS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "2000", help_heading = "Collection")]
    pub collect_max_jobs: usize,

    /// How many job specifications are read in one refresh at most, to tell what queued instances ask for
    #[arg(
        long = "collect.max-specifications",
        env = "NOMAD_EXPORTER_COLLECT_MAX_SPECIFICATIONS",
        value_name = "N"
    )]
    #[arg(global = true, default_value = "200", help_heading = "Collection")]
    pub collect_max_specifications: usize,

    /// How long one client may take to answer for its host or an allocation
    #[arg(long = "collect.client-timeout", env = "NOMAD_EXPORTER_COLLECT_CLIENT_TIMEOUT", global = true)]
    #[arg(value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    #[arg(help_heading = "Collection")]
    pub collect_client_timeout: Duration,

    /// How many clients are asked at once
    #[arg(
        long = "collect.client-concurrency",
        env = "NOMAD_EXPORTER_COLLECT_CLIENT_CONCURRENCY",
        value_name = "N"
    )]
    #[arg(global = true, default_value = "8", value_parser = clap::value_parser!(u16).range(1..=90))]
    #[arg(help_heading = "Collection")]
    pub collect_client_concurrency: u16,

    /// Jobs whose allocations' usage is read, as a regular expression on the whole job ID; repeat it for several
    /// [default: all]
    #[arg(
        long = "collect.usage-jobs",
        env = "NOMAD_EXPORTER_COLLECT_USAGE_JOBS",
        value_name = "REGEX",
        global = true
    )]
    #[arg(help_heading = "Collection")]
    pub collect_usage_jobs: Vec<String>,

    /// How many allocations' usage is read at most
    #[arg(long = "collect.max-usage-allocations", env = "NOMAD_EXPORTER_COLLECT_MAX_USAGE_ALLOCATIONS")]
    #[arg(global = true, value_name = "N", default_value = "500", help_heading = "Collection")]
    pub collect_max_usage_allocations: usize,

    /// Families to expose, as names or regular expressions on whole names; repeat it for several [default: all]
    #[arg(long = "metrics.allow", env = "NOMAD_EXPORTER_METRICS_ALLOW", value_name = "REGEX", global = true)]
    #[arg(value_delimiter = ',', help_heading = "Metrics")]
    pub metrics_allow: Vec<String>,

    /// Families not to expose, in the same way
    #[arg(long = "metrics.deny", env = "NOMAD_EXPORTER_METRICS_DENY", value_name = "REGEX", global = true)]
    #[arg(value_delimiter = ',', help_heading = "Metrics")]
    pub metrics_deny: Vec<String>,

    /// Series of one family at most; what is cut is counted in nomad_exporter_series_dropped
    #[arg(long = "metrics.max-series-per-family", env = "NOMAD_EXPORTER_METRICS_MAX_SERIES_PER_FAMILY")]
    #[arg(global = true, value_name = "N", default_value = "200000", help_heading = "Metrics")]
    pub metrics_max_series_per_family: usize,

    /// Address to serve on, HOST:PORT or :PORT. Repeat it for several
    #[arg(
        long = "web.listen-address",
        env = "NOMAD_EXPORTER_WEB_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        global = true
    )]
    #[arg(value_delimiter = ',', default_value = ":9441", help_heading = "Web")]
    pub web_listen_address: Vec<String>,

    /// Path of the metrics
    #[arg(
        long = "web.telemetry-path",
        env = "NOMAD_EXPORTER_WEB_TELEMETRY_PATH",
        value_name = "PATH",
        global = true
    )]
    #[arg(default_value = "/metrics", help_heading = "Web")]
    pub web_telemetry_path: String,

    /// Connections at most; others wait until one ends
    #[arg(
        long = "web.max-connections",
        env = "NOMAD_EXPORTER_WEB_MAX_CONNECTIONS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "256", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Web")]
    pub web_max_connections: u16,

    /// What to log
    #[arg(long = "log.level", env = "NOMAD_EXPORTER_LOG_LEVEL", value_name = "LEVEL", global = true)]
    #[arg(default_value = "info", help_heading = "Log")]
    pub log_level: LogLevel,

    /// How to log; the log goes to stderr
    #[arg(long = "log.format", env = "NOMAD_EXPORTER_LOG_FORMAT", value_name = "FORMAT", global = true)]
    #[arg(default_value = "logfmt", help_heading = "Log")]
    pub log_format: LogFormat,

    /// Names of the sources that are on; each has a flag of its own.
    #[arg(skip)]
    pub sources: Vec<&'static str>,
}

/// What to do instead of serving.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Collect once, print the metrics to stdout and a verdict on each source to stderr
    Check,
    /// Print the reference of all metrics as Markdown
    Metrics,
}

/// How Nomad sends its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AcceptEncoding {
    /// As they are.
    Identity,
    /// Compressed.
    Gzip,
}

/// How much to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What does not work.
    Error,
    /// And what may stop working.
    Warn,
    /// And changes of state.
    Info,
    /// And every single failure.
    Debug,
    /// And what libraries do.
    Trace,
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// key=value pairs.
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// Parses a command line; its first item is the program's name.
pub fn parse(line: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Args, clap::Error> {
    let mut matches = command().try_get_matches_from(line)?;
    let sources =
        SOURCES.iter().filter(|source| is_on(&matches, source.name)).map(|source| source.name).collect();
    Ok(Args { sources, ..Args::from_arg_matches_mut(&mut matches)? })
}

/// The command line, with two flags for each source.
fn command() -> clap::Command {
    let flags = SOURCES.iter().flat_map(|source| {
        let on = Arg::new(on_flag(source.name))
            .long(on_flag(source.name))
            .env(format!("NOMAD_EXPORTER_COLLECTOR_{}", source.name.to_uppercase()))
            .value_name("BOOL")
            .help(format!("Read {}", source.help))
            .num_args(0..=1)
            .require_equals(true)
            .default_value(if source.default_on { "true" } else { "false" })
            .default_missing_value("true")
            .value_parser(BoolishValueParser::new());
        let off = Arg::new(off_flag(source.name))
            .long(off_flag(source.name))
            .action(ArgAction::SetTrue)
            .help(format!("Do not read {}", source.help))
            .hide_short_help(true);
        [on, off]
    });
    Args::command().args(flags.map(|flag| flag.global(true).help_heading("Sources")))
}

fn on_flag(source: &str) -> String {
    format!("collector.{source}")
}

fn off_flag(source: &str) -> String {
    format!("no-collector.{source}")
}

fn is_on(matches: &ArgMatches, source: &str) -> bool {
    let on = matches.get_one::<bool>(&on_flag(source)).copied().unwrap_or_default();
    on && !matches.get_flag(&off_flag(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn sources_are_switched_by_flags() {
        let names = |line: &[&str]| parse(line).unwrap().sources;
        let default = SOURCES.iter().filter(|source| source.default_on).count();
        assert_eq!(names(&["nomad-exporter"]).len(), default);
        let some =
            names(&["nomad-exporter", "--no-collector.drains", "--collector.host_stats=false", "check"]);
        assert_eq!(some.len(), default - 2);
        assert!(!some.contains(&"drains") && !some.contains(&"host_stats"));
        assert!(names(&["nomad-exporter", "--collector.allocation_usage"]).contains(&"allocation_usage"));
    }

    #[test]
    fn flags_may_stand_before_or_behind_the_command() {
        for line in [
            ["nomad-exporter", "--nomad.timeout", "3s", "check"],
            ["nomad-exporter", "check", "--nomad.timeout", "3s"],
        ] {
            assert_eq!(parse(line).unwrap().nomad_timeout, Duration::from_secs(3));
        }
        assert!(parse(["nomad-exporter", "--nomad.timeout", "soon"]).is_err());
    }
}
