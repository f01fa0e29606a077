//! Commands, as typed.

use std::path::PathBuf;

use clap::Subcommand;

/// What to do instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Collect once, print the metrics to stdout and a verdict on each source to stderr
    Check,
    /// Say whether a file can be used as --web.config.file, and what it does
    CheckConfig {
        /// The file
        file: PathBuf,
    },
    /// Print the reference of all metrics as Markdown
    Metrics,
    /// Print the reference of all flags as Markdown
    Flags,
}
