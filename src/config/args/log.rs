//! How to log, as typed.

use clap::{Args, ValueEnum};

/// How to log, as typed.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Log level
    #[arg(long = "log.level", env = "NOMAD_EXPORTER_LOG_LEVEL", value_name = "LEVEL", global = true)]
    #[arg(default_value = "info", help_heading = "Log")]
    pub level: LogLevel,

    /// Log format. The log is written to stderr
    #[arg(long = "log.format", env = "NOMAD_EXPORTER_LOG_FORMAT", value_name = "FORMAT", global = true)]
    #[arg(default_value = "logfmt", help_heading = "Log")]
    pub format: LogFormat,

    /// Maximum number of logged state changes per collector in 10 minutes. The next line has the number of omitted
    /// changes
    #[arg(long = "log.max-changes", env = "NOMAD_EXPORTER_LOG_MAX_CHANGES", value_name = "N", global = true)]
    #[arg(default_value = "20", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Log")]
    pub max_changes: u32,
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
