//! Jobs and allocations kept up to date by Nomad's event stream: few requests, and the right numbers whatever happens to
//! the stream.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nomad_simulator::cluster::{Cluster, JobKey, JobSpec, NodeId, NodeSpec, Settings};
use nomad_simulator::{EventFault, Fault, SharedCluster, Simulator};

use crate::ledger::{SLOW, slow_lists, waited_for};
use crate::support::collect::Collector;
use crate::support::exposition::Exposition;
use crate::support::ledger::{Retained, assert_agrees};
use crate::support::process::Exporter;

const STREAM: &str = "/v1/event/stream";

/// No list is so cheap that it is always requested.
pub(crate) const FOLLOWING: [&str; 4] =
    ["--no-collector.host_stats", "--collect.events=auto", "--collect.history-interval", "15s"];

/// A cluster with some work, and an exporter that follows its event stream.
struct World {
    cluster: SharedCluster,
    simulator: Simulator,
    collector: Collector,
    nodes: Vec<NodeId>,
    builds: u32,
}

impl World {
    async fn new() -> Self {
        Self::with(&FOLLOWING).await
    }

    async fn with(arguments: &[&str]) -> Self {
        let settings = Settings { version: "2.0.5".parse().unwrap(), ..Settings::default() };
        let mut cluster = Cluster::new(settings);
        cluster.create_namespace("ci");
        let nodes =
            (0..6).map(|number| cluster.register_node(NodeSpec::new(&format!("client-{number}")))).collect();
        cluster.submit(JobSpec::system("logs").with_resources(50, 32));
        cluster.submit(JobSpec::service("web").with_count(3).with_resources(300, 64));
        cluster.submit(
            JobSpec::batch("deploy").in_namespace("ci").running_for(Duration::from_secs(20)).dispatched(),
        );
        let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        slow_lists(&simulator, SLOW);
        let collector = Collector::new(&simulator.url(), arguments);
        let mut world = Self { cluster, simulator, collector, nodes, builds: 0 };
        world.build(10);
        world.collector.refresh().await;
        world.collector.follow().await;
        // These lists are read after the stream was opened.
        world.build(1);
        world.agrees("at the beginning").await;
        world
    }

    /// Lets something happen, and some seconds pass.
    fn happens(&self, seconds: u64, what: impl FnOnce(&mut Cluster, &[NodeId])) {
        let mut cluster = self.cluster.lock().unwrap();
        what(&mut cluster, &self.nodes);
        cluster.advance(Duration::from_secs(seconds));
    }

    /// Submits builds, some of which fail and some of which wait.
    fn build(&mut self, count: u32) {
        let first = self.builds;
        self.builds += count;
        self.happens(10, |cluster, _| {
            for number in first..first + count {
                let build = JobSpec::batch(&format!("build-{number}")).in_namespace("ci").failing(0.3);
                let cpu = if number % 5 == 0 { 90_000 } else { 400 };
                cluster.submit(
                    build
                        .with_resources(cpu, 64)
                        .running_for(Duration::from_secs(u64::from(5 + number % 60))),
                );
            }
        });
    }

    /// Refreshes everything; the numbers are those of the model.
    async fn agrees(&self, when: &str) -> Exposition {
        self.collector.refresh().await;
        let shown = self.collector.exposition();
        let ledger = self.cluster.lock().unwrap().ledger();
        eprintln!("{when}");
        assert_agrees(&shown, &ledger, &waited_for(&self.simulator).await, Retained::AtLeast);
        shown
    }

    /// How many lists of live jobs and allocations were requested since the last time, and which rows of them.
    fn asked(&self) -> (usize, Vec<String>) {
        let mut requests = self.simulator.requests();
        self.simulator.clear_requests();
        requests.retain(|request| ["/v1/jobs", "/v1/allocations"].contains(&request.path.as_str()));
        let is_list = |query: &str| query.contains("%21%3D") && !query.contains("TaskStates");
        let lists = requests.iter().filter(|request| is_list(&request.query)).count();
        requests.retain(|request| request.query.contains("prefix="));
        (lists, requests.into_iter().map(|request| request.path + &request.query).collect())
    }

