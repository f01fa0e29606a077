//! The exporter against the simulator's own ledger: whatever happens in the cluster, the numbers are the model's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_simulator::cluster::{Cluster, JobKey, JobSpec, Ledger, NodeId, NodeSpec, Settings};
use nomad_simulator::{SharedCluster, Simulator};
use proptest::prelude::*;

use crate::support::collect::Collector;
use crate::support::exposition::Exposition;
use crate::support::ledger::{assert_agrees, assert_counted};

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Submit { cpu: u64, count: u32, seconds: u64, failing: bool },
    SubmitService { count: u32 },
    Dispatch,
    Stop { job: usize, purge: bool },
    Register,
    Down { node: usize },
    Up { node: usize },
    Drain { node: usize, deadline: Option<u64>, ignore_system: bool },
    CancelDrain { node: usize },
    CollectGarbage,
    Pass { seconds: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (100_u64..12_000, 1_u32..4, 1_u64..120, any::<bool>())
            .prop_map(|(cpu, count, seconds, failing)| Event::Submit { cpu, count, seconds, failing }),
        1 => (1_u32..4).prop_map(|count| Event::SubmitService { count }),
        2 => Just(Event::Dispatch),
        2 => (0_usize..50, any::<bool>()).prop_map(|(job, purge)| Event::Stop { job, purge }),
        1 => Just(Event::Register),
        1 => (0_usize..8).prop_map(|node| Event::Down { node }),
        1 => (0_usize..8).prop_map(|node| Event::Up { node }),
        2 => (0_usize..8, proptest::option::of(0_u64..60), any::<bool>())
            .prop_map(|(node, deadline, ignore_system)| Event::Drain { node, deadline, ignore_system }),
        1 => (0_usize..8).prop_map(|node| Event::CancelDrain { node }),
        1 => Just(Event::CollectGarbage),
        8 => (1_u64..90).prop_map(|seconds| Event::Pass { seconds }),
    ]
}

/// A cluster to which events happen.
struct World {
    cluster: SharedCluster,
    nodes: Vec<NodeId>,
    submitted: Vec<(String, String)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut cluster = Cluster::new(Settings { seed, ..Settings::default() });
        cluster.create_namespace("ci");
        let nodes =
            (0..3).map(|number| cluster.register_node(NodeSpec::new(&format!("client-{number}")))).collect();
        cluster.submit(JobSpec::system("logs").with_resources(50, 32));
        cluster.submit(
            JobSpec::batch("deploy").in_namespace("ci").running_for(Duration::from_secs(20)).dispatched(),
        );
        Self { cluster: Arc::new(Mutex::new(cluster)), nodes, submitted: Vec::new() }
    }

    fn apply(&mut self, event: &Event) {
        let mut cluster = self.cluster.lock().unwrap();
        let node = |number: usize| self.nodes[number % self.nodes.len()];
        match event {
            Event::Submit { cpu, count, seconds, failing } => {
                let id = format!("build-{}", self.submitted.len());
                let build =
                    JobSpec::batch(&id).in_namespace("ci").with_resources(*cpu, 128).with_count(*count);
                let build = build.running_for(Duration::from_secs(*seconds));
                cluster.submit(if *failing { build.failing(0.7) } else { build });
                self.submitted.push(("ci".into(), id));
            }
            Event::SubmitService { count } => {
                let id = format!("web-{}", self.submitted.len());
                cluster.submit(JobSpec::service(&id).with_count(*count).with_resources(700, 64));
                self.submitted.push(("default".into(), id));
            }
            Event::Dispatch => drop(cluster.dispatch(&JobKey::new("ci", "deploy"))),
            Event::Stop { job, purge } => {
                if !self.submitted.is_empty() {
                    let (namespace, id) = &self.submitted[job % self.submitted.len()];
                    cluster.stop_job(namespace, id, *purge);
                }
            }
            Event::Register => {
                if self.nodes.len() < 8 {
                    let name = format!("client-{}", self.nodes.len());
                    self.nodes.push(cluster.register_node(NodeSpec::new(&name)));
                }
            }
            Event::Down { node: number } => cluster.node_down(node(*number)),
            Event::Up { node: number } => cluster.node_up(node(*number)),
            Event::Drain { node: number, deadline, ignore_system } => {
                cluster.drain(node(*number), deadline.map(Duration::from_secs), *ignore_system);
            }
            Event::CancelDrain { node: number } => cluster.cancel_drain(node(*number), true),
            Event::CollectGarbage => cluster.garbage_collect(),
            Event::Pass { seconds } => cluster.advance(Duration::from_secs(*seconds)),
        }
    }

    fn ledger(&self) -> Ledger {
        self.cluster.lock().unwrap().ledger()
    }
}

