//! The commands for operators, beside Nomad's answers.

pub(crate) mod drain;
pub(crate) mod logs;
mod screens;

use serde_json::Value;

use crate::answers::Answers;
use crate::cluster::Cluster;
use crate::process::{exporter, run};
use crate::report::Report;

/// What a command wrote, and its exit code.
#[derive(Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command of the exporter against the cluster.
pub(crate) fn ask(cluster: &Cluster, arguments: &[&str]) -> Ended {
    ask_with(cluster, &[], arguments)
}

/// Runs a command with these variables set.
pub(crate) fn ask_with(cluster: &Cluster, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = exporter(&[arguments, &["--nomad.address", &cluster.api.url]].concat());
    command.envs(variables.iter().copied());
    let (code, stdout, stderr) = run(command);
    Ended { code, stdout, stderr }
}

/// The JSON that a command prints. Its exit code is 0, since everything can be read.
pub(crate) fn json(cluster: &Cluster, arguments: &[&str]) -> Value {
    let ended = ask(cluster, &[arguments, &["--json"]].concat());
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", ended.stdout))
}

/// Compares every screen with Nomad's answers.
pub(crate) fn compare(cluster: &Cluster, report: &mut Report) {
    screens::compare(cluster, report);
}

/// Compares what a command says with what follows from answers, when both moments around it lead to the same.
fn beside(
    cluster: &Cluster,
    report: &mut Report,
    what: &str,
    expected: impl Fn(&Answers) -> Value,
    found: impl FnMut() -> Value,
) {
    report.steady(what, || expected(&Answers::read(&cluster.api)), found);
}
