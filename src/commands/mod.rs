//! What the program can do, one file a command.

mod check;
mod drain;
mod find;
mod live;
mod logs;
mod metrics;
mod node;
mod publish;
mod serve;
mod terminal;

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::collect::{self, Context};
use crate::config::{Args, Command, Config, ConfigError, Log, process_env};
use crate::metrics::OwnMetrics;
use crate::nomad::{self, Client, ClientError, OnRequest};
use crate::web::BindError;

pub use find::FindError;
pub use logs::LogsError;

/// The user has to ask for something else.
const USAGE: u8 = 2;

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
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Nomad did not give what it was asked for.
    #[error("{}", .0.sentence())]
    Nomad(Box<nomad::Error>),
    /// What the user named is not to be found, or not plain.
    #[error(transparent)]
    Find(#[from] FindError),
    /// There is no log to show, or it is not plain which.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// The exporter's own counters clash.
    #[error("cannot set up the exporter's own metrics")]
    OwnMetrics(#[from] prometheus::Error),
    /// A change that nobody can be asked about.
    #[error(
        "--yes: there is no terminal to ask at whether this is meant; give --yes, or look with --dry-run"
    )]
    Unconfirmed,
    /// The terminal gives no answer.
    #[error("cannot read the answer")]
    Input(#[source] std::io::Error),
    /// Stdout is gone.
    #[error("cannot write to stdout")]
    Output(#[source] std::io::Error),
    /// The system will not tell of signals.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
}

impl From<nomad::Error> for Error {
    fn from(error: nomad::Error) -> Self {
        Self::Nomad(Box::new(error))
    }
}

impl Error {
    /// The exit code: 2 where the user has to ask for something else, and else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Client(_) | Self::Unconfirmed => ExitCode::from(USAGE),
            _ => ExitCode::FAILURE,
        }
    }
}

/// What a command that asks Nomad is given.
struct Session {
    client: Client,
    /// What to collect, and in which namespaces to look.
    #[allow(dead_code, reason = "the commands that use it follow")]
    settings: collect::Settings,
    /// How long an answer may take to begin.
    timeout: Duration,
}

impl Session {
    fn new(config: Config) -> Result<Self, Error> {
        let on_request: OnRequest = Arc::new(|_| {});
        let timeout = config.nomad.timeout;
        Ok(Self { timeout, client: Client::new(config.nomad, on_request)?, settings: config.collect })
    }
}

/// Does what the arguments say.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    match run_command(args).await {
        // Whoever read the output has seen enough of it.
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        result => result,
    }
}

async fn run_command(mut args: Args) -> Result<ExitCode, Error> {
    let (command, log) = (args.command.take(), Log::from(&args));
    if let Some(Command::Metrics) = command {
        return metrics::run().map(|()| ExitCode::SUCCESS);
    }
    let config = Config::new(args, &process_env)?;
    let done = match command {
        None => {
            log.start();
            serve::run(config).await
        }
        Some(Command::Check) => return check::run(config).await,
        Some(Command::Drain(args)) => return drain::run(config, &args).await,
        Some(Command::Logs(args)) => return logs::run(Session::new(config)?, &args).await,
        Some(Command::Node(args)) => node::run(&Session::new(config)?, &args).await,
        Some(Command::Metrics) => unreachable!("it was handled above"),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Puts together what collects.
fn context(config: Config, own: &Arc<OwnMetrics>) -> Result<Context, Error> {
    let own = own.clone();
    let on_request: OnRequest = Arc::new(move |done| {
        own.request_done(done.endpoint.as_str(), done.reason.as_str(), done.duration, done.bytes);
    });
    Ok(Context::new(Client::new(config.nomad, on_request)?, config.collect, SystemTime::now))
}
