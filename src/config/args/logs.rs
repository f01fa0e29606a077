//! Which log to show, as typed.

use clap::Args;

use super::command::ColorArgs;

/// Which log to show, as typed.
#[derive(Clone, Debug, Args)]
pub struct LogsArgs {
    /// Job, by ID or ID prefix
    #[arg(value_name = "JOB")]
    pub job: String,

    /// Task [default: the main task]
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,

    /// Show stdout
    #[arg(long)]
    pub stdout: bool,

    /// Show stderr (default, because build agents log there)
    #[arg(long, conflicts_with = "stdout")]
    pub stderr: bool,

    /// Follow the log until the allocation has ended, or until ^C
    #[arg(short, long)]
    pub follow: bool,

    /// Start with the last N lines
    #[arg(long, value_name = "N")]
    pub tail: Option<usize>,

    /// Show all running allocations, or all retained ones if none is running; each line starts with an ID
    #[arg(long, conflicts_with = "alloc")]
    pub all: bool,

    /// Allocation, by ID or ID prefix
    #[arg(long, value_name = "ID")]
    pub alloc: Option<String>,

    /// In colour or not, as typed.
    #[command(flatten)]
    pub color: ColorArgs,
}
