//! One server and four clients.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::{Agent, free_ports};
use crate::api::Api;
use crate::process::wait_until;
use crate::programs::{Program, Version};

/// Names of the clients.
pub(crate) const CLIENTS: [&str; 4] = ["client-a", "client-b", "client-c", "client-d"];
/// Node pool of client-b, if node pools are supported.
pub(crate) const POOL: &str = "builders";
/// A port that no job gets.
pub(crate) const RESERVED_PORT: u16 = 27_999;
/// Timeout until clients register or are down.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster on loopback. Dropping it kills its agents.
pub(crate) struct Cluster {
    pub(crate) server: Program,
    pub(crate) client: Program,
    pub(crate) api: Api,
    /// Contains a folder for each agent.
    pub(crate) folder: PathBuf,
    /// Node IDs by name.
    pub(crate) nodes: BTreeMap<String, String>,
    /// Whether tasks use the mock driver, which release builds lack.
    pub(crate) has_mock_driver: bool,
    _server: Agent,
    clients: BTreeMap<String, Agent>,
}

impl Cluster {
    /// Starts all agents, and waits until the clients are ready.
    pub(crate) fn start(server: &Program, client: &Program, folder: &Path) -> Self {
        let ports = free_ports();
        let server_agent = Agent::start(server, folder, "server-1", ports, &server_settings());
        let api = Api::new(server_agent.url.clone());
        wait_until(PATIENCE, "a leader", || api.try_get("/v1/status/leader").is_ok_and(|it| it != ""));
        let rpc = format!("127.0.0.1:{}", ports[1]);
        let start = |name: &str| {
            let mut settings = client_settings(name, &rpc, has_pools(server, client));
            // Short, because the path of a task's socket is limited to 107 bytes.
            settings["client"]["alloc_dir"] = folder.join(name).join("a").display().to_string().into();
            (name.to_owned(), Agent::start(client, folder, name, free_ports(), &settings))
        };
        let mut cluster = Self {
            server: server.clone(),
            client: client.clone(),
            folder: folder.to_owned(),
            nodes: BTreeMap::new(),
            has_mock_driver: false,
            clients: CLIENTS.map(start).into(),
            _server: server_agent,
            api,
        };
        let drivers = |node: &Value| node["Drivers"]["raw_exec"]["Healthy"] == true;
        let mut nodes = Vec::new();
        wait_until(PATIENCE, "four clients that are ready", || {
            nodes = cluster.api.list("/v1/nodes");
            nodes.iter().filter(|node| node["Status"] == "ready" && drivers(node)).count() == CLIENTS.len()
        });
        let text = |node: &Value, key: &str| node[key].as_str().unwrap().to_owned();
        cluster.nodes = nodes.iter().map(|node| (text(node, "Name"), text(node, "ID"))).collect();
        cluster.has_mock_driver = nodes.iter().all(|node| node["Drivers"]["mock_driver"]["Healthy"] == true);
        cluster
    }

    /// Configures preemption, and whether evaluations are paused. Enables memory oversubscription.
    pub(crate) fn configure_scheduler(&self, preemption: &Value, is_paused: bool) {
        let configuration = json!({
            "SchedulerAlgorithm": "binpack",
            "PreemptionConfig": preemption,
            "PauseEvalBroker": is_paused,
            "MemoryOversubscriptionEnabled": true,
        });
        self.api.put("/v1/operator/scheduler/configuration", &configuration);
    }

    /// Returns the file that ends the task `upload` of `uploads-in-drain`.
    pub(crate) fn upload_ends(&self) -> PathBuf {
        self.folder.join("client-d/upload-ends")
    }

    /// Returns whether servers and clients have at least this version.
    pub(crate) fn is_at_least(&self, version: Version) -> bool {
        self.server.version >= version && self.client.version >= version
    }

    /// Returns whether client-b is in its own node pool.
    pub(crate) fn has_pools(&self) -> bool {
        has_pools(&self.server, &self.client)
    }

    /// Kills a client at once.
    pub(crate) fn kill(&mut self, name: &str) {
        self.clients.get_mut(name).unwrap().kill();
    }

    /// Waits until a node has this status.
    pub(crate) fn wait_for_node(&self, name: &str, status: &str) {
        let path = format!("/v1/node/{}", self.nodes[name]);
        wait_until(PATIENCE, &format!("{name} to be {status}"), || self.api.get(&path)["Status"] == status);
    }
}

fn has_pools(server: &Program, client: &Program) -> bool {
    server.version >= Version(1, 6, 0) && client.version >= Version(1, 6, 0)
}

/// Returns settings of a server that soon notices lost clients.
fn server_settings() -> Value {
    json!({
        "server": {
            "enabled": true,
            "bootstrap_expect": 1,
            "num_schedulers": 2,
            "min_heartbeat_ttl": "5s",
            "heartbeat_grace": "10s",
            "raft_multiplier": 1,
        },
    })
}

/// Returns settings of a client whose size does not depend on the machine, and which uses no cloud metadata
/// or existing containers.
fn client_settings(name: &str, rpc: &str, has_pools: bool) -> Value {
    let is_second = matches!(name, "client-b" | "client-d");
    let mut client = json!({
        "enabled": true,
        "servers": [rpc],
        "node_class": if is_second { "large" } else { "small" },
        "network_interface": "lo",
        "cpu_total_compute": 4000,
        "memory_total_mb": 4096,
        "reserved": {"cpu": 500, "memory": 256, "disk": 100, "reserved_ports": RESERVED_PORT.to_string()},
        "max_kill_timeout": "1h",
        "gc_max_allocs": 10_000,
        "gc_disk_usage_threshold": 100.0,
        "gc_inode_usage_threshold": 100.0,
        "options": {
            "driver.allowlist": "mock_driver,raw_exec",
            "driver.raw_exec.enable": "true",
            "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean,consul,vault,bridge,cni",
        },
    });
    if has_pools && name == "client-b" {
        client["node_pool"] = POOL.into();
    }
    json!({"datacenter": if is_second { "dc2" } else { "dc1" }, "client": client})
}
