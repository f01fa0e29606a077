//! Compares `drain` with the running tasks of the node, as reported by its client.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ask;
use crate::answers::{Answers, is_terminal, text};
use crate::cluster::Cluster;
use crate::metrics::{remaining, state};
use crate::process::{exporter, wait_until};
use crate::report::Report;

/// A dry run reports the number of allocations that must finish, and changes nothing.
pub(crate) fn rehearse(cluster: &Cluster, report: &mut Report, name: &str) {
    report.steady(
        &format!("drain {name} --dry-run"),
        || {
            let answers = Answers::read(&cluster.api);
            let node = node(&answers, name);
            (remaining(&answers, node) as usize, state(node).to_owned())
        },
        || {
            let ended = ask(cluster, &["drain", name, "--dry-run"]);
            let count = ended.stdout.split_whitespace().nth(1).and_then(|word| word.parse().ok());
            (count.unwrap_or(usize::MAX), "active".to_owned())
        },
    );
}

/// Starts a drain without waiting, and cancels it.
pub(crate) fn begin_and_cancel(cluster: &Cluster, report: &mut Report, name: &str) {
    begin(cluster, report, name);
    let ended = ask(cluster, &["drain", name, "--cancel", "--yes"]);
    report.same(&format!("exit code of drain {name} --cancel"), &Some(0), &ended.code);
    report.same(&format!("state of {name} after it"), &"active".to_owned(), &state_of(cluster, name));
}

/// Starts a drain without a deadline, and without waiting.
pub(crate) fn begin(cluster: &Cluster, report: &mut Report, name: &str) {
    let ended = ask(cluster, &["drain", name, "--deadline", "none", "--yes"]);
    report.same(&format!("exit code of drain {name}"), &Some(0), &ended.code);
    report.same(&format!("state of {name} after it"), &"draining".to_owned(), &state_of(cluster, name));
}

/// A running `drain --wait`.
pub(crate) struct Waiting {
    name: String,
    child: Child,
    began: Instant,
}

impl Waiting {
    pub(crate) fn start(cluster: &Cluster, name: &str, deadline: Duration) -> Self {
        let deadline = format!("{}s", deadline.as_secs());
        let address = ["--nomad.address", &cluster.api.url];
        let arguments = ["drain", name, "--deadline", &deadline, "--yes", "--wait"];
        let mut command = exporter(&[&arguments[..], &address].concat());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { name: name.to_owned(), child, began: Instant::now() }
    }

    /// Returns whether it is still waiting.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, which must not come while a task runs on the node.
    pub(crate) fn end(mut self, cluster: &Cluster, report: &mut Report, limit: Duration) -> Duration {
        let mut status = None;
        wait_until(limit, &format!("the end of drain {} --wait", self.name), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let took = self.began.elapsed();
        report.same(&format!("exit code of drain {} --wait", self.name), &Some(0), &status.unwrap().code());
        let running = running_tasks(cluster, &self.name);
        report.same(&format!("tasks on {} after it", self.name), &Vec::new(), &running);
        took
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until one task is the last that runs on a node.
pub(crate) fn wait_for_the_last(cluster: &Cluster, name: &str, task: &str) {
    let mut running = Vec::new();
    for _ in 0..300 {
        running = running_tasks(cluster, name);
        if running == [task] {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("after a minute there is more on {name} than {task}: {running:?}");
}

/// Returns the running tasks of a node by their states, and its non-terminal allocations.
fn running_tasks(cluster: &Cluster, name: &str) -> Vec<String> {
    let rows = cluster.api.list(&format!("/v1/node/{}/allocations", cluster.nodes[name]));
    let mut running = Vec::new();
    for row in &rows {
        let tasks = row["TaskStates"].as_object().into_iter().flatten();
        let tasks = tasks.filter(|(_, task)| task["State"] == "running");
        running.extend(tasks.map(|(task, _)| format!("{} {task}", text(row, "JobID"))));
        if !is_terminal(row) {
            running.push(format!("{} is {}", text(row, "JobID"), text(row, "ClientStatus")));
        }
    }
    running
}

fn node<'a>(answers: &'a Answers, name: &str) -> &'a Value {
    answers.nodes.iter().find(|node| text(node, "Name") == name).unwrap()
}

fn state_of(cluster: &Cluster, name: &str) -> String {
    let nodes = cluster.api.list("/v1/nodes");
    state(nodes.iter().find(|node| text(node, "Name") == name).unwrap()).to_owned()
}
