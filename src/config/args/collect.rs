//! Flags of the collection.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::human::parse_duration;

/// Flags of the collection.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Interval between refreshes of live collectors
    #[arg(
        long = "collect.interval",
        env = "NOMAD_EXPORTER_COLLECT_INTERVAL",
        value_name = "DURATION",
        global = true
    )]
    #[arg(default_value = "15s", value_parser = parse_duration, help_heading = "Collection")]
    pub interval: Duration,

    /// Interval between refreshes of history collectors (dead jobs, terminal allocations)
    #[arg(long = "collect.history-interval", env = "NOMAD_EXPORTER_COLLECT_HISTORY_INTERVAL", global = true)]
    #[arg(value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    #[arg(help_heading = "Collection")]
    pub history_interval: Duration,

    /// Maximum share of the time that one collector may take. If it takes longer, its interval grows accordingly
    ///
    /// For live collectors, the time until Nomad's servers respond counts; for history collectors, the whole refresh
    #[arg(long = "collect.duty-cycle", env = "NOMAD_EXPORTER_COLLECT_DUTY_CYCLE", value_name = "RATIO")]
    #[arg(global = true, default_value = "0.05", help_heading = "Collection")]
    pub duty_cycle: f64,

    /// Use of Nomad's event stream: with `auto`, only the jobs and allocations that it names as changed are requested
    /// again, and their lists if the stream is unavailable, has a gap or costs more
    ///
    /// Needs a token that may read all namespaces, and Nomad 1.3 or later. With `auto`, the exporter keeps up to 30,000 live
    /// jobs and as many live allocations in memory, which takes about 170 bytes each
    #[arg(long = "collect.events", env = "NOMAD_EXPORTER_COLLECT_EVENTS", value_name = "MODE", value_enum)]
    #[arg(global = true, default_value = "auto", help_heading = "Collection")]
    pub events: EventMode,

    /// Interval between requests for the statistics of a host or an allocation. The requests to all clients are spread
    /// over this time
    #[arg(long = "collect.client-interval", env = "NOMAD_EXPORTER_COLLECT_CLIENT_INTERVAL", global = true)]
    #[arg(value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    #[arg(help_heading = "Collection")]
    pub client_interval: Duration,

    /// Number of intervals without success after which a collector's metrics are dropped
    #[arg(
        long = "collect.max-age-intervals",
        env = "NOMAD_EXPORTER_COLLECT_MAX_AGE_INTERVALS",
        global = true
    )]
    #[arg(value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=1000))]
    #[arg(help_heading = "Collection")]
    pub max_age_intervals: u32,

    /// Number of the oldest pending jobs that have a series of their own
    ///
    /// The default is low because these series are short-lived
    #[arg(
        long = "collect.pending-jobs",
        env = "NOMAD_EXPORTER_COLLECT_PENDING_JOBS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "20", value_parser = clap::value_parser!(u16).range(0..=1000), help_heading = "Collection")]
    pub pending_jobs: u16,

    /// Number of the longest running builds (batch and sysbatch jobs) that have a series of their own
    #[arg(
        long = "collect.running-jobs",
        env = "NOMAD_EXPORTER_COLLECT_RUNNING_JOBS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "20", value_parser = clap::value_parser!(u16).range(0..=1000), help_heading = "Collection")]
    pub running_jobs: u16,

    /// Types of jobs that have series of their own: service, batch, system, sysbatch. batch adds series for every build
    /// that is not dead
    #[arg(
        long = "collect.job-types",
        env = "NOMAD_EXPORTER_COLLECT_JOB_TYPES",
        value_name = "TYPES",
        global = true
    )]
    #[arg(value_delimiter = ',', default_value = "service,system", help_heading = "Collection")]
    pub job_types: Vec<String>,

    /// Maximum number of jobs that have series of their own
    ///
    /// Beyond the limit, dropped series are counted in nomad_exporter_series_dropped. The default is far above the
    /// usual number of service and system jobs
    #[arg(
        long = "collect.max-jobs",
        env = "NOMAD_EXPORTER_COLLECT_MAX_JOBS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "2000", help_heading = "Collection")]
    pub max_jobs: usize,

    /// Maximum number of job specifications read in one refresh, for the resources requested by queued allocations
    ///
    /// Each is a request. Specifications are cached, so a longer queue takes several refreshes
    #[arg(
        long = "collect.max-specifications",
        env = "NOMAD_EXPORTER_COLLECT_MAX_SPECIFICATIONS",
        value_name = "N"
    )]
    #[arg(global = true, default_value = "200", help_heading = "Collection")]
    pub max_specifications: usize,

    /// Timeout of a request for the statistics of a host or an allocation
    ///
    /// A client responds within milliseconds or hangs, and must not delay the others
    #[arg(long = "collect.client-timeout", env = "NOMAD_EXPORTER_COLLECT_CLIENT_TIMEOUT", global = true)]
    #[arg(value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    #[arg(help_heading = "Collection")]
    pub client_timeout: Duration,

    /// Maximum number of concurrent requests for the statistics of hosts and allocations
    ///
    /// The default is half of --nomad.max-connections, so that the lists have the other half
    #[arg(
        long = "collect.client-concurrency",
        env = "NOMAD_EXPORTER_COLLECT_CLIENT_CONCURRENCY",
        value_name = "N"
    )]
    #[arg(global = true, default_value = "8", value_parser = clap::value_parser!(u16).range(1..=90))]
    #[arg(help_heading = "Collection")]
    pub client_concurrency: u16,

    /// Jobs whose allocation usage is read, as a regular expression that matches the whole job ID. May be repeated
    /// [default: all]
    #[arg(
        long = "collect.usage-jobs",
        env = "NOMAD_EXPORTER_COLLECT_USAGE_JOBS",
        value_name = "REGEX",
        global = true
    )]
    #[arg(help_heading = "Collection")]
    pub usage_jobs: Vec<String>,

    /// Maximum number of allocations whose usage is read
    ///
    /// Each costs a request through a server to a client in every client interval
    #[arg(long = "collect.max-usage-allocations", env = "NOMAD_EXPORTER_COLLECT_MAX_USAGE_ALLOCATIONS")]
    #[arg(global = true, value_name = "N", default_value = "500", help_heading = "Collection")]
    pub max_usage_allocations: usize,
}

/// Whether the event stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventMode {
    /// If the servers offer it and it costs them less than lists.
    Auto,
    /// Never.
    Off,
}
