//! Commands, as typed.

use clap::{Args, ColorChoice, Subcommand};

use super::drain::DrainArgs;
use super::logs::LogsArgs;

/// What to do instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Collect once, print the metrics to stdout and a verdict on each source to stderr
    Check,
    /// Show one client: what runs on it since when, how full it is, its drivers and its drain
    Node(NodeArgs),
    /// Show what a job's build agent wrote: the log of its newest allocation
    Logs(LogsArgs),
    /// Drain a client and wait until it may be terminated; nothing else that this program does changes anything
    Drain(DrainArgs),
    /// Print the reference of all metrics as Markdown
    Metrics,
}

/// What to show of a node, as typed.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// Which, as typed.
    #[command(flatten)]
    pub choice: NodeChoice,
    /// How to show it, as typed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Which node, as typed.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct NodeChoice {
    /// The client: its ID, the beginning of its ID, or its name
    #[arg(value_name = "NODE")]
    pub node: Option<String>,

    /// The client that answers at --nomad.address
    #[arg(id = "self", long = "self")]
    pub own: bool,
}

/// How to show something, as typed.
#[derive(Clone, Copy, Debug, Args)]
pub struct ShowArgs {
    /// When to colour: auto does on a terminal, unless NO_COLOR is set
    #[arg(long, env = "NOMAD_EXPORTER_COLOR", value_name = "WHEN", default_value = "auto")]
    #[arg(hide_env = true, hide_default_value = true)]
    pub color: ColorChoice,
}
