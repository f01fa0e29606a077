//! Commands, as typed.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};
use clap_complete::Shell;

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
    /// Print what makes a shell complete flags and commands
    Completions {
        /// The shell, which reads it at its start
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page of the program as roff, for `man -l -`
    Man {
        /// Write the pages of the program and of each command into this directory instead
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
}
