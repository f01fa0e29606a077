//! Arguments of `drain`.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::command::{AgentArgs, ColorArgs, NodeChoice};
use crate::human::parse_duration;

/// Arguments of `drain`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct DrainArgs {
    /// The node.
    #[command(flatten)]
    pub choice: NodeChoice,

    /// Address of the agent on this machine.
    #[command(flatten)]
    pub agent: AgentArgs,

    /// Time after which Nomad stops allocations, such as 1h; none for no deadline
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub deadline: Deadline,

    /// Do not stop system jobs, and do not wait for them
    #[arg(long)]
    pub ignore_system: bool,

    /// Wait until the client is drained, and show the remaining allocations
    #[arg(long)]
    pub wait: bool,

    /// Maximum time to wait; the drain continues
    #[arg(id = "wait-timeout", long = "timeout", value_name = "DURATION", requires = "wait")]
    #[arg(value_parser = parse_duration)]
    pub timeout: Option<Duration>,

    /// Do not ask for confirmation; required without a terminal
    #[arg(short, long)]
    pub yes: bool,

    /// Cancel the drain and make the client eligible again
    #[arg(long, conflicts_with_all = ["deadline", "ignore_system", "wait", "wait-timeout", "dry_run"])]
    pub cancel: bool,

    /// Show the allocations that must finish, without changing anything
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,

    /// Colors.
    #[command(flatten)]
    pub color: ColorArgs,
}

/// Exit codes, shown at the end of the help.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  safe to terminate (without --wait: the drain is active)
  1  failed, 2 invalid usage, 4 the client is gone, 5 the drain was cancelled
  3  the timeout expired or a signal arrived; the drain continues
An active drain is continued with its deadline. --namespace is required
if the token cannot read all namespaces.";

/// Time after which Nomad stops the remaining allocations; `None` means no deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Option<Duration>);

impl FromStr for Deadline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        match parse_duration(text) {
            Ok(duration) if duration.is_zero() => {
                Err("Nomad treats 0 as no deadline; give none, or a duration such as 1h".to_owned())
            }
            Ok(duration) => Ok(Self(Some(duration))),
            Err(error) => Err(format!("{error}; give none, or a duration such as 1h")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_duration_or_none() {
        assert_eq!("none".parse(), Ok(Deadline(None)));
        assert_eq!("90m".parse(), Ok(Deadline(Some(Duration::from_secs(5400)))));
        assert!("0s".parse::<Deadline>().unwrap_err().contains("give none"));
        assert!("soon".parse::<Deadline>().unwrap_err().contains("give none"));
    }
}
