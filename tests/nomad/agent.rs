//! A Nomad agent on loopback.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::Api;
use crate::process::{Running, wait_until};
use crate::programs::Program;

/// Timeout until an agent listens.
const START: Duration = Duration::from_secs(60);
/// The user and group `nobody`.
const NOBODY: u32 = 65534;

/// A running agent. Dropping it kills it; scripts/test-nomad.sh removes what its tasks leave behind.
pub(crate) struct Agent {
    pub(crate) name: String,
    /// URL of its HTTP API.
    pub(crate) url: String,
    process: Option<Running>,
}

impl Agent {
    /// Starts an agent in its own folder, with these settings in addition to the common ones. `ports` are its
    /// HTTP, RPC and Serf ports.
    pub(crate) fn start(program: &Program, folder: &Path, name: &str, ports: [u16; 3], role: &Value) -> Self {
        let folder = folder.join(name);
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let config = folder.join("config.json");
        std::fs::write(&config, settings(&folder, name, ports, role).to_string()).unwrap();
        let log = File::create(folder.join("log")).unwrap();

        let mut command = program.command();
        command.arg("agent").arg("-config").arg(&config);
        // Everything that it starts inherits this folder, by which scripts/test-nomad.sh finds leftover
        // processes.
        command.current_dir(&folder).env("HOME", &folder).env("TMPDIR", &folder);
        command.stdin(std::process::Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        if is_root() {
            // As root, Nomad mounts file systems and creates control groups, which the tests do not need.
            for path in [&folder, &folder.join("data"), &config] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{}: {error} (started by root, the agents run as nobody)", program.path.display())
        });
        let mut agent = Self {
            name: name.to_owned(),
            url: format!("http://127.0.0.1:{}", ports[0]),
            process: Some(Running(child)),
        };
        agent.wait(&folder.join("log"));
        agent
    }

    fn wait(&mut self, log: &Path) {
        let api = Api::new(self.url.clone());
        let process = self.process.as_mut().unwrap();
        wait_until(START, &format!("{} to listen; its log: {}", self.name, log.display()), || {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!("{} ended with {status}: {}", self.name, std::fs::read_to_string(log).unwrap());
            }
            api.try_get("/v1/agent/health").is_ok()
        });
    }

    /// Returns its user and system time so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let process = self.process.as_ref().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.0.id())).unwrap();
        let after_name = stat.rsplit(") ").next().unwrap();
        let ticks = after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
        // USER_HZ is 100 on Linux.
        ticks.sum::<f64>() / 100.0
    }

    /// Kills it immediately, like a power failure.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }
}

/// Returns the settings of an agent without outside connections.
fn settings(folder: &Path, name: &str, [http, rpc, serf]: [u16; 3], role: &Value) -> Value {
    let own = |port: u16| format!("127.0.0.1:{port}");
    let mut settings = json!({
        "name": name,
        "data_dir": folder.join("data"),
        "bind_addr": "127.0.0.1",
        "ports": {"http": http, "rpc": rpc, "serf": serf},
        "advertise": {"http": own(http), "rpc": own(rpc), "serf": own(serf)},
        "log_level": "INFO",
        "disable_update_check": true,
        "disable_anonymous_signature": true,
        "consul": {
            "auto_advertise": false, "server_auto_join": false, "client_auto_join": false,
            "address": "127.0.0.1:1",
        },
        "vault": {"enabled": false},
    });
    for (key, value) in role.as_object().unwrap() {
        settings[key] = value.clone();
    }
    settings
}

/// Returns different free ports.
pub(crate) fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    // All are held until the last is known.
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.each_ref().map(|listener| listener.local_addr().unwrap().port())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
