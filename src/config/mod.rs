//! From what the user typed ([`Args`]) to what the program runs on ([`Config`]): validated once, then immutable.
//! Every error names the flag and says what to do.

mod args;
mod collect;
mod log;
mod nomad;
mod web;

pub use args::{
    AcceptEncoding, Args, CollectArgs, Command, LogArgs, LogFormat, LogLevel, MetricsArgs, NomadArgs,
    WebArgs, command, parse,
};
pub use log::Log;

use crate::metrics::{Selection, SelectionError};
use crate::{collect as collecting, nomad as asking, web as serving};

/// Everything the program runs on.
#[derive(Debug)]
pub struct Config {
    /// How to ask Nomad.
    pub nomad: asking::Settings,
    /// What to collect, and how often.
    pub collect: collecting::Settings,
    /// How to serve.
    pub web: serving::Settings,
    /// Which families are exposed, and how large each may grow.
    pub selection: Selection,
}

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
            web: web::settings(&args)?,
            selection: selection(&args)?,
            nomad: nomad::settings(args, env)?,
        })
    }
}

fn selection(args: &Args) -> Result<Selection, ConfigError> {
    let refuse = |flag| move |error: SelectionError| ConfigError::new(flag, error.to_string());
    // Each flag is tried alone, so that an error names the right one.
    Selection::new(&args.metrics.allow, &[], 0).map_err(refuse("--metrics.allow"))?;
    Selection::new(&args.metrics.allow, &args.metrics.deny, args.metrics.max_series_per_family)
        .map_err(refuse("--metrics.deny"))
}
