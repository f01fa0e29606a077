//! Random histories: the ledger agrees with the API, by rules that are implemented a second time.

use std::collections::{BTreeMap, BTreeSet};

use nomad_simulator::cluster::{
    Cause, Cluster, JobKey, JobSpec, NodeId, NodeSpec, Preemption, Settings, TaskGroup,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::client::get;
use crate::world::{World, seconds};

/// A random event.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Build { cpu: u64, seconds: u64, how: usize, priority: u32 },
    Service { count: u32, how: usize },
    Sysbatch { seconds: u64 },
    Stop { job: usize, purge: bool },
    Again { job: usize },
    Node { node: usize, what: usize },
    Drain { node: usize, deadline: Option<u64> },
    Collect,
    Pass { seconds: u64 },
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (100_u64..3_000, 1_u64..120, 0_usize..12, 1_u32..99)
            .prop_map(|(cpu, seconds, how, priority)| Event::Build { cpu, seconds, how, priority }),
        2 => (1_u32..4, 0_usize..12).prop_map(|(count, how)| Event::Service { count, how }),
        1 => (1_u64..60).prop_map(|seconds| Event::Sysbatch { seconds }),
        2 => (any::<usize>(), prop::bool::weighted(0.2)).prop_map(|(job, purge)| Event::Stop { job, purge }),
        2 => any::<usize>().prop_map(|job| Event::Again { job }),
        3 => (0_usize..4, 0_usize..4).prop_map(|(node, what)| Event::Node { node, what }),
        2 => (0_usize..4, proptest::option::of(0_u64..40)).prop_map(|(node, deadline)| Event::Drain { node, deadline }),
        1 => Just(Event::Collect),
        8 => (1_u64..60).prop_map(|seconds| Event::Pass { seconds }),
    ]
}

/// Sets how a job ends.
fn with_fate(job: JobSpec, how: usize) -> JobSpec {
    match how {
        0 => job.failing(0.5),
        1 => job.failing_with(Cause::Driver),
        2 => job.failing_with(Cause::OutOfMemory).restarting(Some(2), seconds(3)),
        3 => job.failing(0.7).with_poststop(seconds(40)),
        4 => job.with_poststop(seconds(20)),
        5 => job.dying_in(seconds(25)),
        6 => job.with_max_run_duration(seconds(30)).dying_in(seconds(10)),
        7 => job.failing(0.6).with_reschedules(1, seconds(15)),
        8 => job.failing_with(Cause::Setup),
        _ => job,
    }
}

pub(crate) struct Histories {
    pub(crate) cluster: Cluster,
    pub(crate) nodes: Vec<NodeId>,
    submitted: Vec<JobSpec>,
}

impl Histories {
    pub(crate) fn new(seed: u64, version: &str) -> Histories {
        let version = version.parse().expect("a version");
        let settings = Settings { seed, version, preemption: Preemption::ALL, ..Settings::default() };
        let mut cluster = Cluster::new(settings);
        cluster.create_namespace("ci");
        let nodes = (0..4).map(|number| {
            cluster.register_node(NodeSpec { cpu: 4000, ..NodeSpec::new(&format!("client-{number}")) })
        });
        let nodes = nodes.collect();
        cluster.submit(JobSpec::system("agent").with_resources(50, 32));
        Histories { cluster, nodes, submitted: Vec::new() }
    }

    fn submit(&mut self, job: JobSpec) {
        self.cluster.submit(job.clone());
        self.submitted.push(job);
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        let id = format!("job-{}", self.submitted.len());
        match *event {
            Event::Build { cpu, seconds: run, how, priority } => {
                let build =
                    JobSpec::batch(&id).in_namespace("ci").with_resources(cpu, 100).with_priority(priority);
                self.submit(with_fate(build.running_for(seconds(run)), how));
            }
            Event::Service { count, how } => {
                let edge = TaskGroup { max_client_disconnect: Some(seconds(60)), ..TaskGroup::new("edge") };
                let service =
                    JobSpec::service(&id).with_count(count).with_resources(300, 64).with_group(edge);
                self.submit(with_fate(service.running_for(seconds(20)), how));
            }
            Event::Sysbatch { seconds: run } => {
                self.submit(JobSpec::sysbatch(&id).failing(0.2).running_for(seconds(run)));
            }
            Event::Stop { job, purge } => {
                if let Some(job) = self.submitted.get(job % self.submitted.len().max(1)) {
                    self.cluster.stop_job(&job.namespace, &job.id, purge);
                }
            }
            Event::Again { job } => {
                if let Some(job) = self.submitted.get(job % self.submitted.len().max(1)) {
                    let job =
                        if job.groups.len() > 1 { job.clone().without_group("edge") } else { job.clone() };
                    self.cluster.submit(job);
                }
            }
            Event::Node { node, what } => match what {
                0 => self.cluster.node_down(self.nodes[node]),
                1 => self.cluster.disconnect(self.nodes[node]),
                _ => self.cluster.node_up(self.nodes[node]),
            },
            Event::Drain { node, deadline } => {
                self.cluster.drain(self.nodes[node], deadline.map(seconds), false);
            }
            Event::Collect => self.cluster.garbage_collect(),
            Event::Pass { seconds: passing } => self.cluster.advance(seconds(passing)),
        }
    }
}

