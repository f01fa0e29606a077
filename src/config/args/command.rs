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

/// Command to run instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show the cluster on one screen: jobs, backlog, capacity, clients and drains
    Status(StatusArgs),
    /// List jobs: pending jobs first, oldest first, then running and dead jobs, newest first
    Jobs(JobsArgs),
    /// Show one job: why it waits, what became of its allocations, and where their logs are
    Job(JobArgs),
    /// List clients with their allocations and resources, those that need attention first
    Nodes(NodesArgs),
    /// Show one client: its allocations, resources, drivers and drain
    Node(NodeArgs),
    /// Show the log of a job's newest allocation
    Logs(LogsArgs),
    /// Drain a client and wait until it is safe to terminate; all other commands are read-only
    Drain(DrainArgs),
    /// Collect once, print the metrics to stdout and the result of each collector to stderr
    Check,
    /// Validate a --web.config.file, and print its settings
    CheckConfig(CheckConfigArgs),
    /// Check the health of the exporter on this machine, for containers
    ///
    /// Sends one request to the exporter's --web.listen-address with a timeout of 3 s. Exits with 0 if it is healthy,
    /// otherwise with 1 and a message. Use the same flags, or better the same variables, as for the exporter.
    Healthcheck(HealthcheckArgs),
    /// Print the reference of all metrics as Markdown
    Metrics,
    /// Print the reference of all flags as Markdown
    Flags,
    /// Print a completion script for a shell
    Completions {
        /// Shell to generate the script for
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page as roff, for `man -l -`
    Man {
        /// Write the manual pages of the program and of each command to this directory instead
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
}

/// Which file to validate, as typed.
#[derive(Clone, Debug, Args)]
pub struct CheckConfigArgs {
    /// File to validate
    pub file: PathBuf,

    /// User as which to read the file and its certificates: a name from /etc/passwd or a number. Root can read every
    /// file, but the service often cannot; 65534 is nobody
    #[arg(long, value_name = "USER")]
    pub as_user: Option<String>,
}

/// How to ask the exporter on this machine, as typed.
#[derive(Clone, Debug, Args)]
pub struct HealthcheckArgs {
    /// Also check that the exporter has fresh data from Nomad
    #[arg(long)]
    pub ready: bool,

    /// With --ready, check that every required collector has fresh data
    #[arg(long, requires = "ready")]
    pub all: bool,

    /// Scheme of the exporter [default: try http, then https]
    #[arg(long, env = "NOMAD_EXPORTER_HEALTHCHECK_SCHEME", value_name = "SCHEME", value_enum)]
    pub scheme: Option<Scheme>,

    /// PEM file with the client certificate for the exporter
    #[arg(
        long,
        env = "NOMAD_EXPORTER_HEALTHCHECK_CLIENT_CERT",
        value_name = "FILE",
        requires = "client-key"
    )]
    #[arg(id = "client-cert")]
    pub client_cert: Option<PathBuf>,

    /// PEM file with the private key of the client certificate
    #[arg(
        long,
        env = "NOMAD_EXPORTER_HEALTHCHECK_CLIENT_KEY",
        value_name = "FILE",
        requires = "client-cert"
    )]
    #[arg(id = "client-key")]
    pub client_key: Option<PathBuf>,

    /// User from basic_auth_users of --web.config.file
    #[arg(long, env = "NOMAD_EXPORTER_HEALTHCHECK_USER", value_name = "NAME", requires = "password-file")]
    #[arg(id = "check-user")]
    pub user: Option<String>,

    /// File with the user's password
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
    /// Update the output after each refresh until ^C
    #[arg(long)]
    pub watch: bool,
    /// How to show it, as typed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Which jobs to list, as typed.
#[derive(Clone, Debug, Args)]
pub struct JobsArgs {
    /// Show only jobs with this status; excludes periodic and parameterized parents
    #[arg(long, value_name = "STATUS", value_parser = word::<JobStatus>(&["pending", "running", "dead"]))]
    pub status: Option<JobStatus>,

    /// Show only jobs of this type
    #[arg(long = "type", value_name = "TYPE")]
    #[arg(value_parser = word::<JobType>(&["service", "batch", "system", "sysbatch"]))]
    pub job_type: Option<JobType>,

    /// Maximum number of listed jobs; all are counted
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
    /// Show only clients in this state
    #[arg(long, value_name = "STATE", value_parser = word::<NodeState>(&[
        "active", "ineligible", "draining", "initializing", "disconnected", "down",
    ]))]
    pub state: Option<NodeState>,

    /// Show only clients in this node pool
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
    /// Client, by ID, ID prefix, name, or cloud instance ID
    #[arg(value_name = "NODE")]
    pub node: Option<String>,

    /// Use the client on this machine
    #[arg(id = "self", long = "self")]
    pub own: bool,
}

/// Where the agent on this machine listens, as typed.
#[derive(Clone, Debug, Args)]
pub struct AgentArgs {
    /// Address of the agent for --self [default: this machine's]
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
    /// When to use colors: auto uses them on a terminal, unless NO_COLOR is set
    #[arg(long, env = "NOMAD_EXPORTER_COLOR", value_name = "WHEN", default_value = "auto")]
    #[arg(hide_env = true, hide_default_value = true)]
    pub color: ColorChoice,
}
