//! Job specifications in the API's format.

use std::time::Duration;

use serde_json::{Value, json};

/// Behavior of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// Runs until it is told to stop.
    Run,
    /// Exits with a code after some seconds.
    Exit(u64, i64),
    /// Is killed by signal 9 after some seconds.
    Die(u64),
    /// Cannot be started by its driver.
    FailToStart,
    /// Continues for some seconds after it is told to stop.
    Linger(u64),
}

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job(Value);

/// A task group. By default nothing is restarted or rescheduled.
#[derive(Clone, Debug)]
pub(crate) struct Group(Value);

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct Task(Value);

/// Kill timeout of tasks that stop slowly.
const KILL_TIMEOUT: Duration = Duration::from_secs(1800);

impl Job {
    /// Creates a job in both datacenters.
    pub(crate) fn new(kind: &str, namespace: &str, id: &str, groups: &[Group]) -> Self {
        let mut groups: Vec<Value> = groups.iter().map(|group| group.0.clone()).collect();
        if matches!(kind, "system" | "sysbatch") {
            // These types reject a reschedule policy.
            groups.iter_mut().for_each(|group| group["ReschedulePolicy"] = Value::Null);
        }
        Self(json!({
            "ID": id, "Name": id, "Namespace": namespace, "Type": kind, "Datacenters": ["dc1", "dc2"],
            "TaskGroups": groups,
        }))
    }

    /// Creates a job with one group `build`.
    pub(crate) fn batch(namespace: &str, id: &str, group: Group) -> Self {
        Self::new("batch", namespace, id, &[group])
    }

    /// Creates a service with one group `build`.
    pub(crate) fn service(namespace: &str, id: &str, group: Group) -> Self {
        Self::new("service", namespace, id, &[group])
    }

    pub(crate) fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0[key] = value.into();
        self
    }

    /// Restricts it to one client.
    pub(crate) fn on(self, client: &str) -> Self {
        self.constrained("${node.unique.name}", client)
    }

    pub(crate) fn constrained(self, left: &str, right: &str) -> Self {
        self.set("Constraints", json!([{"LTarget": left, "RTarget": right, "Operand": "="}]))
    }

    pub(crate) fn name(&self) -> (String, String) {
        let text = |key: &str| self.0[key].as_str().unwrap().to_owned();
        (text("Namespace"), text("ID"))
    }

    pub(crate) fn json(&self) -> &Value {
        &self.0
    }
}

impl Group {
    /// Creates a group `build` with one task.
    pub(crate) fn of(task: Task) -> Self {
        Self::new("build", &[task])
    }

    pub(crate) fn new(name: &str, tasks: &[Task]) -> Self {
        let tasks: Vec<&Value> = tasks.iter().map(|task| &task.0).collect();
        Self(json!({
            "Name": name, "Count": 1, "Tasks": tasks,
            "EphemeralDisk": {"SizeMB": 20},
            "RestartPolicy": {
                "Attempts": 0, "Mode": "fail", "Interval": nanos(Duration::from_secs(1800)),
                "Delay": nanos(Duration::from_secs(1)),
            },
            "ReschedulePolicy": {"Attempts": 0, "Unlimited": false},
        }))
    }

    pub(crate) fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0[key] = value.into();
        self
    }

    pub(crate) fn count(self, count: u64) -> Self {
        self.set("Count", count)
    }

    /// Restarts its tasks without limit, after a pause.
    pub(crate) fn restarted_after(self, pause: Duration) -> Self {
        let policy = json!({
            "Attempts": 1000, "Mode": "delay", "Interval": nanos(Duration::from_secs(86_400)),
            "Delay": nanos(pause),
        });
        self.set("RestartPolicy", policy)
    }

    /// Reschedules failed allocations after a pause.
    pub(crate) fn rescheduled_after(self, pause: Duration) -> Self {
        let policy = json!({
            "Attempts": 2, "Unlimited": false, "Interval": nanos(Duration::from_secs(86_400)),
            "Delay": nanos(pause), "DelayFunction": "constant",
        });
        self.set("ReschedulePolicy", policy)
    }
}

impl Task {
    /// Creates a task with the mock driver, if it is available, because it uses few resources.
    pub(crate) fn new(has_mock_driver: bool, does: Does) -> Self {
        let mocked = if has_mock_driver { mock(does) } else { None };
        let (driver, config) =
            mocked.map_or_else(|| ("raw_exec", shell(does)), |config| ("mock_driver", config));
        let task = Self::with_driver(driver, config);
        match does {
            Does::Linger(_) => task.set("KillTimeout", nanos(KILL_TIMEOUT)),
            _ => task,
        }
    }

    /// Creates a task with a shell script of the raw_exec driver.
    pub(crate) fn script(script: &str) -> Self {
        Self::with_driver("raw_exec", json!({"command": "/bin/sh", "args": ["-c", script]}))
    }

    pub(crate) fn with_driver(driver: &str, config: Value) -> Self {
        Self(json!({
            "Name": "agent", "Driver": driver, "Config": config,
            "Resources": {"CPU": 20, "MemoryMB": 16},
            "LogConfig": {"MaxFiles": 1, "MaxFileSizeMB": 1},
        }))
    }

    pub(crate) fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0[key] = value.into();
        self
    }

    pub(crate) fn named(self, name: &str) -> Self {
        self.set("Name", name)
    }

    /// Sets its lifecycle: `prestart`, `poststart` or `poststop`.
    pub(crate) fn hooked(self, hook: &str, sidecar: bool) -> Self {
        self.set("Lifecycle", json!({"Hook": hook, "Sidecar": sidecar}))
    }

    /// Sets CPU in MHz and memory in MiB.
    pub(crate) fn needs(self, cpu: u64, memory: u64) -> Self {
        self.set("Resources", json!({"CPU": cpu, "MemoryMB": memory}))
    }
}

/// Returns settings of the mock driver. It cannot linger, because it ignores its own kill_after.
fn mock(does: Does) -> Option<Value> {
    match does {
        Does::Run => Some(json!({"run_for": "24h"})),
        Does::Exit(seconds, code) => Some(json!({"run_for": format!("{seconds}s"), "exit_code": code})),
        Does::Die(seconds) => Some(json!({"run_for": format!("{seconds}s"), "exit_signal": 9})),
        Does::FailToStart => Some(json!({"start_error": "the image cannot be pulled"})),
        Does::Linger(_) => None,
    }
}

fn shell(does: Does) -> Value {
    let script = match does {
        Does::Run => "exec sleep 86400".to_owned(),
        Does::Exit(seconds, code) => format!("sleep {seconds}; exit {code}"),
        Does::Die(seconds) => format!("sleep {seconds}; kill -9 $$"),
        Does::FailToStart => return json!({"command": "/nowhere/agent"}),
        // Nomad interrupts a task first, and kills it only after its KillTimeout.
        Does::Linger(seconds) => format!("trap 'sleep {seconds}; exit 0' INT; while :; do sleep 1; done"),
    };
    json!({"command": "/bin/sh", "args": ["-c", script]})
}

/// Returns a duration in the API's format.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}