/// Returns the outcome of an allocation according to the API.
fn outcome(row: &Value) -> &'static str {
    let is = |field: &str, text: &str| row[field] == text;
    let migrated = ["alloc is being migrated", "alloc not needed as node is tainted"];
    if is("ClientStatus", "lost") {
        "lost"
    } else if is("DesiredStatus", "evict") {
        "preempted"
    } else if is("DesiredStatus", "stop") && migrated.iter().any(|text| is("DesiredDescription", text)) {
        "drained"
    } else if is("ClientStatus", "failed") {
        "failed"
    } else if is("ClientDescription", "allocation exceeded max_run_duration") {
        "timeout"
    } else if is("DesiredStatus", "stop") {
        "stopped"
    } else {
        "complete"
    }
}

const WORST_FIRST: [&str; 7] = ["failed", "lost", "timeout", "preempted", "drained", "stopped", "complete"];

/// Returns the number of dead jobs by outcome according to the API.
fn finished(jobs: &[Value], allocations: &[Value]) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for job in jobs.iter().filter(|job| job["Status"] == "dead") {
        // A purged job with the same ID had its own allocations.
        let own = || {
            allocations.iter().filter(|row| {
                row["Namespace"] == job["Namespace"]
                    && row["JobID"] == job["ID"]
                    && row["CreateIndex"].as_u64() > job["CreateIndex"].as_u64()
            })
        };
        let version = own().filter_map(|row| row["JobVersion"].as_u64()).max();
        let per_node = job["Type"] == "sysbatch" || job["Type"] == "system";
        let mut newest: BTreeMap<(String, String), &Value> = BTreeMap::new();
        for row in own().filter(|row| row["JobVersion"].as_u64() == version) {
            let node = if per_node { row["NodeID"].to_string() } else { String::new() };
            newest.insert((row["Name"].to_string(), node), row);
        }
        let outcomes: BTreeSet<_> = newest.into_values().map(outcome).collect();
        let worst = WORST_FIRST.into_iter().find(|outcome| outcomes.contains(outcome));
        let outcome = if job["Stop"] == true { "stopped" } else { worst.unwrap_or("unknown") };
        let key = (job["Type"].as_str().expect("a type").to_owned(), outcome.to_owned());
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// Returns the number of allocations with a running task by node.
fn running(allocations: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in allocations {
        let states = row["TaskStates"].as_object();
        if states.into_iter().flatten().any(|(_, state)| state["State"] == "running") {
            *counts.entry(row["NodeID"].as_str().expect("a node").to_owned()).or_default() += 1;
        }
    }
    counts
}

/// Returns the number of queued allocations: of existing groups, while an evaluation waits.
async fn queued(url: &str, jobs: &[Value], evaluations: &[Value], now: &str) -> BTreeMap<JobKey, u32> {
    let mut counts = BTreeMap::new();
    for job in jobs {
        let text = |field: &str| job[field].as_str().expect("text");
        let key = JobKey::new(text("Namespace"), text("ID"));
        let waits = evaluations.iter().any(|row| {
            let own = row["Namespace"] == job["Namespace"] && row["JobID"] == job["ID"];
            let delayed = row["WaitUntil"].as_str().is_some_and(|until| until > now);
            own && !delayed && (row["Status"] == "blocked" || row["Status"] == "pending")
        });
        let specification = get(url, &format!("/v1/job/{}?namespace={}", key.id, key.namespace)).await.json();
        let groups = specification["TaskGroups"].as_array().expect("groups").iter();
        let groups: Vec<_> = groups.map(|group| group["Name"].as_str().expect("a name").to_owned()).collect();
        let of = |group: &String| job["JobSummary"]["Summary"][group]["Queued"].as_u64().unwrap_or_default();
        let sum: u64 = groups.iter().map(of).sum();
        if waits && sum > 0 {
            counts.insert(key, u32::try_from(sum).expect("few"));
        }
    }
    counts
}

/// Returns failed allocations by cause, from task events.
fn causes(allocations: &[Value]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    let failed = allocations.iter().filter(|row| row["ClientStatus"] == "failed");
    for row in failed.filter(|row| !["drained", "preempted"].contains(&outcome(row))) {
        let states = row["TaskStates"].as_object().expect("states");
        let (_, state) = states.iter().find(|(_, state)| state["Failed"] == true).expect("a failed task");
        let newest = state["Events"].as_array().into_iter().flatten().rev();
        let cause = newest.filter_map(cause).next().expect("a relevant event");
        *counts.entry(cause).or_default() += 1;
    }
    counts
}

fn cause(event: &Value) -> Option<&'static str> {
    match event["Type"].as_str()? {
        "Driver Failure" => Some("driver"),
        "Setup Failure" => Some("setup"),
        "Terminated" if event["Details"]["oom_killed"] == "true" => Some("oom"),
        "Terminated" if event["Details"]["signal"] != "0" => Some("signal"),
        "Terminated" if event["Details"]["exit_code"] != "0" => Some("exit"),
        _ => None,
    }
}

