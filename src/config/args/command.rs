//! Commands, as typed.

use clap::Subcommand;

/// What to do instead of serving.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Collect once, print the metrics to stdout and a verdict on each source to stderr
    Check,
    /// Print the reference of all metrics as Markdown
    Metrics,
}
