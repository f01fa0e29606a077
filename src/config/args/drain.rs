//! How to drain, as typed.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::command::{AgentArgs, ColorArgs, NodeChoice};
use crate::human::parse_duration;

/// How to drain a node, as typed.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct DrainArgs {
    /// Which, as typed.
    #[command(flatten)]
    pub choice: NodeChoice,

    /// Where the agent on this machine listens, as typed.
    #[command(flatten)]
    pub agent: AgentArgs,

    /// After how long Nomad stops whatever still runs, such as 1h; none waits for ever
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub deadline: Deadline,

    /// Leave system jobs where they are
    #[arg(long)]
    pub ignore_system: bool,

    /// Wait until nothing is left, and show what remains
    #[arg(long)]
    pub wait: bool,

    /// How long to wait at most; the drain stays in force
    #[arg(id = "wait-timeout", long = "timeout", value_name = "DURATION", requires = "wait")]
    #[arg(value_parser = parse_duration)]
    pub timeout: Option<Duration>,

    /// Do not ask; needed without a terminal to ask at
    #[arg(short, long)]
    pub yes: bool,

    /// Undo it: end the drain and let the client take work again
    #[arg(long, conflicts_with_all = ["deadline", "ignore_system", "wait", "wait-timeout", "dry_run"])]
    pub cancel: bool,

    /// Show what would have to finish, and change nothing
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,

    /// In colour or not, as typed.
    #[command(flatten)]
    pub color: ColorArgs,
}

/// The end of the help.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  safe to terminate (without --wait: the drain is in force)
  1  failed, 2 wrong usage, 4 the client is gone, 5 the drain was cancelled
  3  time was up, or a signal came; the drain stays in force
A drain that goes on is joined, and its deadline stays. --namespace is needed
if the token may not read all namespaces: what runs in others is not seen.";

/// After how long Nomad stops what is left; `None` never.
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
                Err("Nomad takes 0 for no deadline; give none, or a duration such as 1h".to_owned())
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
