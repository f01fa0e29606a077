//! Commands, as typed.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ColorChoice, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::drain::DrainArgs;
use super::logs::LogsArgs;
use crate::config::ConfigError;
use crate::nomad::{Address, AddressError};
use crate::terms::{JobStatus, JobType, NodeState, Term};

/// What to do instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show the cluster on one screen: jobs, backlog, capacity, clients and drains
    Status(StatusArgs),
    /// List jobs: what waits first, the oldest first, then what runs and what is dead, the youngest first
    Jobs(JobsArgs),
    /// Show one job: why it waits, what became of its allocations, and where their logs are
    Job(JobArgs),
    /// List clients with what runs on them and how full they are, those that need attention first
    Nodes(NodesArgs),
    /// Show one client: what runs on it since when, how full it is, its drivers and its drain
    Node(NodeArgs),
    /// Show what a job's build agent wrote: the log of its newest allocation
    Logs(LogsArgs),
    /// Drain a client and wait until it is safe to terminate; nothing else that this program does changes anything
    Drain(DrainArgs),
    /// Collect once, print the metrics to stdout and a verdict on each collector to stderr
    Check,
    /// Say whether a file can be used as --web.config.file, and what it does
    CheckConfig(CheckConfigArgs),
    /// Ask the exporter that runs on this machine whether it works; for containers
    ///
    /// It is asked on its own --web.listen-address, once, and has 3 s to answer. Exits with 0 if it is well and with 1
    /// if not, with a sentence that says so. Give it the same flags, or better variables, as the exporter.
    Healthcheck(HealthcheckArgs),
    /// Print the reference of all metrics as Markdown
    Metrics,
    /// Print the reference of all flags as Markdown
    Flags,
    /// Print what makes a shell complete flags and commands
    Completions {
        /// The shell, which reads it at its start
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page of the program as roff, for `man -l -`
    Man {
        /// Write the pages of the program and of each command into this directory instead
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
}

/// Which file to validate, as typed.
#[derive(Clone, Debug, Args)]
pub struct CheckConfigArgs {
    /// The file
    pub file: PathBuf,

    /// Read it and its certificates as this user: a name of /etc/passwd, or a number. Root may read every file, and the
    /// service may not; 65534 is nobody
    #[arg(long, value_name = "USER")]
    pub as_user: Option<String>,
}

/// How to ask the exporter on this machine, as typed.
#[derive(Clone, Debug, Args)]
pub struct HealthcheckArgs {
    /// Whether Nomad has answered lately, too
    #[arg(long)]
    pub ready: bool,

    /// With --ready: whether every required collector has fresh data
    #[arg(long, requires = "ready")]
    pub all: bool,

    /// How the exporter serves [default: try http, then https]
    #[arg(long, env = "NOMAD_EXPORTER_HEALTHCHECK_SCHEME", value_name = "SCHEME", value_enum)]
    pub scheme: Option<Scheme>,

    /// Certificate to show to the exporter, PEM
    #[arg(
        long,
        env = "NOMAD_EXPORTER_HEALTHCHECK_CLIENT_CERT",
        value_name = "FILE",
        requires = "client-key"
    )]
    #[arg(id = "client-cert")]
    pub client_cert: Option<PathBuf>,

    /// Its private key, PEM
    #[arg(
        long,
        env = "NOMAD_EXPORTER_HEALTHCHECK_CLIENT_KEY",
        value_name = "FILE",
        requires = "client-cert"
    )]
    #[arg(id = "client-key")]
    pub client_key: Option<PathBuf>,

    /// User of --web.config.file to ask as
    #[arg(long, env = "NOMAD_EXPORTER_HEALTHCHECK_USER", value_name = "NAME", requires = "password-file")]
    #[arg(id = "check-user")]
    pub user: Option<String>,

    /// File with its password
    #[arg(
        long,
        env = "NOMAD_EXPORTER_HEALTHCHECK_PASSWORD_FILE",
        value_name = "FILE",
        requires = "check-user"
    )]
    #[arg(id = "password-file")]
    pub password_file: Option<PathBuf>,
}

