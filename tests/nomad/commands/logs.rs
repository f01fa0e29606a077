//! Compares `logs` with the task's output, and with `nomad alloc logs`.

use super::ask;
use crate::cluster::Cluster;
use crate::report::Report;
use crate::workload::runs::LOG;

pub(crate) fn compare(cluster: &Cluster, report: &mut Report) {
    let show =
        |arguments: &[&str]| ask(cluster, &[&["logs", "logs", "--namespace", "ci"], arguments].concat());
    let [stderr, stdout] = LOG;
    for (what, flag, expected) in [("stderr", "--stderr", stderr), ("stdout", "--stdout", stdout)] {
        let shown = show(&[flag]);
        report.same(&format!("logs {flag}"), &(Some(0), expected), &(shown.code, shown.stdout.as_str()));
        let flags = if what == "stderr" { &["-stderr"][..] } else { &[] };
        let by_nomad = nomad_logs(cluster, flags);
        report.same(&format!("nomad alloc logs of {what}"), &by_nomad, &shown.stdout);
    }
    let tail = show(&["--tail", "2"]);
    report.same("logs --tail 2", &"second line\nthird line\n", &tail.stdout.as_str());

    // No log: a pending job, and one that does not exist.
    for id in ["wants-cpu", "no-such-job"] {
        let ended = ask(cluster, &["logs", id, "--namespace", "ci"]);
        report.same(
            &format!("exit code and stdout of logs {id}"),
            &(Some(1), ""),
            &(ended.code, ended.stdout.as_str()),
        );
        report.holds(&format!("logs {id} says why on stderr"), !ended.stderr.trim().is_empty());
    }
}

fn nomad_logs(cluster: &Cluster, flags: &[&str]) -> String {
    let address = format!("-address={}", cluster.api.url);
    let fixed = ["alloc", "logs", &address, "-namespace=ci"];
    cluster.server.output(&[&fixed, flags, &["-job", "logs"]].concat())
}
