//! A simulated cluster whose clients follow the query, and its recorded series.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_simulator::cluster::{Cluster, JobSpec, NodeSpec, Settings, Span};
use nomad_simulator::{SharedCluster, Simulator};

use crate::support::collect::{Collector, only};
use crate::support::exposition::{Exposition, Sample};

/// Interval of samples and decisions.
pub(super) const STEP: Duration = Duration::from_secs(30);
const MINUTES: usize = 90;
/// Steps until a new client has joined.
const BOOT: usize = 4;
/// Steps between two scale-ins, as in policy.hcl.
const COOLDOWN: usize = 10;
/// Size of a client, requests of a build, and of the system job on each client: four builds fit.
const CLIENT_HERTZ: f64 = 10_000e6;
const BUILD_MHZ: u64 = 2_000;
const SYSTEM_HERTZ: f64 = 50e6;

/// Metrics that the rules read, and the labels that identify their series.
const READ: [(&str, &[&str]); 13] = [
    ("nomad_allocations", &["namespace", "job_type", "client_status"]),
    ("nomad_exporter_collector_up", &["collector"]),
    ("nomad_node_allocatable_cpu_hertz", &["node_id"]),
    ("nomad_node_allocatable_memory_bytes", &["node_id"]),
    ("nomad_node_allocated_cpu_hertz", &["node_id"]),
    ("nomad_node_allocated_memory_bytes", &["node_id"]),
    ("nomad_node_info", &["node_id", "node_pool"]),
    ("nomad_node_state", &["node_id", "state"]),
    ("nomad_nodes", &["node_pool", "state"]),
    ("nomad_pool_clients_missing", &["node_pool"]),
    ("nomad_queued_allocations", &["namespace", "job_type", "node_pool"]),
    ("nomad_queued_cpu_hertz", &["namespace", "node_pool"]),
    ("nomad_queued_memory_bytes", &["namespace", "node_pool"]),
];

/// Collectors that these metrics come from.
const COLLECTORS_READ: [&str; 6] =
    ["jobs", "allocations", "evaluations", "nodes", "drains", "specifications"];

/// Events of a step, counted from 0.
pub(super) type Happens = fn(&mut Play, usize);

/// A cluster with its group of clients, and the recording.
pub(super) struct Play {
    cluster: SharedCluster,
    collector: Collector,
    builds: usize,
    clients: usize,
    /// Steps at which ordered clients join.
    booting: VecDeque<usize>,
    desired: usize,
    last_scale_in: usize,
    running: Vec<f64>,
    demand: Vec<f64>,
    missing: Vec<f64>,
    /// Number of waiting builds at each step.
    pub(super) queued: Vec<f64>,
    needed: Vec<f64>,
    /// Wanted number at each step.
    pub(super) wanted: Vec<usize>,
    series: BTreeMap<String, Vec<Option<f64>>>,
    _simulator: Simulator,
}

impl Play {
    /// Plays a shape from the first to the last step.
    pub(super) async fn run(clients: usize, happens: Happens) -> Self {
        let mut cluster = Cluster::new(Settings { seed: 7, ..Settings::default() });
        cluster.submit(JobSpec::system("logs").with_resources(50, 32));
        let cluster = Arc::new(Mutex::new(cluster));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        let others_off = only(&COLLECTORS_READ);
        let mut play = Self {
            cluster,
            collector: Collector::new(
                &simulator.url(),
                &others_off.iter().map(String::as_str).collect::<Vec<_>>(),
            ),
            builds: 0,
            clients: 0,
            booting: VecDeque::new(),
            desired: clients,
            last_scale_in: 0,
            running: Vec::new(),
            demand: Vec::new(),
            missing: Vec::new(),
            queued: Vec::new(),
            needed: Vec::new(),
            wanted: Vec::new(),
            series: BTreeMap::new(),
            _simulator: simulator,
        };
        (0..clients).for_each(|_| play.join());
        for step in 0..MINUTES * 60 / STEP.as_secs() as usize {
            happens(&mut play, step);
            play.cluster.lock().unwrap().advance(STEP);
            play.collector.refresh().await;
            let shown = play.collector.exposition();
            play.record(&shown, step);
            play.decide(&shown, step);
        }
        play
    }

    /// Submits builds that take a number of minutes each.
    pub(super) fn submit(&mut self, builds: usize, minutes: (u64, u64)) {
        let mut cluster = self.cluster.lock().unwrap();
        for _ in 0..builds {
            self.builds += 1;
            let span =
                Span { min: Duration::from_secs(minutes.0 * 60), max: Duration::from_secs(minutes.1 * 60) };
            let build = JobSpec::batch(&format!("build-{}", self.builds)).with_resources(BUILD_MHZ, 1024);
            cluster.submit(build.running_for(span));
        }
    }

    /// Drains a client manually.
    pub(super) fn drain(&mut self, name: &str) {
        let mut cluster = self.cluster.lock().unwrap();
        let node = cluster.node_named(name).expect("it is there");
        cluster.drain(node, Some(Duration::from_secs(7200)), true);
    }

