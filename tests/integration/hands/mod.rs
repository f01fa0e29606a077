//! The commands `logs` and `drain`, with the simulated cluster.

mod drain;
mod logs;
mod only_drain_writes;
mod scale_in;
mod screens;
mod unstarted;

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use nomad_simulator::cluster::{Cluster, JobSpec, NodeId, NodeSpec, NodeState, Settings};
use nomad_simulator::{SharedCluster, Simulator};
use tokio::io::AsyncReadExt;

use crate::support::process::{SOON, exporter};

/// A cluster whose time is controlled by tests, behind a server.
struct World {
    cluster: SharedCluster,
    simulator: Simulator,
    nodes: Vec<NodeId>,
}

/// Returns the instance ID of a client.
fn instance(number: usize) -> String {
    format!("i-0123456789abcde{number:02}")
}

/// Output and exit code of a command.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl World {
    /// Creates a cluster with this number of identical clients.
    async fn new(clients: usize, settings: Settings) -> Self {
        let mut cluster = Cluster::new(settings);
        cluster.create_namespace("ci");
        let spec = |number: usize| NodeSpec {
            cpu: 40_000,
            memory_mb: 65_536,
            attributes: [("unique.platform.aws.instance-id".to_owned(), instance(number))].into(),
            ..NodeSpec::new(&format!("client-{number}"))
        };
        let nodes = (1..=clients).map(|number| cluster.register_node(spec(number))).collect();
        let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        Self { cluster, simulator, nodes }
    }

    fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap()
    }

    fn pass(&self, seconds: u64) {
        self.cluster().advance(Duration::from_secs(seconds));
    }

    /// Returns the number of non-terminal allocations on a client, according to the model.
    fn live(&self, node: usize) -> usize {
        self.cluster().ledger().loads.get(&self.nodes[node]).map_or(0, |load| load.live.values().sum())
    }

    /// Returns whether the first client drains, according to the model. A request that has arrived may not
    /// have changed anything yet.
    fn is_draining(&self) -> bool {
        let ledger = self.cluster().ledger();
        ledger.loads.get(&self.nodes[0]).is_some_and(|load| load.state == NodeState::Draining)
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        command(&self.simulator, arguments)
    }

    /// Starts a command.
    fn start(&self, arguments: &[&str]) -> tokio::process::Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Runs a command to its end.
    async fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.start(arguments)).await
    }

    /// Waits for a state of the model.
    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("no {what}"));
    }

    /// Waits for this number of further requests.
    async fn asked_again(&self, count: usize) {
        let wanted = self.simulator.requests().len() + count;
        self.until("more requests", |world| world.simulator.requests().len() >= wanted).await;
    }

    /// Returns the methods of all requests so far.
    fn methods(&self) -> Vec<String> {
        self.simulator.requests().iter().map(|request| request.method.to_string()).collect()
    }
}

/// Returns a command with the simulated Nomad.
fn command(simulator: &Simulator, arguments: &[&str]) -> tokio::process::Command {
    let url = simulator.url();
    let fixed = ["--nomad.address", &url, "--nomad.timeout", "2s"];
    let mut command = tokio::process::Command::from(exporter(&[arguments, &fixed].concat()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Waits until a command has written this to stderr; returns its output so far.
async fn said(child: &mut tokio::process::Child, text: &str) -> String {
    let (stderr, mut said) = (child.stderr.as_mut().expect("it is piped"), Vec::new());
    let reading = async {
        while !String::from_utf8_lossy(&said).contains(text) {
            assert!(stderr.read_buf(&mut said).await.unwrap() > 0, "it ended");
        }
    };
    let in_time = tokio::time::timeout(SOON, reading).await.is_ok();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(in_time, "the output lacks {text:?}: {said}");
    said
}

async fn ended(child: tokio::process::Child) -> Ended {
    let output = tokio::time::timeout(SOON, child.wait_with_output()).await;
    let output = output.expect("the command ends").unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    Ended { code: output.status.code(), stdout: output.stdout, stderr }
}

fn signal(child: &tokio::process::Child, name: &str) {
    let id = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}

/// Returns a build that runs for this number of seconds.
fn build(id: &str, seconds: u64) -> JobSpec {
    JobSpec::batch(id).in_namespace("ci").with_resources(500, 512).running_for(Duration::from_secs(seconds))
}
