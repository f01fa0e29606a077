//! Compares the exporter with the simulator's ledger during random events.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nomad_simulator::cluster::{
    Cluster, JobKey, JobSpec, Ledger, NodeId, NodeSpec, Preemption, Settings, TaskGroup,
};
use nomad_simulator::{Fault, SharedCluster, Simulator};
use proptest::prelude::*;

use crate::events::FOLLOWING;
use crate::support::cases;
use crate::support::collect::Collector;
use crate::support::exposition::Exposition;
use crate::support::ledger::{Retained, assert_agrees, assert_counted, assert_delays};

/// All job types may preempt jobs of lower priority.
const PREEMPTION: Preemption = Preemption { system: true, sysbatch: true, batch: true, service: true };

/// Simulated seconds with random events.
static CLUSTER_SECONDS: AtomicU64 = AtomicU64::new(0);

fn cluster_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(CLUSTER_SECONDS.load(Ordering::Relaxed))
}

/// A random event.
#[derive(Clone, Debug)]
enum Event {
    Submit {
        cpu: u64,
        count: u32,
        seconds: u64,
        failing: bool,
        poststop: Option<u64>,
        limit: Option<u64>,
    },
    /// A job that ran before is registered again under its ID.
    SubmitAgain {
        job: usize,
    },
    SubmitImportant {
        cpu: u64,
    },
    RemoveGroup,
    SubmitService {
        count: u32,
    },
    Dispatch,
    Stop {
        job: usize,
        purge: bool,
    },
    Register,
    Down {
        node: usize,
    },
    Up {
        node: usize,
    },
    Drain {
        node: usize,
        deadline: Option<u64>,
        ignore_system: bool,
    },
    CancelDrain {
        node: usize,
    },
    CollectGarbage,
    Pass {
        seconds: u64,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (100_u64..12_000, 1_u32..4, 1_u64..120, any::<bool>(), proptest::option::of(1_u64..60),
            proptest::option::weighted(0.2, 1_u64..60))
            .prop_map(|(cpu, count, seconds, failing, poststop, limit)| {
                Event::Submit { cpu, count, seconds, failing, poststop, limit }
            }),
        1 => (0_usize..50).prop_map(|job| Event::SubmitAgain { job }),
        1 => (100_u64..4_000).prop_map(|cpu| Event::SubmitImportant { cpu }),
        1 => Just(Event::RemoveGroup),
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

/// A cluster with random events.
struct World {
    cluster: SharedCluster,
    nodes: Vec<NodeId>,
    submitted: Vec<(String, String)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut cluster = Cluster::new(Settings { seed, preemption: PREEMPTION, ..Settings::default() });
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
            Event::Submit { cpu, count, seconds, failing, poststop, limit } => {
                let id = format!("build-{}", self.submitted.len());
                let mut build =
                    JobSpec::batch(&id).in_namespace("ci").with_resources(*cpu, 128).with_count(*count);
                build = build.running_for(Duration::from_secs(*seconds)).failing(if *failing {
                    0.7
                } else {
                    0.0
                });
                if let Some(seconds) = poststop {
                    build = build.with_poststop(Duration::from_secs(*seconds));
                }
                if let Some(seconds) = limit {
                    build = build.with_max_run_duration(Duration::from_secs(*seconds));
                }
                cluster.submit(build);
                self.submitted.push(("ci".into(), id));
            }
            Event::SubmitAgain { job } => {
                let builds: Vec<_> =
                    self.submitted.iter().filter(|(namespace, _)| namespace == "ci").collect();
                if !builds.is_empty() {
                    let (namespace, id) = builds[job % builds.len()];
                    let again = JobSpec::batch(id).in_namespace(namespace).with_resources(300, 64);
                    cluster.submit(again.running_for(Duration::from_secs(30)));
                }
            }
            Event::SubmitImportant { cpu } => {
                let id = format!("important-{}", self.submitted.len());
                let job = JobSpec::service(&id).with_priority(90).with_resources(*cpu, 64);
                cluster.submit(job);
                self.submitted.push(("default".into(), id));
            }
            Event::RemoveGroup => {
                let group = |name: &str, cpu| {
                    let mut group = TaskGroup::new(name);
                    group.tasks[0].cpu = cpu;
                    group
                };
                let job = || JobSpec::service("shrinks").with_resources(100, 32);
                cluster.submit(job().with_group(group("huge", 90_000)));
                cluster.advance(Duration::from_secs(1));
                cluster.submit(job());
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

/// Returns the allocations that drains wait for on each node, except system allocations that keep running,
/// calculated from statuses and task states in the simplest way. Nothing runs on a down node, whatever its
/// allocations last reported.
pub(crate) async fn waited_for(simulator: &Simulator) -> BTreeMap<String, usize> {
    let list = async |path: &str| -> Vec<serde_json::Value> {
        let text = reqwest::get(format!("{}{path}", simulator.url())).await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let nodes = list("/v1/nodes").await;
    let down: Vec<_> = nodes.iter().filter(|node| node["Status"] == "down").map(|node| &node["ID"]).collect();
    let mut counts = BTreeMap::new();
    for allocation in list("/v1/allocations?namespace=*").await {
        let ended = ["complete", "failed", "lost"].iter().any(|status| allocation["ClientStatus"] == *status);
        let tasks = allocation["TaskStates"].as_object();
        let runs = tasks.is_some_and(|tasks| tasks.values().any(|task| task["State"] == "running"));
        let left_alone = allocation["JobType"] == "system" && allocation["DesiredStatus"] == "run" && !ended;
        if (!ended || runs) && !left_alone && !down.contains(&&allocation["NodeID"]) {
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
    #![proptest_config(ProptestConfig { cases: cases(8), max_shrink_iters: 64, ..ProptestConfig::default() })]

    /// With and without the event stream, which tells what to read again.
    #[test]
    fn all_numbers_equal_the_model(
        seed in 0_u64..1000,
        follow in any::<bool>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(numbers_equal_the_model(seed, &events, follow));
    }
}

async fn numbers_equal_the_model(seed: u64, events: &[Event], follow: bool) {
    let mut world = World::new(seed);
    let simulator = Simulator::start(world.cluster.clone().into()).await.unwrap();
    let collector = Collector::with_clock(&simulator.url(), &FOLLOWING, cluster_time);
    let mut before = BTreeMap::new();
    for (number, chunk) in events.chunks(5).enumerate() {
        chunk.iter().for_each(|event| world.apply(event));
        let time = world.ledger().time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        CLUSTER_SECONDS.store(time.as_secs(), Ordering::Relaxed);
        collector.refresh().await;
        let shown = collector.exposition();
        let retained = if follow { Retained::AtLeast } else { Retained::Exactly };
        assert_agrees(&shown, &world.ledger(), &waited_for(&simulator).await, retained);
        let now = counters(&shown);
        for (name, value) in &before {
            // A counter of a namespace may disappear with the namespace, but never decreases.
            assert!(now.get(name).is_none_or(|now| now >= value), "{name} fell from {value}");
        }
        before = now;
        if follow && number == 0 {
            slow_lists(&simulator, SLOW);
            collector.follow().await;
        }
    }
}

/// A list that takes this long costs more than fifty rows.
pub(crate) const SLOW: Duration = Duration::from_millis(20);

/// Makes lists slow, as in a large cluster, so that they cost more than some rows. Probes and requests for single rows
/// stay fast: they have no filter, and the tests wait for thousands of them.
pub(crate) fn slow_lists(simulator: &Simulator, delay: Duration) {
    for list in [
        "/v1/jobs?namespace=*&filter=",
        "/v1/allocations?namespace=*&task_states=false&resources=",
        "/v1/allocations?namespace=*&task_states=false&filter=",
        "/v1/allocations?namespace=*&task_states=true&filter=",
    ] {
        simulator.faults().set(list, Fault::Delay(delay));
    }
}

/// Hundreds of builds, many of which start and end between two refreshes: each is counted once,
/// with the delay in the model.
#[tokio::test(flavor = "multi_thread")]
async fn placements_and_completions_are_exact() {
    placements_and_completions_equal_the_model(200, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn placements_and_completions_with_events_are_exact() {
    placements_and_completions_equal_the_model(60, true).await;
}

/// Follows the event stream if asked to.
pub(crate) async fn follow_if(follow: bool, simulator: &Simulator, collector: &Collector) {
    if follow {
        // So that no list costs less than the rows of the builds.
        slow_lists(simulator, Duration::from_millis(500));
        collector.follow().await;
        collector.refresh().await;
        simulator.clear_requests();
    }
}

/// Checks that history lists were only requested without events, apart from the first ones.
fn assert_followed(follow: bool, simulator: &Simulator) {
    let is_list = |query: &str| query.contains("filter=") && !query.contains("%21%3D");
    let lists = simulator.requests().iter().filter(|request| is_list(&request.query)).count();
    assert!(if follow { lists <= 4 } else { lists > 20 }, "{lists} lists of finished objects");
}

/// `builds` is the number between two refreshes; later, a quarter of it.
async fn placements_and_completions_equal_the_model(builds: u64, follow: bool) {
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
    let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats", "--collect.events=auto"]);
    collector.refresh().await;
    follow_if(follow, &simulator, &collector).await;

    let mut number = 0;
    for round in 0..12 {
        {
            let mut cluster = cluster.lock().unwrap();
            // 15 s between two live refreshes.
            let builds = if round < 6 { builds } else { builds / 4 };
            for _ in 0..builds {
                number += 1;
                let id = format!("build-{number}");
                let build = JobSpec::batch(&id).in_namespace("ci").with_resources(700, 200).failing(0.2);
                let seconds = if number % 3 == 0 { 2 } else { 25 };
                cluster.submit(build.running_for(Duration::from_secs(seconds)));
                cluster.advance(Duration::from_millis(20));
            }
            if round % 4 == 1 {
                cluster.stop_job("ci", &format!("build-{number}"), false);
                // A purge is not a completion.
                cluster.stop_job("ci", &format!("build-{}", number - 1), true);
            }
            cluster.advance(Duration::from_millis(15_000 - 20 * builds));
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
    assert!(ledger.history.len() as u64 > 7 * builds);
    assert_followed(follow, &simulator);
    assert_counted(&shown, &ledger, first_refresh);
    assert_delays(&shown, &ledger, first_refresh);
}

/// Hundreds of builds that are killed by drain deadlines, preempted, too slow, retried, registered again, lost
/// or stopped: each is counted with the outcome in the model, and so are those that Nomad retains. Each refresh lists all
/// that ended, so the costs grow with the square of their number.
#[tokio::test(flavor = "multi_thread")]
async fn outcomes_of_hundreds_of_builds_equal_the_ledger() {
    // Preempted and lost allocations are placed again elsewhere, so no job ends that way here.
    outcomes_are_the_ledgers("2.0.5", 400, &["complete", "failed", "stopped", "drained"], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_with_events_equal_the_ledger() {
    outcomes_are_the_ledgers("2.0.5", 400, &["complete", "failed", "stopped", "drained"], true).await;
}

/// Before Nomad 1.11, allocations killed by a drain are placed again too.
#[tokio::test(flavor = "multi_thread")]
async fn outcomes_before_nomad_1_11_equal_the_ledger() {
    outcomes_are_the_ledgers("1.10.5", 300, &["complete", "failed", "stopped"], false).await;
}

/// Checks that the outcomes equal the model's, and include these.
async fn outcomes_are_the_ledgers(version: &str, builds: u64, seen_ends: &[&str], follow: bool) {
    let version = version.parse().unwrap();
    let mut cluster = Cluster::new(Settings { version, preemption: PREEMPTION, ..Settings::default() });
    cluster.create_namespace("ci");
    let mut nodes: Vec<NodeId> =
        (0..12).map(|number| cluster.register_node(NodeSpec::new(&format!("client-{number}")))).collect();
    cluster.advance(Duration::from_secs(30));
    let first_refresh = cluster.ledger().time;
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats", "--collect.events=auto"]);
    collector.refresh().await;
    follow_if(follow, &simulator, &collector).await;
    for number in 0..builds {
        something_happens(&mut cluster.lock().unwrap(), &mut nodes, number);
        if number % 8 == 0 {
            collector.refresh().await;
        }
    }
    for _ in 0..4 {
        cluster.lock().unwrap().advance(Duration::from_secs(400));
        collector.refresh().await;
    }
    let ledger = cluster.lock().unwrap().ledger();
    let shown = collector.exposition();
    assert_followed(follow, &simulator);
    assert_counted(&shown, &ledger, first_refresh);
    for ((namespace, job_type, outcome), count) in &ledger.finished {
        let labels = [
            ("namespace", namespace.as_str()),
            ("job_type", job_type.as_str()),
            ("outcome", outcome.as_str()),
        ];
        assert_eq!(shown.value("nomad_jobs_finished", &labels), Some(*count as f64), "{labels:?}");
    }
    for outcome in seen_ends {
        let seen = shown.sum("nomad_job_completions_total", &[("outcome", outcome)]);
        assert!(seen > Some(0.0), "no job was {outcome}: too few events for a meaningful test");
    }
}

/// Submits one more build, and sometimes triggers an event that ends builds.
fn something_happens(cluster: &mut Cluster, nodes: &mut Vec<NodeId>, number: u64) {
    let id = format!("build-{}", if number % 50 == 49 { number - 30 } else { number });
    let build = JobSpec::batch(&id).in_namespace("ci").with_resources(900, 200).failing(0.1);
    let build = build.running_for(Duration::from_secs(20 + number % 40));
    let build = match number % 7 {
        0 => build.with_poststop(Duration::from_secs(30)),
        1 => build.with_max_run_duration(Duration::from_secs(35)),
        2 => build.with_reschedule(Duration::from_secs(20)).failing(0.5),
        _ => build,
    };
    cluster.submit(build);
    if number % 40 == 10 {
        let important = JobSpec::batch(&format!("urgent-{number}")).with_priority(95);
        cluster.submit(important.with_resources(3000, 200).running_for(Duration::from_secs(10)));
    }
    if number % 60 == 20 {
        let node = nodes.remove(0);
        cluster.drain(node, Some(Duration::from_secs(15)), false);
        let name = format!("client-{}", 12 + number);
        nodes.push(cluster.register_node(NodeSpec::new(&name)));
    }
    if number % 200 == 150 {
        cluster.node_down(nodes[1]);
    }
    if number % 90 == 30 {
        cluster.stop_job("ci", &id, false);
    }
    cluster.advance(Duration::from_secs(2));
}