/// How the exporter serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Encrypted.
    Https,
}

/// How to show the cluster, as typed.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// Go on until ^C, and show it anew whenever something was read, as often as serving does
    #[arg(long)]
    pub watch: bool,
    /// How to show it, as typed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Which jobs to list, as typed.
#[derive(Clone, Debug, Args)]
pub struct JobsArgs {
    /// Jobs of this status alone; then templates are left out
    #[arg(long, value_name = "STATUS", value_parser = word::<JobStatus>(&["pending", "running", "dead"]))]
    pub status: Option<JobStatus>,

    /// Jobs of this type alone
    #[arg(long = "type", value_name = "TYPE")]
    #[arg(value_parser = word::<JobType>(&["service", "batch", "system", "sysbatch"]))]
    pub job_type: Option<JobType>,

    /// Jobs to list at most; all are counted
    #[arg(long, value_name = "N", default_value = "100")]
    pub limit: usize,

    /// How to show them, as typed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Which job to show, as typed.
#[derive(Clone, Debug, Args)]
pub struct JobArgs {
    /// The job: its ID, or the beginning of it
    #[arg(value_name = "JOB")]
    pub job: String,

    /// How to show it, as typed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Which nodes to list, as typed.
#[derive(Clone, Debug, Args)]
pub struct NodesArgs {
    /// Clients in this state alone
    #[arg(long, value_name = "STATE", value_parser = word::<NodeState>(&[
        "active", "ineligible", "draining", "initializing", "disconnected", "down",
    ]))]
    pub state: Option<NodeState>,

    /// Clients of this node pool alone
    #[arg(long, value_name = "POOL")]
    pub pool: Option<String>,

    /// How to show them, as typed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Reads one of these words of a vocabulary.
fn word<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: Term + for<'a> From<&'a str> + Send + Sync,
{
    PossibleValuesParser::new(words).map(|word| T::from(word.as_str()))
}

/// What to show of a node, as typed.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// Which, as typed.
    #[command(flatten)]
    pub choice: NodeChoice,
    /// Where the agent on this machine listens, as typed.
    #[command(flatten)]
    pub agent: AgentArgs,
    /// How to show it, as typed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Which node, as typed.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct NodeChoice {
    /// The client's ID or the beginning of it, name, or instance in a cloud
    #[arg(value_name = "NODE")]
    pub node: Option<String>,

    /// The client on this machine
    #[arg(id = "self", long = "self")]
    pub own: bool,
}

/// Where the agent on this machine listens, as typed.
#[derive(Clone, Debug, Args)]
pub struct AgentArgs {
    /// Agent that --self asks [default: this machine's]
    #[arg(long, env = "NOMAD_EXPORTER_AGENT_ADDRESS", value_name = "URL", hide_env_values = true)]
    pub agent_address: Option<String>,
}

impl AgentArgs {
    /// The address that the user gave.
    pub fn address(&self) -> Result<Option<Address>, ConfigError> {
        let parsed = self.agent_address.as_deref().map(str::parse).transpose();
        parsed.map_err(|error: AddressError| ConfigError::new("--agent-address", error.to_string()))
    }
}

/// How to show something, as typed.
#[derive(Clone, Copy, Debug, Args)]
pub struct ShowArgs {
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
    /// In colour or not, as typed.
    #[command(flatten)]
    pub color: ColorArgs,
}

/// In colour or not, as typed.
#[derive(Clone, Copy, Debug, Args)]
pub struct ColorArgs {
    /// When to colour: auto does on a terminal, unless NO_COLOR is set
    #[arg(long, env = "NOMAD_EXPORTER_COLOR", value_name = "WHEN", default_value = "auto")]
    #[arg(hide_env = true, hide_default_value = true)]
    pub color: ColorChoice,
}