    /// Returns the number of lists of evaluations that the next refresh requests.
    async fn evaluation_lists(&self, when: &str) -> usize {
        self.simulator.clear_requests();
        self.agrees(when).await;
        evaluation_lists(&self.simulator)
    }
}

/// Returns the number of requested lists of evaluations.
fn evaluation_lists(simulator: &Simulator) -> usize {
    let is_list = |path: &str, query: &str| path == "/v1/evaluations" && query.contains("status=");
    simulator.requests().iter().filter(|request| is_list(&request.path, &request.query)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_changed_are_read_and_no_others() {
    let mut world = World::new().await;
    world.agrees("once more").await;
    let (_, known) = world.asked();
    world.agrees("nothing happened").await;
    // Rows of which no index shows that the change is in them are read twice, the second time after some seconds.
    let is_new = |row: &String| !known.contains(row);
    let (lists, rows) = world.asked();
    assert!(lists == 0 && !rows.iter().any(is_new), "{lists} lists and {rows:?}");

    world.happens(2, |cluster, _| {
        cluster.submit(JobSpec::batch("one").in_namespace("ci").with_resources(300, 64));
    });
    world.agrees("one build").await;
    let (lists, rows) = world.asked();
    let new = rows.iter().filter(|row| is_new(row)).count();
    assert!(lists == 0 && (2..=4).contains(&new), "{lists} lists and {rows:?}");

    for round in 0..12 {
        world.build(4);
        world.happens(3, |cluster, nodes| match round {
            2 => drop(cluster.dispatch(&JobKey::new("ci", "deploy"))),
            3 => cluster.stop_job("ci", "build-0", false),
            4 => cluster.stop_job("ci", "build-10", true),
            5 => cluster.node_down(nodes[0]),
            6 => cluster.drain(nodes[1], Some(Duration::from_secs(5)), false),
            7 => drop(cluster.submit(JobSpec::service("web").with_count(5).with_resources(300, 64))),
            8 => cluster.node_up(nodes[0]),
            _ => {}
        });
        world.agrees(&format!("round {round}")).await;
    }
    let (lists, rows) = world.asked();
    assert!(lists == 0 && rows.len() > 48, "{lists} lists and {rows:?}");
    let shown = world.collector.exposition();
    assert_eq!(shown.sum("nomad_exporter_event_stream_up", &[]), Some(1.0));
    assert_eq!(shown.sum("nomad_exporter_event_corrections_total", &[]), Some(0.0));
    for topic in ["Job", "Allocation", "Evaluation"] {
        assert!(shown.value("nomad_exporter_events_total", &[("topic", topic)]) > Some(20.0), "{topic}");
    }
}

/// Builds that are placed at once leave those that wait as they are.
#[tokio::test(flavor = "multi_thread")]
async fn evaluations_are_listed_when_one_that_waits_changes() {
    const LISTS: usize = 2;
    let world = World::new().await;
    let build = |id: &str, cpu| JobSpec::batch(id).in_namespace("ci").with_resources(cpu, 64);
    world.happens(300, |_, _| {});
    world.agrees("all builds ended but those that do not fit").await;
    world.agrees("the same jobs wait as before").await;
    assert_eq!(world.evaluation_lists("nothing happened").await, 0);
    world.happens(2, |cluster, _| drop(cluster.submit(build("fits", 300))));
    assert_eq!(world.evaluation_lists("a build that fits").await, 0);
    world.happens(2, |cluster, _| drop(cluster.submit(build("waits", 90_000))));
    assert_eq!(world.evaluation_lists("a build that does not fit").await, LISTS);
    assert_eq!(world.evaluation_lists("nothing happened again").await, 0);
    world.happens(2, |cluster, _| cluster.stop_job("ci", "waits", false));
    assert_eq!(world.evaluation_lists("it is stopped").await, LISTS);
    world.agrees("the same jobs wait as before").await;
    world.happens(1, |cluster, _| cluster.garbage_collect());
    assert_eq!(world.evaluation_lists("garbage collection, which has no events").await, LISTS);
    let shown = world.collector.exposition();
    assert_eq!(shown.sum("nomad_exporter_event_corrections_total", &[]), Some(0.0));
}

/// An evaluation whose delay ends is pending, although the lists of evaluations have not changed.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_delay_is_noticed_in_unchanged_lists() {
    static CLOCK: AtomicU64 = AtomicU64::new(0);
    let delay = Duration::from_secs(3600);
    let mut cluster = Cluster::new(Settings::default());
    cluster.register_node(NodeSpec::new("client"));
    let service = JobSpec::service("web").running_for(Duration::from_secs(1)).failing(1.0);
    cluster.submit(service.with_reschedule(delay));
    cluster.advance(Duration::from_secs(300));
    let time = cluster.now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    // Short and fast lists are not worth a probe.
    simulator.faults().set("/v1/evaluations?namespace=*&status=", Fault::Delay(SLOW));
    for follow in [false, true] {
        CLOCK.store(time, Ordering::Relaxed);
        let clock = || SystemTime::UNIX_EPOCH + Duration::from_secs(CLOCK.load(Ordering::Relaxed));
        let collector = Collector::with_clock(&simulator.url(), &FOLLOWING, clock);
        if follow {
            collector.refresh().await;
            collector.follow().await;
            // So that the lists are requested after the stream was opened.
            let mut cluster = cluster.lock().unwrap();
            cluster.submit(JobSpec::batch("build"));
            cluster.advance(Duration::from_secs(1));
        }
        let lists = async || {
            simulator.clear_requests();
            collector.refresh().await;
            evaluation_lists(&simulator)
        };
        let shown = || {
            let shown = collector.exposition();
            ["nomad_delayed_evaluations", "nomad_pending_evaluations"].map(|family| shown.sum(family, &[]))
        };
        assert_eq!((lists().await, shown()), (2, [Some(1.0), Some(0.0)]));
        assert_eq!((lists().await, shown()), (0, [Some(1.0), Some(0.0)]));
        CLOCK.store(time + delay.as_secs(), Ordering::Relaxed);
        assert_eq!((lists().await, shown()), (2, [Some(0.0), Some(1.0)]));
    }
}

/// Rows are requested concurrently: they do not delay the next refresh as if they were requested one after another, which
/// matters if the servers are far away.
#[tokio::test(flavor = "multi_thread")]
async fn slow_rows_delay_the_next_refresh_by_the_time_that_they_took_together() {
    let mut world = World::new().await;
    world.asked();
    world.simulator.faults().set("/v1/jobs?namespace=ci&prefix=", Fault::Delay(Duration::from_millis(50)));
    let mut longest: f64 = 0.0;
    // The cheaper one of two refreshes in a row counts.
    for when in ["once", "twice"] {
        world.build(40);
        let shown = world.agrees(when).await;
        let value = |family| shown.value(family, &[("collector", "jobs")]).unwrap();
        longest = longest.max(value("nomad_exporter_collector_refresh_duration_seconds"));
        let interval = value("nomad_exporter_collector_interval_seconds");
        assert!(interval <= (longest / 0.05).max(15.0), "{interval} s after {longest} s");
        let (lists, rows) = world.asked();
        assert!(lists == 0 && rows.len() >= 40, "{lists} lists, {} rows", rows.len());
    }
}

/// Garbage collection has no events, and moves the index: the list tells.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_event_is_seen_by_the_index() {
    let mut world = World::new().await;
    world.happens(300, |_, _| {});
    world.agrees("most builds ended").await;
    world.asked();
    world.happens(1, |cluster, _| cluster.garbage_collect());
    world.agrees("after garbage collection").await;
    assert!(world.asked().0 > 0, "a list was read");
    world.build(3);
    world.agrees("and then").await;
    assert_eq!(world.asked().0, 0, "events tell again");
}