/// What lives on each node, system allocations that go on aside: as the API tells, in the plainest way.
async fn waited_for(simulator: &Simulator) -> BTreeMap<String, usize> {
    let url = format!("{}/v1/allocations?namespace=*", simulator.url());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let allocations: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut counts = BTreeMap::new();
    for allocation in allocations {
        let ended = ["complete", "failed", "lost"].iter().any(|status| allocation["ClientStatus"] == *status);
        let left_alone = allocation["JobType"] == "system" && allocation["DesiredStatus"] == "run";
        if !ended && !left_alone {
            *counts.entry(allocation["NodeID"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    counts
}

fn counters(shown: &Exposition) -> BTreeMap<String, f64> {
    let is_counter =
        |name: &str| name.ends_with("_total") || name.starts_with("nomad_job_placement_delay_seconds");
    let counters = shown.samples().iter().filter(|sample| is_counter(&sample.name));
    counters.map(|sample| (format!("{}{:?}", sample.name, sample.labels), sample.value)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_numbers_are_the_models(seed in 0_u64..1000, events in prop::collection::vec(event(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(seed);
            let simulator = Simulator::start(world.cluster.clone().into()).await.unwrap();
            let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
            let mut before = BTreeMap::new();
            for chunk in events.chunks(5) {
                chunk.iter().for_each(|event| world.apply(event));
                collector.refresh().await;
                let shown = collector.exposition();
                assert_agrees(&shown, &world.ledger(), &waited_for(&simulator).await);
                let now = counters(&shown);
                for (name, value) in &before {
                    // A counter of a namespace may vanish with the namespace; it never falls.
                    assert!(now.get(name).is_none_or(|now| now >= value), "{name} fell from {value}");
                }
                before = now;
            }
        });
    }
}

/// Thousands of builds a minute, many of which come and go between two refreshes: each is counted once, with the delay
/// that the model knows.
#[tokio::test(flavor = "multi_thread")]
async fn placements_and_completions_are_exact() {
    let mut cluster = Cluster::new(Settings::default());
    cluster.create_namespace("ci");
    for number in 0..40 {
        cluster.register_node(NodeSpec::new(&format!("client-{number}")));
    }
    cluster.submit(JobSpec::service("before").with_count(2));
    cluster.submit(JobSpec::batch("waits").in_namespace("ci").with_resources(50_000, 10));
    cluster.advance(Duration::from_secs(30));
    let first_refresh = cluster.ledger().time;
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
    collector.refresh().await;

    let mut number = 0;
    for round in 0..12 {
        {
            let mut cluster = cluster.lock().unwrap();
            // 15 s between two live refreshes; 2,000 builds a minute and more in bursts.
            for _ in 0..if round < 6 { 700 } else { 100 } {
                number += 1;
                let id = format!("build-{number}");
                let build = JobSpec::batch(&id).in_namespace("ci").with_resources(700, 200).failing(0.2);
                let seconds = if number % 3 == 0 { 2 } else { 25 };
                cluster.submit(build.running_for(Duration::from_secs(seconds)));
                cluster.advance(Duration::from_millis(20));
            }
            if round % 4 == 1 {
                cluster.stop_job("ci", &format!("build-{number}"), false);
                // A purge is no completion.
                cluster.stop_job("ci", &format!("build-{}", number - 1), true);
            }
            cluster.advance(Duration::from_millis(15_000 - 20 * 700));
        }
        collector.refresh().await;
    }
    // Let everything end, and the lists be read twice.
    for _ in 0..3 {
        cluster.lock().unwrap().advance(Duration::from_secs(300));
        collector.refresh().await;
    }

    let ledger = cluster.lock().unwrap().ledger();
    let shown = collector.exposition();
    assert!(ledger.history.len() > 4_000);
    assert_counted(&shown, &ledger, first_refresh);
}
