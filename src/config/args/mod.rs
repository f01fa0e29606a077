//! Command line.

mod collect;
mod command;
mod drain;
mod log;
mod logs;
mod metrics;
mod nomad;
mod web;

pub use collect::CollectArgs;
pub(super) use collect::EventMode;
pub use command::{
    AgentArgs, CheckConfigArgs, ColorArgs, Command, HealthcheckArgs, JobArgs, JobsArgs, NodeArgs, NodeChoice,
    NodesArgs, Scheme, ShowArgs, StatusArgs,
};
pub use drain::{Deadline, DrainArgs};
pub use log::{LogArgs, LogFormat, LogLevel};
pub use logs::LogsArgs;
pub use metrics::MetricsArgs;
pub use nomad::{AcceptEncoding, NomadArgs};
pub use web::WebArgs;

use std::ffi::OsString;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser};

use crate::collect::COLLECTORS;
use crate::snapshot::CollectorId;
use crate::terms::TermSet;

/// Version and commit, as shown by `--version`.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("NOMAD_EXPORTER_REVISION"), ")");

/// Prometheus exporter for the state of a HashiCorp Nomad cluster: jobs, backlog, nodes and drains.
///
/// Without a command, it serves metrics. Nomad's own variables (NOMAD_ADDR, NOMAD_TOKEN, NOMAD_REGION, NOMAD_NAMESPACE,
/// NOMAD_CACERT, NOMAD_CAPATH, NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY, NOMAD_TLS_SERVER_NAME, NOMAD_SKIP_VERIFY,
/// NOMAD_HTTP_AUTH) apply if the flag is not set.
#[derive(Debug, Parser)]
#[command(name = "nomad-exporter", version = VERSION, max_term_width = 110)]
pub struct Args {
    /// Command to run instead of serving metrics.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Flags of the Nomad client.
    #[command(flatten)]
    pub nomad: NomadArgs,
    /// Flags of the collection.
    #[command(flatten)]
    pub collect: CollectArgs,
    /// Flags that select and limit metrics.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// Flags of the web server.
    #[command(flatten)]
    pub web: WebArgs,
    /// Flags of the log.
    #[command(flatten)]
    pub log: LogArgs,
    /// Enabled collectors. Each collector has its own flags.
    #[arg(skip)]
    pub collectors: TermSet<CollectorId>,
}

/// Parses a command line, including the program's name.
pub fn parse(line: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Args, clap::Error> {
    let mut matches = command().try_get_matches_from(line)?;
    let on = COLLECTORS.iter().filter(|collector| is_on(&matches, collector.name()));
    let collectors = on.map(|collector| collector.id).collect();
    Ok(Args { collectors, ..Args::from_arg_matches_mut(&mut matches)? })
}

/// Commands that send no requests to Nomad.
const OFFLINE: [&str; 6] = ["check-config", "completions", "flags", "healthcheck", "man", "metrics"];
/// Global flags that the help of all other commands shows.
const SHOWN: [&str; 4] = ["address", "token_file", "region", "timeout"];
/// Global flags that the help of only some commands shows.
const SHOWN_IN: [(&str, &[&str]); 3] = [
    ("namespace", &["check", "drain", "jobs", "logs"]),
    ("interval", &["status"]),
    ("listen_address", &["healthcheck"]),
];
/// End of a command's help.
const MORE: &str = "Nomad's own variables (NOMAD_ADDR, NOMAD_TOKEN and so on) and all other flags of nomad-exporter \
                    --help work here too.";

/// Returns the command line with two flags for each collector. Help, completions and manual pages are
/// generated from it.
pub fn command() -> clap::Command {
    let flags = COLLECTORS.iter().flat_map(|collector| {
        let on = Arg::new(on_flag(collector.name()))
            .long(on_flag(collector.name()))
            .env(format!("NOMAD_EXPORTER_COLLECTOR_{}", collector.name().to_uppercase()))
            .value_name("BOOL")
            .help(format!("Read {}", collector.help))
            .num_args(0..=1)
            .require_equals(true)
            .default_value(if collector.default_on { "true" } else { "false" })
            .default_missing_value("true")
            .value_parser(BoolishValueParser::new());
        let off = Arg::new(off_flag(collector.name()))
            .long(off_flag(collector.name()))
            .action(ArgAction::SetTrue)
            .long_help(format!("Do not read {}", collector.help))
            .hide_short_help(true);
        [on, off]
    });
    let command = Args::command().args(flags.map(|flag| flag.global(true).help_heading("Collectors")));
    let flags: Vec<Arg> = command.get_arguments().filter(|flag| flag.is_global_set()).cloned().collect();
    command.mut_subcommands(|command| hide_most_flags(command, &flags))
}

/// Hides most global flags, so that the help of a command fits on one screen.
fn hide_most_flags(command: clap::Command, flags: &[Arg]) -> clap::Command {
    let name = command.get_name();
    let asks = !OFFLINE.contains(&name);
    let is_shown = |flag: &str| {
        let here = |(shown, names): &(&str, &[&str])| *shown == flag && names.contains(&name);
        (asks && SHOWN.contains(&flag)) || SHOWN_IN.iter().any(here)
    };
    let flags = flags.iter().cloned().map(|flag| match is_shown(flag.get_id().as_str()) {
        true => with_short_help(flag),
        false => flag.hide(true),
    });
    let flags: Vec<Arg> = flags.collect();
    let command = command.args(flags);
    let own = command.get_after_help().map(|help| format!("{help}\n\n")).unwrap_or_default();
    if asks { command.after_help(format!("{own}{MORE}")) } else { command }
}

/// Reduces the help of a flag to its first sentence.
fn with_short_help(flag: Arg) -> Arg {
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    let first = help.split(". ").next().unwrap_or_default().to_owned();
    flag.help(first).hide_env(true).hide_default_value(true)
}

fn on_flag(collector: &str) -> String {
    format!("collector.{collector}")
}

fn off_flag(collector: &str) -> String {
    format!("no-collector.{collector}")
}

fn is_on(matches: &ArgMatches, collector: &str) -> bool {
    let on = matches.get_one::<bool>(&on_flag(collector)).copied().unwrap_or_default();
    on && !matches.get_flag(&off_flag(collector))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn collectors_are_enabled_and_disabled_by_flags() {
        let names = |line: &[&str]| parse(line).unwrap().collectors;
        let default = COLLECTORS.iter().filter(|collector| collector.default_on).count();
        assert_eq!(names(&["nomad-exporter"]).len(), default);
        let some =
            names(&["nomad-exporter", "--no-collector.drains", "--collector.host_stats=false", "check"]);
        assert_eq!(some.len(), default - 2);
        assert!(!some.contains(CollectorId::Drains) && !some.contains(CollectorId::HostStats));
        assert!(
            names(&["nomad-exporter", "--collector.allocation_usage"]).contains(CollectorId::AllocationUsage)
        );
    }

    #[test]
    fn flags_may_precede_or_follow_the_command() {
        for line in [
            ["nomad-exporter", "--nomad.timeout", "3s", "check"],
            ["nomad-exporter", "check", "--nomad.timeout", "3s"],
        ] {
            assert_eq!(parse(line).unwrap().nomad.timeout, Duration::from_secs(3));
        }
        assert!(parse(["nomad-exporter", "--nomad.timeout", "soon"]).is_err());
    }
}