/// A server subscribes to the namespaces that there are: what happens in a new one is in no event.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_new_namespace_are_seen() {
    let world = World::new().await;
    world.happens(5, |cluster, _| {
        cluster.create_namespace("new");
        cluster.submit(JobSpec::batch("first").in_namespace("new").with_resources(300, 64));
    });
    world.agrees("a new namespace").await;
}

/// The same if events of other namespaces go on, which reach the index of the lists.
#[tokio::test(flavor = "multi_thread")]
async fn builds_of_a_new_namespace_are_counted() {
    let world = World::new().await;
    let build =
        |namespace: &str, id: &str| JobSpec::batch(id).in_namespace(namespace).with_resources(300, 64);
    world.happens(5, |cluster, _| {
        cluster.create_namespace("new");
        cluster.submit(build("new", "first").running_for(Duration::from_secs(1)));
        cluster.submit(build("new", "second"));
        cluster.advance(Duration::from_secs(5));
        cluster.submit(build("ci", "later"));
    });
    let first = world.agrees("a new namespace, and events of another one").await;
    world.happens(5, |cluster, _| drop(cluster.submit(build("ci", "last"))));
    let shown = world.agrees("and then").await;
    for (shown, when) in [(first, "at once"), (shown, "and then")] {
        let of = |family: &str| shown.sum(family, &[("namespace", "new"), ("job_type", "batch")]);
        assert_eq!(of("nomad_job_placement_delay_seconds_count"), Some(2.0), "{when}");
        assert_eq!(of("nomad_job_completions_total"), Some(1.0), "{when}");
    }
}

