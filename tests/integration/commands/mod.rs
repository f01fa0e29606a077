//! The commands for operators: what they show, what they ask, and how they take bad input.

mod screens;
mod typed;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_exporter::collect;
use nomad_exporter::commands::{JobView, Jobs, NodeList, NodeView, Status, Terminal};
use nomad_exporter::config::{self, Command};
use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings};
use nomad_simulator::{SharedCluster, Simulator};
use serde_json::Value;

use crate::support::collect::{Collector, now};

/// What a command shows: its screen for any terminal, and its JSON.
struct Shown {
    screen: Box<dyn Fn(&Terminal) -> String>,
    json: Value,
}

impl Shown {
    fn plain(&self, width: Option<usize>) -> String {
        (self.screen)(&Terminal::new(width, false))
    }
}

/// What a command line shows of the Nomad at an address, at the moment at which tests collect.
async fn show(nomad: &str, line: &[&str]) -> Shown {
    let args = config::parse([&["nomad-exporter"], line].concat()).unwrap();
    // No command asks for it, and the recorded servers of Nomad 1.1 refuse it.
    let collector = Collector::new(nomad, &["--no-collector.autopilot"]);
    collector.refresh().await;
    let (context, snapshot) = (&collector.context, collector.snapshot());
    macro_rules! shown {
        ($view:expr) => {{
            let view = $view;
            Shown {
                json: serde_json::to_value(&view).unwrap(),
                screen: Box::new(move |terminal| view.screen(terminal)),
            }
        }};
    }
    match args.command.unwrap() {
        Command::Status(_) => shown!(Status::new(&snapshot)),
        Command::Nodes(args) => shown!(NodeList::new(&snapshot, &args).unwrap()),
        Command::Jobs(args) => {
            let namespaces = context.settings.namespaces.names();
            let mut jobs = Jobs::read(&context.client, namespaces, &args, now()).await.unwrap();
            jobs.explain(&snapshot);
            shown!(jobs)
        }
        Command::Job(args) => {
            let namespaces = context.settings.namespaces.names();
            shown!(JobView::read(&context.client, namespaces, &args.job, now()).await.unwrap())
        }
        Command::Node(args) => {
            let nodes = snapshot.sections.nodes.as_ref().unwrap();
            let id = &nodes.iter().find(|node| Some(&node.name) == args.choice.node.as_ref()).unwrap().id;
            let one = collect::one_node(&context.client, &context.settings, id, 200).await;
            let (node, problems) = one.unwrap();
            shown!(NodeView::new(node, &problems, now()))
        }
        command => panic!("{command:?} shows no screen"),
    }
}

/// Text that would steer a terminal, were it let through.
const STEERS: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\r\n\u{202e}";

/// A small cluster of three clients, on each of which two builds run, and one build waits; with names that are not kind if it is to be hostile.
async fn simulated(hostile: bool) -> (SharedCluster, Simulator) {
    let name = |name: &str| if hostile { format!("{name}{STEERS}") } else { name.to_owned() };
    let mut cluster = Cluster::new(Settings { servers: 3, ..Settings::default() });
    cluster.create_namespace("ci");
    for number in 1..=3 {
        cluster.register_node(NodeSpec::new(&name(&format!("client-{number}"))));
    }
    let build = |id: &str, cpu| {
        let build = JobSpec::batch(&name(id)).in_namespace("ci").with_resources(cpu, 512);
        build.running_for(Duration::from_secs(3600))
    };
    for number in 0..6 {
        cluster.submit(build(&format!("build-{number}"), 4000));
    }
    cluster.submit(build("build-huge", 20_000));
    cluster.advance(Duration::from_secs(60));
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    (cluster, simulator)
}
