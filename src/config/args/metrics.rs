//! Flags that select and limit metrics.

use clap::Args;

/// Flags that select and limit metrics.
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// Metrics to expose, as names or regular expressions that match the whole name. May be repeated [default: all]
    #[arg(long = "metrics.allow", env = "NOMAD_EXPORTER_METRICS_ALLOW", value_name = "REGEX", global = true)]
    #[arg(value_delimiter = ',', help_heading = "Metrics")]
    pub allow: Vec<String>,

    /// Metrics not to expose, as names or regular expressions that match the whole name. May be repeated
    #[arg(long = "metrics.deny", env = "NOMAD_EXPORTER_METRICS_DENY", value_name = "REGEX", global = true)]
    #[arg(value_delimiter = ',', help_heading = "Metrics")]
    pub deny: Vec<String>,

    /// Maximum number of series per metric. Dropped series are counted in nomad_exporter_series_dropped
    ///
    /// The default is enough for the largest clusters and protects Prometheus against mistakes
    #[arg(long = "metrics.max-series-per-family", env = "NOMAD_EXPORTER_METRICS_MAX_SERIES_PER_FAMILY")]
    #[arg(global = true, value_name = "N", default_value = "200000", help_heading = "Metrics")]
    pub max_series_per_family: usize,

    /// Maximum length of a label value in bytes. Samples with truncated values are counted in
    /// nomad_exporter_samples_with_shortened_labels
    #[arg(long = "metrics.max-label-length", env = "NOMAD_EXPORTER_METRICS_MAX_LABEL_LENGTH")]
    #[arg(global = true, value_name = "BYTES", default_value = "256", help_heading = "Metrics")]
    #[arg(value_parser = clap::value_parser!(u32).range(32..))]
    pub max_label_length: u32,

    /// Keys of job metadata that become labels of nomad_job_meta_info, for long-lived jobs (Nomad 1.4.3 and later)
    ///
    /// For instance `team` becomes the label `meta_team`, so that alerts reach the team that owns the job. With this
    /// flag, Nomad sends the metadata of every job in its job lists
    #[arg(
        long = "metrics.job-meta",
        env = "NOMAD_EXPORTER_METRICS_JOB_META",
        value_name = "KEYS",
        global = true
    )]
    #[arg(value_delimiter = ',', help_heading = "Metrics")]
    pub job_meta: Vec<String>,

    /// Keys of node metadata that become labels of nomad_node_meta_info
    ///
    /// Each node is read when it is new and every ten minutes
    #[arg(
        long = "metrics.node-meta",
        env = "NOMAD_EXPORTER_METRICS_NODE_META",
        value_name = "KEYS",
        global = true
    )]
    #[arg(value_delimiter = ',', help_heading = "Metrics")]
    pub node_meta: Vec<String>,

    /// Names of node attributes that become labels of nomad_node_attribute_info, such as os.name
    ///
    /// Each node is read when it is new and every ten minutes
    #[arg(long = "metrics.node-attributes", env = "NOMAD_EXPORTER_METRICS_NODE_ATTRIBUTES")]
    #[arg(value_name = "NAMES", global = true, value_delimiter = ',', help_heading = "Metrics")]
    pub node_attributes: Vec<String>,
}
