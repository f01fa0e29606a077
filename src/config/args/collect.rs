//! What to collect and how often, as typed.

use std::time::Duration;

use clap::Args;

use crate::human::parse_duration;

/// What to collect and how often, as typed.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// How often live collectors are read
    #[arg(
        long = "collect.interval",
        env = "NOMAD_EXPORTER_COLLECT_INTERVAL",
        value_name = "DURATION",
        global = true
    )]
    #[arg(default_value = "15s", value_parser = parse_duration, help_heading = "Collection")]
    pub interval: Duration,

    /// How often history collectors (dead jobs, terminal allocations) are read
    #[arg(long = "collect.history-interval", env = "NOMAD_EXPORTER_COLLECT_HISTORY_INTERVAL", global = true)]
    #[arg(value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    #[arg(help_heading = "Collection")]
    pub history_interval: Duration,

    /// What share of the time one collector may cost. One that costs more is read less often
    ///
    /// A live collector costs the time until Nomad's servers answer, a history collector the time of its refresh
    #[arg(long = "collect.duty-cycle", env = "NOMAD_EXPORTER_COLLECT_DUTY_CYCLE", value_name = "RATIO")]
    #[arg(global = true, default_value = "0.05", help_heading = "Collection")]
    pub duty_cycle: f64,

    /// How often clients are asked for their hosts and allocations; the requests are spread over this time
    #[arg(long = "collect.client-interval", env = "NOMAD_EXPORTER_COLLECT_CLIENT_INTERVAL", global = true)]
    #[arg(value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    #[arg(help_heading = "Collection")]
    pub client_interval: Duration,

    /// After how many intervals without success a collector's data is withdrawn
    #[arg(
        long = "collect.max-age-intervals",
        env = "NOMAD_EXPORTER_COLLECT_MAX_AGE_INTERVALS",
        global = true
    )]
    #[arg(value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=1000))]
    #[arg(help_heading = "Collection")]
    pub max_age_intervals: u32,

    /// How many of the oldest pending jobs are named
    ///
    /// Each has a series that comes and goes with the job: enough to see who waits, and too few to fill a database
    #[arg(
        long = "collect.pending-jobs",
        env = "NOMAD_EXPORTER_COLLECT_PENDING_JOBS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "20", value_parser = clap::value_parser!(u16).range(0..=1000), help_heading = "Collection")]
    pub pending_jobs: u16,

    /// Types of the jobs that have series of their own: service, batch, system, sysbatch. With batch there are
    /// series for each build that lives
    #[arg(
        long = "collect.job-types",
        env = "NOMAD_EXPORTER_COLLECT_JOB_TYPES",
        value_name = "TYPES",
        global = true
    )]
    #[arg(value_delimiter = ',', default_value = "service,system", help_heading = "Collection")]
    pub job_types: Vec<String>,

    /// How many jobs have series of their own at most
    ///
    /// Services and system jobs are few and live long; where there are more, the cap is counted and not the memory
    #[arg(
        long = "collect.max-jobs",
        env = "NOMAD_EXPORTER_COLLECT_MAX_JOBS",
        value_name = "N",
        global = true
    )]
    #[arg(default_value = "2000", help_heading = "Collection")]
    pub max_jobs: usize,

    /// How many job specifications are read in one refresh at most, to tell what queued instances ask for
    ///
    /// Each is a request. What is known is kept, so a longer queue is known after some refreshes
    #[arg(
        long = "collect.max-specifications",
        env = "NOMAD_EXPORTER_COLLECT_MAX_SPECIFICATIONS",
        value_name = "N"
    )]
    #[arg(global = true, default_value = "200", help_heading = "Collection")]
    pub max_specifications: usize,

    /// How long one client may take to answer for its host or an allocation
    ///
    /// A client answers within milliseconds or hangs; it must not hold up the others
    #[arg(long = "collect.client-timeout", env = "NOMAD_EXPORTER_COLLECT_CLIENT_TIMEOUT", global = true)]
    #[arg(value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    #[arg(help_heading = "Collection")]
    pub client_timeout: Duration,

    /// How many clients are asked at once
    ///
    /// Half of the connections to Nomad (--nomad.max-connections): the lists have the others
    #[arg(
        long = "collect.client-concurrency",
        env = "NOMAD_EXPORTER_COLLECT_CLIENT_CONCURRENCY",
        value_name = "N"
    )]
    #[arg(global = true, default_value = "8", value_parser = clap::value_parser!(u16).range(1..=90))]
    #[arg(help_heading = "Collection")]
    pub client_concurrency: u16,

    /// Jobs whose allocations' usage is read, as a regular expression on the whole job ID; repeat it for several
    /// [default: all]
    #[arg(
        long = "collect.usage-jobs",
        env = "NOMAD_EXPORTER_COLLECT_USAGE_JOBS",
        value_name = "REGEX",
        global = true
    )]
    #[arg(help_heading = "Collection")]
    pub usage_jobs: Vec<String>,

    /// How many allocations' usage is read at most
    ///
    /// Each is a request through a server to a client, every client interval
    #[arg(long = "collect.max-usage-allocations", env = "NOMAD_EXPORTER_COLLECT_MAX_USAGE_ALLOCATIONS")]
    #[arg(global = true, value_name = "N", default_value = "500", help_heading = "Collection")]
    pub max_usage_allocations: usize,
}
