//! What the program can do, one file a command.

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
    /// A web configuration cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is nothing to listen on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Nomad did not give what it was asked for.
    #[error("{}", plain(&.0.sentence()))]
    Nomad(Box<nomad::Error>),
    /// What the user named is not to be found, or not plain.
    #[error(transparent)]
    Find(#[from] FindError),
    /// There is no log to show, or it is not plain which.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// Nothing could be read.
    #[error("nothing is known of the cluster\n{}", lines(.0))]
    Nothing(Vec<Problem>),
    /// The exporter's own counters clash.
    #[error("cannot set up the exporter's own metrics")]
    OwnMetrics(#[from] prometheus::Error),
    /// A change that nobody can be asked about.
    #[error(
        "--yes: there is no terminal to ask at whether this is meant; give --yes, or look with --dry-run"
    )]
    Unconfirmed,
    /// What runs on a client cannot be seen whole.
    #[error(
        "cannot tell when {} is drained: {}; give a token that may read the jobs of all namespaces, or name those that \
         matter with --namespace; nothing was changed",
        plain(node),
        plain(reason)
    )]
    Unseen {
        /// The client.
        node: String,
        /// Why.
        reason: String,
    },
    /// The terminal gives no answer.
    #[error("cannot read the answer")]
    Input(#[source] std::io::Error),
    /// Stdout is gone.
    #[error("cannot write to stdout")]
    Output(#[source] std::io::Error),
    /// A directory cannot be written to.
    #[error("--directory: cannot write manual pages to {}", .0.display())]
    Directory(PathBuf, #[source] std::io::Error),
    /// Nobody is called that.
    #[error("--as-user: `{}` is no number and no name in /etc/passwd", plain(.0))]
    NoUser(String),
    /// The program cannot be run as somebody else.
    #[error(
        "--as-user: cannot run as user {0}: only root may become another user, who must be able to run this program"
    )]
    OtherUser(u32, #[source] std::io::Error),
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

/// What a snapshot lacks, each reason once.
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

/// What a command that asks Nomad is given.
struct Session {
    client: Client,
    /// What to collect, and in which namespaces to look.
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

    /// The same in all namespaces: a client is as full as all of them make it, and not safe to terminate while anything
    /// lives on it.
    fn everywhere(config: Config) -> Result<Self, Error> {
        let mut session = Self::new(config)?;
        session.settings.namespaces = Scope::default();
        Ok(session)
    }

    /// These collectors, as far as they are on.
    fn collectors(mut self, ids: &[CollectorId]) -> Collectors {
        self.settings.collectors = self.settings.collectors.intersection(TermSet::of(ids));
        Collectors::new(self.client, self.settings, SystemTime::now)
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

/// The collectors of a configuration, whose requests are counted.
fn collectors(config: Config, own: &Arc<OwnMetrics>) -> Result<Collectors, Error> {
    let own = own.clone();
    let on_request: OnRequest = Arc::new(move |done| {
        own.request_done(done.endpoint.as_str(), done.reason.as_str(), done.duration, done.bytes);
    });
    Ok(Collectors::new(Client::new(config.nomad, on_request)?, config.collect, SystemTime::now))
}
