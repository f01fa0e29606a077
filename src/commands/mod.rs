//! What the program can do, one file a command.

mod check;
mod check_config;
mod completions;
mod flags;
mod man;
mod markdown;
mod metrics;
mod publish;
mod serve;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::collect::Context;
use crate::config::{Args, Command, Config, ConfigError, Log, process_env};
use crate::metrics::OwnMetrics;
use crate::nomad::{Client, ClientError, OnRequest};
use crate::web::{AccessError, BindError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the user asked for cannot be done.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The settings for Nomad do not make a client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A web configuration cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is nothing to listen on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The exporter's own counters clash.
    #[error("cannot set up the exporter's own metrics")]
    OwnMetrics(#[from] prometheus::Error),
    /// Stdout is gone.
    #[error("cannot write to stdout")]
    Output(#[source] std::io::Error),
    /// A directory cannot be written to.
    #[error("--directory: cannot write manual pages to {}", .0.display())]
    Directory(PathBuf, #[source] std::io::Error),
    /// The system will not tell of signals.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
}

impl Error {
    /// Whether the user has to ask for something else.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Client(_))
    }
}

/// Does what the arguments say. Returns whether it went well.
pub async fn run(mut args: Args) -> Result<bool, Error> {
    match args.command.take() {
        None => {
            let log = Log::from(&args);
            let config = Config::new(args, &process_env)?;
            log.start();
            serve::run(config).await.map(|()| true)
        }
        Some(Command::Check) => check::run(Config::new(args, &process_env)?).await,
        Some(Command::CheckConfig { file }) => check_config::run(&file).map(|()| true),
        Some(Command::Metrics) => metrics::run().map(|()| true),
        Some(Command::Flags) => flags::run().map(|()| true),
        Some(Command::Completions { shell }) => completions::run(shell).map(|()| true),
        Some(Command::Man { directory }) => man::run(directory).map(|()| true),
    }
}

/// Puts together what collects.
fn context(config: Config, own: &Arc<OwnMetrics>) -> Result<Context, Error> {
    let own = own.clone();
    let on_request: OnRequest = Arc::new(move |done| {
        own.request_done(done.endpoint.as_str(), done.reason.as_str(), done.duration, done.bytes);
    });
    Ok(Context::new(Client::new(config.nomad, on_request)?, config.collect, SystemTime::now))
}
