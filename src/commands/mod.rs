//! Commands of the program, one file each.

mod check;
mod check_config;
mod completions;
mod drain;
mod find;
mod flags;
mod healthcheck;
mod job;
mod jobs;
mod json;
mod lines;
mod live;
mod logs;
mod man;
mod markdown;
mod metrics;
mod node;
mod nodes;
mod own;
mod serve;
mod status;
mod table;
mod task_events;
mod terminal;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::collect::{self, Collectors};
use crate::config::{Args, Command, Config, ConfigError, Log, process_env};
use crate::human::plain;
use crate::metrics::OwnMetrics;
use crate::nomad::{self, Client, ClientError, Endpoint, OnRequest};
use crate::snapshot::{CollectorId, Scope, Snapshot};
use crate::terms::{Term, TermSet};
use crate::web::{AccessError, BindError};

pub use find::FindError;
pub use job::JobView;
pub use jobs::Jobs;
pub use logs::{LogsError, UnstartedCause};
pub use node::NodeView;
pub use nodes::NodeList;
pub use status::Status;
pub use terminal::Terminal;

/// Exit code for invalid usage.
const USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Invalid arguments or variables.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Unusable settings of the Nomad client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An unusable web configuration.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// No address to listen on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A failed request to Nomad.
    #[error("{}", plain(&.0.sentence()))]
    Nomad(Box<nomad::Error>),
    /// An unknown or ambiguous name.
    #[error(transparent)]
    Find(#[from] FindError),
    /// There is no log to show, or the choice is ambiguous.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// Nothing could be read.
    #[error("cannot read anything from Nomad:\n{}", lines(.0))]
    Nothing(Vec<Problem>),
    /// The exporter's own metrics conflict.
    #[error("cannot set up the exporter's own metrics")]
    OwnMetrics(#[from] prometheus::Error),
    /// There is no terminal to ask for confirmation.
    #[error(
        "--yes: there is no terminal to ask for confirmation; give --yes, or --dry-run to change nothing"
    )]
    Unconfirmed,
    /// The token cannot see all allocations of the client.
    #[error(
        "cannot tell when {} is drained: {}; give a token that can read the jobs of all namespaces, or select the \
         namespaces with --namespace; nothing was changed",
        plain(node),
        plain(reason)
    )]
    Unseen {
        /// The client.
        node: String,
        /// The reason.
        reason: String,
    },
    /// The terminal cannot be read.
    #[error("cannot read the reply from the terminal")]
    Input(#[source] std::io::Error),
    /// Stdout cannot be written.
    #[error("cannot write to stdout")]
    Output(#[source] std::io::Error),
    /// A directory cannot be written.
    #[error("--directory: cannot write manual pages to {}", .0.display())]
    Directory(PathBuf, #[source] std::io::Error),
    /// There is no such user.
    #[error("--as-user: `{}` is neither a number nor a name in /etc/passwd", plain(.0))]
    NoUser(String),
    /// The program cannot be run as another user.
    #[error(
        "--as-user: cannot run as user {0}: run it as root, and make sure that this user can execute the program"
    )]
    OtherUser(u32, #[source] std::io::Error),
    /// Signals cannot be handled.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
}

impl From<nomad::Error> for Error {
    fn from(error: nomad::Error) -> Self {
        Self::Nomad(Box::new(error))
    }
}

impl Error {
    /// Returns the exit code: 2 for invalid usage, otherwise 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Client(_) | Self::Unconfirmed | Self::NoUser(_) => ExitCode::from(USAGE),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    what: &'static str,
    error: String,
}

impl From<&nomad::Error> for Problem {
    fn from(error: &nomad::Error) -> Self {
        Self { what: error.endpoint().map_or("client", Endpoint::as_str), error: error.sentence() }
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {}", plain(&problem.error))).collect();
    lines.join("\n")
}

/// Returns what a snapshot lacks, each reason once.
fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for collector in &snapshot.collectors {
        let Some(error) = &collector.problem else { continue };
        if problems.iter().all(|known| known.error != *error) {
            problems.push(Problem { what: collector.id.as_str(), error: error.clone() });
        }
    }
    problems
}

/// Context of a command that reads from Nomad.
struct Session {
    client: Client,
    /// Settings of the collection, including namespaces.
    settings: collect::Settings,
    /// Timeout for the first byte of a response.
    timeout: Duration,
}

impl Session {
    fn new(config: Config) -> Result<Self, Error> {
        let on_request: OnRequest = Arc::new(|_| {});
        let timeout = config.nomad.timeout;
        Ok(Self { timeout, client: Client::new(config.nomad, on_request)?, settings: config.collect })
    }

    /// The same for all namespaces, because the usage of a client and whether it is safe to terminate depend
    /// on all of them.
    fn for_all_namespaces(config: Config) -> Result<Self, Error> {
        let mut session = Self::new(config)?;
        session.settings.namespaces = Scope::default();
        Ok(session)
    }

    /// Returns these collectors, as far as they are enabled.
    fn collectors(mut self, ids: &[CollectorId]) -> Collectors {
        self.settings.collectors = self.settings.collectors.intersection(TermSet::of(ids));
        Collectors::new(self.client, self.settings, SystemTime::now)
    }
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    match run_command(args).await {
        // The reader has closed the pipe.
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        result => result,
    }
}

async fn run_command(mut args: Args) -> Result<ExitCode, Error> {
    let (command, log) = (args.command.take(), Log::from(&args));
    let config = || Config::new(args, &process_env);
    let done = match command {
        None => {
            let config = config()?;
            log.start();
            serve::run(config).await
        }
        Some(Command::Check) => return check::run(config()?).await,
        Some(Command::CheckConfig(args)) => return check_config::run(&args),
        Some(Command::Completions { shell }) => completions::run(shell),
        Some(Command::Drain(args)) => return drain::run(config()?, &args).await,
        Some(Command::Flags) => flags::run(),
        Some(Command::Healthcheck(args)) => return healthcheck::run(&config()?.web, &args).await,
        Some(Command::Job(args)) => return job::run(config()?, &args).await,
        Some(Command::Jobs(args)) => return jobs::run(config()?, &args).await,
        Some(Command::Logs(args)) => return logs::run(Session::new(config()?)?, &args).await,
        Some(Command::Man { directory }) => man::run(directory),
        Some(Command::Metrics) => metrics::run(),
        Some(Command::Node(args)) => return node::run(config()?, &args).await,
        Some(Command::Nodes(args)) => return nodes::run(config()?, &args).await,
        Some(Command::Status(args)) => return status::run(config()?, &args).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Creates the collectors of a configuration, with counted requests.
fn collectors(config: Config, own: &Arc<OwnMetrics>) -> Result<Collectors, Error> {
    let own = own.clone();
    let on_request: OnRequest = Arc::new(move |done| {
        own.request_done(done.endpoint.as_str(), done.reason.as_str(), done.duration, done.bytes);
    });
    Ok(Collectors::new(Client::new(config.nomad, on_request)?, config.collect, SystemTime::now))
}
