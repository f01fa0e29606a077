//! The cluster of the recordings, built from the model: four clients and the workload described with them.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use nomad_simulator::cluster::{
    JobKey, JobSpec, Lifecycle, NodeId, NodeSpec, Reschedule, Span, Task, TaskGroup,
};
use nomad_simulator::{Cluster, Settings, SharedCluster, Simulator, Version};
use serde_json::Value;

use crate::client::get;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) nodes: Vec<NodeId>,
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A cluster behind a server that a test can still change.
pub(crate) struct Served {
    pub(crate) cluster: SharedCluster,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) simulator: Simulator,
}

impl World {
    pub(crate) async fn serve(self) -> Served {
        let cluster = Arc::new(Mutex::new(self.cluster));
        let simulator = Simulator::start(Arc::clone(&cluster).into()).await.expect("a free port");
        Served { cluster, nodes: self.nodes, simulator }
    }
}

impl Served {
    pub(crate) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().expect("no test panicked while it held the lock")
    }

    /// Returns the rows of a list.
    pub(crate) async fn rows(&self, target: &str) -> Vec<Value> {
        let reply = get(&self.simulator.url(), target).await;
        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
        reply.json().as_array().expect("a list").clone()
    }

    pub(crate) async fn object(&self, target: &str) -> Value {
        let reply = get(&self.simulator.url(), target).await;
        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
        reply.json()
    }
}

/// Creates a cluster of identical nodes.
pub(crate) fn empty(version: &str, nodes: usize) -> World {
    let version: Version = version.parse().expect("a version");
    let mut cluster = Cluster::new(Settings { version, ..Settings::default() });
    let nodes = (0..nodes).map(|number| cluster.register_node(node(number))).collect();
    World { cluster, nodes }
}

/// Returns a node with 4000 MHz and 8 GiB.
pub(crate) fn node(number: usize) -> NodeSpec {
    let name = format!("client-{}", char::from(b'a' + u8::try_from(number).expect("few nodes")));
    NodeSpec { cpu: 4000, cores: 2, memory_mb: 8192, ..NodeSpec::new(&name) }
}

/// Returns a batch job with one allocation that runs for an hour.
pub(crate) fn build(id: &str) -> JobSpec {
    JobSpec::batch(id).in_namespace("ci").with_resources(300, 256).running_for(HOUR)
}

/// Creates the recorded workload, some seconds after its submission.
pub(crate) fn busy(version: &str) -> World {
    let mut world = empty(version, 2);
    for number in 2..4 {
        let spec = NodeSpec {
            datacenter: "dc2".to_owned(),
            node_pool: "builders".to_owned(),
            node_class: "linux-small".to_owned(),
            ..node(number)
        };
        let id = world.cluster.register_node(spec);
        world.nodes.push(id);
    }
    let cluster = &mut world.cluster;
    for number in 0..4 {
        cluster.submit(build(&format!("build-run-{number}")).in_pool("all"));
        let done = build(&format!("build-done-{number}")).running_for(seconds(2));
        cluster.submit(done.failing(if number == 0 { 1.0 } else { 0.0 }));
    }
    cluster.submit(build("build-huge-mem").with_resources(100, 64_000));
    cluster.submit(build("build-huge-cpu").with_resources(90_000, 256));
    cluster.submit(build("build-constraint").requiring("${attr.kernel.name}", "windows"));
    cluster.submit(JobSpec::system("agent-sys").with_resources(20, 16));
    cluster.submit(lifecycle());
    cluster.submit(JobSpec::service("web").in_pool("all").with_count(3).with_resources(100, 64));
    let crashing = Span { min: seconds(1), max: seconds(1) };
    cluster.submit(JobSpec::service("crashy").with_resources(20, 16).failing(1.0).running_for(crashing));
    cluster.submit(build("build-backlog").with_count(12).with_resources(1500, 2048));
    cluster.submit(JobSpec::batch("nightly").every(seconds(300)));
    let template = JobSpec::batch("build-param").in_pool("all").dispatched().running_for(HOUR);
    cluster.submit(template.with_resources(20, 16));
    for _ in 0..3 {
        cluster.dispatch(&JobKey::new("default", "build-param")).expect("a template");
    }
    cluster.advance(seconds(50));
    world
}

/// The same, with one node drained, one draining, one ineligible and one down.
pub(crate) fn troubled(version: &str) -> World {
    let mut world = busy(version);
    let cluster = &mut world.cluster;
    let edge = TaskGroup { max_client_disconnect: Some(HOUR), ..TaskGroup::new("g") };
    cluster.submit(JobSpec { groups: vec![edge], ..JobSpec::service("edge") }.in_pool("builders"));
    cluster.submit(JobSpec {
        reschedule: Reschedule { attempts: Some(2), delay: seconds(5) },
        ..build("retry")
    });
    cluster.fail_next_allocations("ci", "retry", 1);
    cluster.advance(seconds(20));
    cluster.drain(world.nodes[0], Some(seconds(6)), false);
    cluster.drain(world.nodes[1], Some(HOUR), true);
    cluster.set_eligibility(world.nodes[2], false);
    cluster.advance(seconds(3));
    cluster.node_down(world.nodes[3]);
    cluster.advance(seconds(30));
    world
}

fn lifecycle() -> JobSpec {
    let task = |name: &str, lifecycle, cpu| Task { lifecycle, cpu, ..Task::new(name) };
    let tasks = vec![
        task("prep", Some(Lifecycle::Prestart), 500),
        task("side", Some(Lifecycle::Sidecar), 100),
        task("main", None, 200),
    ];
    let group = TaskGroup { tasks, ..TaskGroup::new("build") };
    JobSpec { groups: vec![group], ..JobSpec::service("lifecycle") }
}
