//! From what the user typed ([`Args`]) to what the program runs on ([`Config`]): validated once, then immutable.
//! Every error names the flag and says what to do.

mod args;
mod collect;
mod labels;
mod log;
mod nomad;
mod web;

pub use args::{
    AcceptEncoding, AgentArgs, Args, CheckConfigArgs, CollectArgs, ColorArgs, Command, Deadline, DrainArgs,
    HealthcheckArgs, JobArgs, JobsArgs, LogArgs, LogFormat, LogLevel, LogsArgs, MetricsArgs, NodeArgs,
    NodeChoice, NodesArgs, NomadArgs, Scheme, ShowArgs, StatusArgs, WebArgs, command, parse,
};
pub use log::Log;

use std::time::Duration;

use crate::metrics::{Limits, Selection, SelectionError};
use crate::{collect as collecting, nomad as asking, web as serving};

/// Everything the program runs on.
#[derive(Debug)]
pub struct Config {
    /// How to ask Nomad.
    pub nomad: asking::ClientSettings,
    /// What to collect, and how often.
    pub collect: collecting::Settings,
    /// How to serve.
    pub web: serving::ServerSettings,
    /// Which families are exposed, and how large each may grow.
    pub selection: Selection,
    /// The namespace of the task that this runs in, if `NOMAD_NAMESPACE` names it and does not count.
    pub task_namespace: Option<String>,
}

/// The flag that selects namespaces.
pub const NAMESPACE_FLAG: &str = "--nomad.namespace";

/// A flag or variable that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    setting: String,
    problem: String,
}

impl ConfigError {
    fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }
}

/// Looks up an environment variable; one that is empty counts as unset.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process.
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Config {
    /// Validates what the user typed, and fills in what the environment says in Nomad's own variables.
    pub fn new(args: Args, env: Env<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            collect: collect::settings(&args, env)?,
            task_namespace: collect::task_namespace(&args, env),
            web: web::settings(&args)?,
            selection: selection(&args)?,
            nomad: nomad::settings(args, env)?,
        })
    }
}

/// Longer than anybody waits, and short enough to be counted with.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// A duration that something can be done in.
fn duration(flag: &str, given: Duration) -> Result<Duration, ConfigError> {
    let problem = match given {
        Duration::ZERO => "nothing is done within 0 s; give a duration such as 15s",
        given if given > MAX_DURATION => "it is longer than a day; give a duration such as 15s",
        given => return Ok(given),
    };
    Err(ConfigError::new(flag, problem))
}

fn selection(args: &Args) -> Result<Selection, ConfigError> {
    let refuse = |flag| move |error: SelectionError| ConfigError::new(flag, error.to_string());
    let limits = Limits {
        series_per_family: args.metrics.max_series_per_family,
        label_length: usize::try_from(args.metrics.max_label_length).unwrap_or(usize::MAX),
    };
    // Each flag is tried alone, so that an error names the right one.
    Selection::new(&args.metrics.allow, &[], limits).map_err(refuse("--metrics.allow"))?;
    Selection::new(&args.metrics.allow, &args.metrics.deny, limits).map_err(refuse("--metrics.deny"))
}
