//! Compares the commands for operators with Nomad's responses.

pub(crate) mod drain;
pub(crate) mod logs;
mod screens;

use serde_json::Value;

use crate::answers::Answers;
use crate::cluster::Cluster;
use crate::process::{exporter, run};
use crate::report::Report;

/// Output and exit code of a command.
#[derive(Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command of the exporter with the cluster.
pub(crate) fn ask(cluster: &Cluster, arguments: &[&str]) -> Ended {
    ask_with(cluster, &[], arguments)
}

/// Runs a command with these variables.
pub(crate) fn ask_with(cluster: &Cluster, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = exporter(&[arguments, &["--nomad.address", &cluster.api.url]].concat());
    command.envs(variables.iter().copied());
    let (code, stdout, stderr) = run(command);
    Ended { code, stdout, stderr }
}

/// Returns the JSON output of a command, which must succeed.
pub(crate) fn json(cluster: &Cluster, arguments: &[&str]) -> Value {
    let ended = ask(cluster, &[arguments, &["--json"]].concat());
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", ended.stdout))
}

/// Compares every screen with Nomad's responses.
pub(crate) fn compare(cluster: &Cluster, report: &mut Report) {
    screens::compare(cluster, report);
}

/// Compares the output of a command with the expected one, if that is the same before and after.
fn beside(
    cluster: &Cluster,
    report: &mut Report,
    what: &str,
    expected: impl Fn(&Answers) -> Value,
    found: impl FnMut() -> Value,
) {
    report.steady(what, || expected(&Answers::read(&cluster.api)), found);
}
