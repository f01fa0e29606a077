//! Cost of the exporter for a real server: CPU without the exporter, with it, and with a client that reads
//! five whole lists every 30 s.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::agent::{Agent, free_ports};
use crate::api::Api;
use crate::process::{Exporter, wait_until};
use crate::programs::Program;

/// Number of finished builds, each a job of its own.
const DEAD: usize = 3_000;
/// Number of running builds.
const LIVE: usize = 100;
/// Duration of a measurement.
const WINDOW: Duration = Duration::from_secs(60);
/// Number of requests for single rows.
const ROWS: usize = 2_000;
/// Interval of new builds in seconds, if there are any.
const BUILD_EVERY: u64 = 2;
const LISTS_EVERY: u64 = 30;
/// Lists that other tools typically read.
const LISTS: [&str; 5] = [
    "/v1/jobs?namespace=*",
    "/v1/nodes",
    "/v1/allocations?namespace=*",
    "/v1/evaluations?namespace=*",
    "/v1/deployments?namespace=*",
];
/// Timeout for the builds to end.
const PATIENCE: Duration = Duration::from_secs(600);

/// A server, and a client with room for all builds.
struct Farm {
    server: Agent,
    api: Api,
    builds: usize,
    _client: Agent,
}

/// Measures one version and prints the results. Asserts nothing, because other load on the machine affects
/// them.
pub(crate) fn measure(nomad: &Program, folder: &Path) {
    let mut farm = Farm::start(nomad, folder);
    if !farm.has_mock_driver() {
        println!("skipped: what the exporter costs: a Nomad that is built for release has no mock driver");
        return;
    }
    farm.fill();
    println!("  server CPU a minute, {DEAD} builds over, {LIVE} going on");
    let rest = farm.window("at rest, nobody asks", false, false);
    let builds = farm.window(&format!("a build every {BUILD_EVERY} s, nobody asks"), true, false);
    println!("  {:6.2} ms of that CPU for one job by its ID", farm.row() * 1e3);
    let exporter = Exporter::start(&farm.api.url, &["--log.format=logfmt"]);
    let refreshed = || farm.api.page(&format!("{}/metrics", exporter.url)).contains("\nnomad_up 1\n");
    wait_until(PATIENCE, "the exporter to read everything", refreshed);
    // Gives the exporter time to detect which lists do not change.
    std::thread::sleep(WINDOW);
    let exporter_at_rest = farm.window("at rest, the exporter", false, false) - rest;
    let exporter_at_work = farm.window("builds, the exporter", true, false) - builds;
    drop(exporter);
    let lists = farm.window("builds, five whole lists every 30 s", true, true) - builds;
    println!(
        "  of that the exporter: {exporter_at_rest:.2} s at rest, {exporter_at_work:.2} s; the lists: {lists:.2} s"
    );
    println!("  (windows of an idle machine differ by some tenths of a second, those of a busy one by more)");
}

impl Farm {
    fn start(nomad: &Program, folder: &Path) -> Self {
        let ports = free_ports();
        let role = json!({"server": {"enabled": true, "bootstrap_expect": 1, "num_schedulers": 2, "raft_multiplier": 1}});
        let server = Agent::start(nomad, folder, "s", ports, &role);
        let api = Api::new(server.url.clone());
        wait_until(PATIENCE, "a leader", || api.try_get("/v1/status/leader").is_ok_and(|it| it != ""));
        let client = json!({"client": {
            "enabled": true,
            "servers": [format!("127.0.0.1:{}", ports[1])],
            "network_interface": "lo",
            "cpu_total_compute": 1_000_000,
            "memory_total_mb": 1_000_000,
            "gc_max_allocs": 100_000,
            "gc_disk_usage_threshold": 100.0,
            "gc_inode_usage_threshold": 100.0,
            "alloc_dir": folder.join("c/a").display().to_string(),
            "options": {
                "driver.allowlist": "mock_driver",
                "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean,consul,vault,bridge,cni",
            },
        }});
        let client = Agent::start(nomad, folder, "c", free_ports(), &client);
        wait_until(PATIENCE, "a client that is ready", || {
            api.list("/v1/nodes").iter().any(|node| node["Status"] == "ready")
        });
        Self { server, api, builds: 0, _client: client }
    }

    fn has_mock_driver(&self) -> bool {
        self.api.list("/v1/nodes").iter().all(|node| node["Drivers"]["mock_driver"]["Healthy"] == true)
    }

    fn build(&mut self, runs_for: &str) {
        self.builds += 1;
        self.api.put("/v1/jobs", &job(&format!("build-{}", self.builds), runs_for));
    }

    /// Creates the builds that exist before the measurements.
    fn fill(&mut self) {
        (0..LIVE).for_each(|_| self.build("24h"));
        (0..DEAD).for_each(|_| self.build("10ms"));
        wait_until(PATIENCE, "the builds to end", || {
            std::thread::sleep(Duration::from_secs(1));
            let dead = r#"/v1/jobs?per_page=100000&filter=Status%20==%20%22dead%22"#;
            self.api.list(dead).len() >= DEAD
        });
        // Gives the servers time for the work that follows the end of the builds.
        std::thread::sleep(Duration::from_secs(20));
    }

    /// Returns the CPU seconds of the server for one row of a list.
    fn row(&self) -> f64 {
        let before = self.server.cpu_seconds();
        for number in 1..=ROWS {
            let row = format!("/v1/jobs?namespace=default&prefix=build-{number}&per_page=1");
            assert_eq!(self.api.list(&row).len(), 1);
        }
        (self.server.cpu_seconds() - before) / ROWS as f64
    }

    /// Returns the CPU seconds of the server during a measurement, with or without new builds and a client
    /// that reads whole lists.
    fn window(&mut self, what: &str, builds: bool, lists: bool) -> f64 {
        let (before, began) = (self.server.cpu_seconds(), Instant::now());
        for second in 0..WINDOW.as_secs() {
            if builds && second % BUILD_EVERY == 0 {
                self.build("1s");
            }
            if lists && second % LISTS_EVERY == 0 {
                LISTS.iter().for_each(|list| drop(self.api.page(&format!("{}{list}", self.api.url))));
            }
            std::thread::sleep(Duration::from_secs(second + 1).saturating_sub(began.elapsed()));
        }
        let took = (self.server.cpu_seconds() - before) * 60.0 / began.elapsed().as_secs_f64();
        println!("  {took:6.2} s  {what}");
        took
    }
}

/// Returns a build with one task that does nothing.
fn job(id: &str, runs_for: &str) -> Value {
    json!({"Job": {
        "ID": id, "Name": id, "Type": "batch", "Datacenters": ["dc1"],
        "TaskGroups": [{
            "Name": "build", "Count": 1,
            "RestartPolicy": {"Attempts": 0, "Mode": "fail"},
            "ReschedulePolicy": {"Attempts": 0, "Unlimited": false},
            "EphemeralDisk": {"SizeMB": 10},
            "Tasks": [{
                "Name": "step", "Driver": "mock_driver", "Config": {"run_for": runs_for},
                "Resources": {"CPU": 10, "MemoryMB": 10},
                // A log process per task would cause most of the load.
                "LogConfig": {"Disabled": true, "MaxFiles": 1, "MaxFileSizeMB": 1},
            }],
        }],
    }})
}
