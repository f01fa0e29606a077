//! Which log to show, as typed.

use clap::Args;

use super::command::ColorArgs;

/// Which log to show, as typed.
#[derive(Clone, Debug, Args)]
pub struct LogsArgs {
    /// The job: its ID, or the beginning of it
    #[arg(value_name = "JOB")]
    pub job: String,

    /// The task [default: the main one]
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,

    /// What it wrote to stdout
    #[arg(long)]
    pub stdout: bool,

    /// What it wrote to stderr, which is the default: build agents log there
    #[arg(long, conflicts_with = "stdout")]
    pub stderr: bool,

    /// Go on while it is written, until the allocation has ended or ^C
    #[arg(short, long)]
    pub follow: bool,

    /// Begin with the last N lines
    #[arg(long, value_name = "N")]
    pub tail: Option<usize>,

    /// Of all allocations that live, or else of all that Nomad still has: each line begins with an ID
    #[arg(long, conflicts_with = "alloc")]
    pub all: bool,

    /// Of this allocation: its ID, or the beginning of it
    #[arg(long, value_name = "ID")]
    pub alloc: Option<String>,

    /// In colour or not, as typed.
    #[command(flatten)]
    pub color: ColorArgs,
}