async fn check(histories: Histories) -> Histories {
    let submitted = histories.submitted;
    let served = World { cluster: histories.cluster, nodes: histories.nodes }.serve().await;
    let ledger = served.cluster().ledger();
    let jobs = served.rows("/v1/jobs?namespace=*").await;
    let mut allocations = served.rows("/v1/allocations?namespace=*").await;
    allocations.sort_by_key(|row| row["CreateIndex"].as_u64());
    let evaluations = served.rows("/v1/evaluations?namespace=*").await;

    let mut expected = BTreeMap::new();
    for ((_, job_type, outcome), count) in &ledger.finished {
        *expected.entry((job_type.as_str().to_owned(), outcome.as_str().to_owned())).or_default() += count;
    }
    assert_eq!(finished(&jobs, &allocations), expected);

    let running = running(&allocations);
    for (node, load) in &ledger.loads {
        assert_eq!(running.get(&node.to_string()).copied().unwrap_or_default(), load.running_allocations);
        // Non-terminal allocations according to the servers are among those of a node.
        let rows = served.rows(&format!("/v1/node/{node}/allocations")).await;
        let live = rows
            .iter()
            .filter(|row| ["pending", "running", "unknown"].iter().any(|of| row["ClientStatus"] == *of));
        assert_eq!(live.count(), load.live.values().sum::<usize>());
    }

    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    for ((.., cause), count) in &ledger.failed_allocations {
        *expected.entry(cause).or_default() += count;
    }
    assert_eq!(causes(&allocations), expected);
    for ((namespace, job_type, cause), count) in &ledger.failed_allocations {
        let ever = ledger.failures.get(&(namespace.clone(), *job_type, *cause)).copied().unwrap_or_default();
        assert!(ever >= *count, "{cause}");
    }

    let now = time(ledger.time);
    assert_eq!(queued(&served.simulator.url(), &jobs, &evaluations, &now).await, ledger.queued);
    let cluster = std::mem::replace(&mut *served.cluster(), Cluster::new(Settings::default()));
    Histories { cluster, nodes: served.nodes, submitted }
}

/// Formats a time like the API, so that both can be compared as text.
fn time(time: std::time::SystemTime) -> String {
    humantime::format_rfc3339_nanos(time).to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_agrees_with_the_api(
        seed in 0_u64..1000,
        version in prop::sample::select(vec!["2.0.5", "1.10.5"]),
        events in prop::collection::vec(event(), 1..80),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut histories = Histories::new(seed, version);
            for chunk in events.chunks(20) {
                chunk.iter().for_each(|event| histories.apply(event));
                histories = check(histories).await;
            }
        });
    }
}