/// With the scheduled refreshes, it would take a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_sees_a_change_at_once() {
    let settings = Settings { version: "2.0.5".parse().unwrap(), ..Settings::default() };
    let mut cluster = Cluster::new(settings);
    cluster.register_node(NodeSpec::new("client"));
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    slow_lists(&simulator, SLOW);
    let flags = ["--collect.events=auto", "--collect.interval=300s", "--collect.history-interval=300s"];
    let exporter = Exporter::start(&simulator.url(), &flags);
    rustls::crypto::ring::default_provider().install_default().ok();
    let shown = async || {
        let text = reqwest::get(format!("{}/metrics", exporter.url)).await.unwrap().text().await.unwrap();
        Exposition::parse(&text)
    };
    let running = async |expected: f64| {
        let seen = async || shown().await.sum("nomad_jobs", &[("status", "running")]) == Some(expected);
        while !seen().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = async {
        while shown().await.sum("nomad_exporter_event_stream_up", &[]) != Some(1.0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for number in 1..4 {
            {
                let mut cluster = cluster.lock().unwrap();
                cluster.submit(JobSpec::batch(&format!("build-{number}")).with_resources(100, 64));
                cluster.advance(Duration::from_secs(1));
            }
            running(f64::from(number)).await;
        }
    };
    // Three changes need three intervals without events.
    tokio::time::timeout(Duration::from_secs(250), seen)
        .await
        .expect("changes are seen before the next interval");
}

/// Whatever is wrong with the stream, the numbers of the next refresh are right.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_goes_wrong_leaves_the_numbers_right() {
    let trials = [
        ("payloads of null", Fault::Events(EventFault::NullPayloads)),
        ("unknown topics", Fault::Events(EventFault::UnknownTopics)),
        ("lines that come again", Fault::Events(EventFault::Repeated(50))),
        ("lines in another order", Fault::Events(EventFault::Swapped)),
        ("half lines", Fault::Events(EventFault::Halved)),
        ("a reader that is too slow", Fault::Events(EventFault::Dropped)),
        ("an index that falls", Fault::Index(1)),
        ("a stream that is cut", Fault::CutAfter(Duration::ZERO)),
        ("a connection that is closed", Fault::Close),
        ("a stream that hangs", Fault::Hang),
        ("a line that is cut", Fault::Truncate(2000)),
        ("one byte a second", Fault::Drip(Duration::from_secs(1))),
    ];
    let trials = trials.map(|(name, fault)| (name, tokio::spawn(goes_wrong(name, fault))));
    let mut wrong = Vec::new();
    for (name, trial) in trials {
        wrong.extend(trial.await.err().map(|error| (name, error)));
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

async fn goes_wrong(name: &str, fault: Fault) {
    let mut world = World::new().await;
    world.simulator.faults().set(STREAM, fault);
    for round in 0..3 {
        world.build(3);
        world.happens(2, |cluster, nodes| match round {
            1 => cluster.stop_job("ci", "build-5", true),
            2 => cluster.node_down(nodes[2]),
            _ => {}
        });
        world.agrees(name).await;
    }
}

/// What was wrong leaves nothing behind once the stream is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_back_is_trusted_again() {
    let mut world = World::new().await;
    world.simulator.faults().set(STREAM, Fault::CutAfter(Duration::ZERO));
    world.build(3);
    world.agrees("it is cut").await;
    world.simulator.faults().clear();
    slow_lists(&world.simulator, SLOW);
    world.collector.until_following().await;
    world.build(3);
    world.agrees("a list after the gap").await;
    world.asked();
    world.build(3);
    world.agrees("events again").await;
    assert_eq!(world.asked().0, 0);
}

/// With short intervals, the lists are soon requested again although events are read. Nothing expires meanwhile.
const SHORT_INTERVALS: [&str; 8] = [
    "--no-collector.host_stats",
    "--collect.events=auto",
    "--collect.interval",
    "20ms",
    "--collect.history-interval",
    "20ms",
    "--collect.max-age-intervals",
    "1000",
];

/// How many rows lists corrected while this happened to the stream, and whether lists were read. Ends with the first
/// correction, because a refresh waits seconds for events that are lost.
async fn corrected(fault: Option<Fault>) -> (f64, bool) {
    let mut world = World::with(&SHORT_INTERVALS).await;
    if let Some(fault) = fault {
        world.simulator.faults().set(STREAM, fault);
    }
    world.asked();
    let (mut lists, mut corrections) = (0, 0.0);
    for round in 0..15 {
        world.build(2);
        world.happens(round % 3, |cluster, nodes| match round {
            3 => cluster.stop_job("ci", "build-3", true),
            5 => cluster.drain(nodes[1], Some(Duration::from_secs(5)), false),
            7 => cluster.garbage_collect(),
            _ => {}
        });
        world.collector.refresh().await;
        lists += world.asked().0;
        let shown = world.collector.exposition();
        corrections = shown.sum("nomad_exporter_event_corrections_total", &[]).unwrap();
        if corrections > 0.0 {
            break;
        }
    }
    (corrections, lists > 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_find_nothing_to_correct() {
    assert_eq!(corrected(None).await, (0.0, true));
    assert_eq!(corrected(Some(Fault::CutAfter(Duration::from_millis(200)))).await, (0.0, true));
}

/// What Nomad never does: a stream that goes on after it lacked something.
#[tokio::test(flavor = "multi_thread")]
async fn lists_correct_what_events_did_not_tell() {
    let (corrections, lists) = corrected(Some(Fault::Events(EventFault::Lost))).await;
    assert!(corrections > 0.0 && lists, "{corrections} corrections");
}

/// Servers that do not offer the stream are read by lists; those that reject it with 200 too.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_stream_there_are_lists() {
    for (version, buffer, mode) in [("2.0.5", None, "auto"), ("2.0.5", Some(100), "off")] {
        let settings =
            Settings { version: version.parse().unwrap(), event_buffer: buffer, ..Settings::default() };
        let cluster: SharedCluster = Arc::new(Mutex::new(Cluster::new(settings)));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        let collector = Collector::new(&simulator.url(), &["--collect.events", mode]);
        collector.refresh().await;
        let following = collector.start_following().await;
        cluster.lock().unwrap().submit(JobSpec::batch("build"));
        collector.refresh().await;
        let shown = collector.exposition();
        assert_eq!(shown.sum("nomad_jobs", &[("status", "pending")]), Some(1.0));
        let up = shown.sum("nomad_exporter_event_stream_up", &[]);
        assert_eq!(up, (mode == "auto").then_some(0.0));
        following.abort();
    }
}