    fn join(&mut self) {
        self.clients += 1;
        let name = format!("client-{:02}", self.clients);
        self.cluster.lock().unwrap().register_node(NodeSpec::new(&name));
    }

    fn record(&mut self, shown: &Exposition, step: usize) {
        for (family, labels) in READ {
            for sample in shown.find(family, &[]) {
                let is_read = match family {
                    "nomad_exporter_collector_up" => {
                        ["nodes", "allocations"].contains(&sample.labels["collector"].as_str())
                    }
                    "nomad_allocations" => {
                        ["batch", "system"].contains(&sample.labels["job_type"].as_str())
                            && sample.labels["client_status"] == "running"
                    }
                    "nomad_nodes" => sample.labels["state"] == "active",
                    "nomad_queued_allocations" => sample.labels["job_type"] == "batch",
                    _ => true,
                };
                if !is_read {
                    continue;
                }
                let label = |name: &str| match name {
                    // Names are shorter than IDs, and as unique here.
                    "node_id" => sample.labels["node"].clone(),
                    _ => sample.labels[name].clone(),
                };
                let labels = labels.iter().map(|name| format!(r#"{name}="{}""#, label(name)));
                let name = format!(r#"{family}{{instance="a", {}}}"#, labels.collect::<Vec<_>>().join(", "));
                let values = self.series.entry(name).or_default();
                values.resize(step, None);
                values.push(Some(sample.value));
            }
        }
    }

    /// Calculates the result of the rules in the simplest way, and applies it like an autoscaler.
    fn decide(&mut self, shown: &Exposition, step: usize) {
        let builds = ["pending", "running", "unknown"].map(|status| {
            shown.sum("nomad_allocations", &[("job_type", "batch"), ("client_status", status)]).unwrap_or(0.0)
        });
        let running = match builds.iter().sum::<f64>() {
            0.0 => 0.0,
            _ => shown.sum("nomad_node_allocated_cpu_hertz", &[]).unwrap_or(0.0),
        };
        let missing = shown.value("nomad_pool_clients_missing", &[("node_pool", "default")]);
        let queued = shown.sum("nomad_queued_allocations", &[("node_pool", "default")]).unwrap();
        self.queued.push(queued);
        self.running.push(running);
        self.demand.push(running + shown.sum("nomad_queued_cpu_hertz", &[("node_pool", "default")]).unwrap());
        self.missing.push(missing.unwrap_or(f64::INFINITY));
        // Demand that does not last is ignored.
        let lasting = |values: &[f64]| values.iter().rev().take(3).copied().fold(f64::INFINITY, f64::min);
        let clients = |hertz: f64| ((hertz / CLIENT_HERTZ / 0.8 * 1000.0).round() / 1000.0).ceil();
        let running = clients(lasting(&self.running));
        self.needed.push(match missing.map(|_| lasting(&self.missing)) {
            Some(0.0) => running,
            Some(missing) => running.max(shown.sum("nomad_nodes", &[("state", "active")]).unwrap() + missing),
            None => clients(lasting(&self.demand)).min(running + queued),
        });
        let wanted = self.needed.iter().rev().take(61).copied().fold(0.0, f64::max) as usize;
        self.wanted.push(wanted);

        while self.booting.front().is_some_and(|joins| *joins <= step) {
            self.booting.pop_front();
            self.join();
        }
        // A group replaces a client that was drained and terminated manually.
        for name in names(shown.find("nomad_node_drained", &[]).filter(|sample| sample.value == 1.0)) {
            self.remove(&name);
            self.booting.push_back(step + BOOT);
        }
        let wanted = wanted.max(1);
        if wanted > self.desired {
            (self.desired..wanted).for_each(|_| self.booting.push_back(step + BOOT));
            self.desired = wanted;
        } else if wanted < self.desired && step >= self.last_scale_in + COOLDOWN {
            let empty = shown
                .find("nomad_node_allocated_cpu_hertz", &[])
                .filter(|sample| sample.value <= SYSTEM_HERTZ);
            let draining = names(shown.find("nomad_node_drained", &[]));
            let empty = names(empty).into_iter().filter(|name| !draining.contains(name));
            for name in empty.take(self.desired - wanted).collect::<Vec<_>>() {
                self.remove(&name);
                self.desired -= 1;
                self.last_scale_in = step;
            }
        }
    }

    fn remove(&mut self, name: &str) {
        let mut cluster = self.cluster.lock().unwrap();
        let node = cluster.node_named(name).expect("it is there");
        cluster.remove_node(node);
    }

    /// Returns the series in promtool's format.
    pub(super) fn input_series(&self) -> String {
        let mut text = String::new();
        for (name, values) in &self.series {
            let runs = values.chunk_by(|one, other| one == other).map(|run| match (run[0], run.len()) {
                (None, length) => format!("_x{length}"),
                (Some(value), 1) => format!("{value}"),
                (Some(value), length) => format!("{value}+0x{}", length - 1),
            });
            writeln!(text, "      - series: {name}\n        values: {}", runs.collect::<Vec<_>>().join(" "))
                .unwrap();
        }
        text
    }
}

fn names<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<String> {
    samples.map(|sample| sample.labels["node"].clone()).collect()
}
