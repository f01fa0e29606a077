//! Commands, as typed.

use clap::Subcommand;

/// What to do instead of serving.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Collect once, print the metrics to stdout and a verdict on each source to stderr
    Check,
    /// Ask the exporter that runs on this machine whether it works; for containers
    ///
    /// It is asked on its own --web.listen-address, once, and has 3 s to answer. Exits with 0 if it is well and with 1
    /// if not, with a sentence that says so. Give it the same flags, or better variables, as the exporter.
    Healthcheck {
        /// Whether Nomad has answered lately, too
        #[arg(long)]
        ready: bool,
    },
    /// Print the reference of all metrics as Markdown
    Metrics,
}
