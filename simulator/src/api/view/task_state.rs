//! Task states and task events of an allocation.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::cluster::{Allocation, Cause, ClientStatus, Happened, TaskEvent, TaskRun, TaskState};
use crate::time::{duration_nanos, nanos, rfc3339};
use crate::version::{Version, since};

/// Returns the state of each task. Null until the client has reported one.
pub(super) fn task_states(allocation: &Allocation, version: Version) -> Value {
    if !allocation.is_received() {
        return Value::Null;
    }
    let tasks = allocation.tasks.iter();
    let states = tasks.map(|task| (task.name.clone(), task_state(allocation, task, version)));
    Value::Object(states.collect())
}

fn task_state(allocation: &Allocation, task: &TaskRun, version: Version) -> Value {
    let mut state = json!({
        "State": task.state.as_str(),
        "Failed": task.failed,
        "Restarts": task.restarts,
        "LastRestart": task.last_restart.map(rfc3339),
        "StartedAt": task.started.map(rfc3339),
        "FinishedAt": finished_at(allocation, task).map(rfc3339),
        "Events": task.events.iter().map(event).collect::<Value>(),
    });
    if version >= since::TASK_SCHEDULES {
        state["Paused"] = json!("");
    } else {
        state["TaskHandle"] = Value::Null;
    }
    state
}

/// Nomad's clients report a finish time for every task of a finished allocation, even for a task that still
/// runs.
fn finished_at(allocation: &Allocation, task: &TaskRun) -> Option<SystemTime> {
    let over = matches!(allocation.client, ClientStatus::Complete | ClientStatus::Failed);
    let pretended = || {
        let reported = allocation.finished.filter(|_| over && task.state != TaskState::Dead)?;
        Some(task.started.map_or(reported, |started| started.max(reported)))
    };
    task.finished.filter(|_| task.state == TaskState::Dead).or_else(pretended)
}

/// Contents of an event: its type, message, details, and deprecated fields.
struct EventContent {
    kind: &'static str,
    message: String,
    details: Map<String, Value>,
    fields: Map<String, Value>,
}

impl EventContent {
    fn new(kind: &'static str, message: impl Into<String>) -> EventContent {
        EventContent { kind, message: message.into(), details: Map::new(), fields: Map::new() }
    }

    /// Adds a value both to the details and as a field.
    fn with(
        mut self,
        detail: &str,
        text: impl Into<String>,
        field: &str,
        value: impl Into<Value>,
    ) -> EventContent {
        self.details.insert(detail.to_owned(), Value::String(text.into()));
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// Adds the message both to the details and as a field.
    fn repeating(self, detail: &str, field: &str) -> EventContent {
        let message = self.message.clone();
        self.with(detail, message.clone(), field, message)
    }
}

fn event(event: &TaskEvent) -> Value {
    let EventContent { kind, message, details, fields } = event_content(&event.what);
    let mut row = json!({
        "Type": kind,
        "Time": nanos(event.time),
        "DisplayMessage": message,
        "Message": "",
        "Details": details,
        "DiskLimit": 0,
        "DownloadError": "",
        "DriverError": "",
        "DriverMessage": "",
        "ExitCode": 0,
        "FailedSibling": "",
        "FailsTask": false,
        "GenericSource": "",
        "KillError": "",
        "KillReason": "",
        "KillTimeout": 0,
        "RestartReason": "",
        "SetupError": "",
        "Signal": 0,
        "StartDelay": 0,
        "TaskSignal": "",
        "TaskSignalReason": "",
        "ValidationError": "",
        "VaultError": "",
    });
    for (field, value) in fields {
        row[field] = value;
    }
    row
}

fn event_content(what: &Happened) -> EventContent {
    match what {
        Happened::Received => EventContent::new("Received", "Task received by client"),
        Happened::SetUp => {
            EventContent::new("Task Setup", "Building Task Directory").repeating("message", "Message")
        }
        Happened::DownloadsArtifacts => {
            EventContent::new("Downloading Artifacts", "Client is downloading artifacts")
        }
        Happened::Started => EventContent::new("Started", "Task started by client"),
        Happened::Terminated { exit_code, signal, oom_killed } => {
            terminated(*exit_code, *signal, *oom_killed)
        }
        Happened::FailedBy(cause) => failed_by(*cause),
        Happened::Restarting(delay) => {
            let message = format!("Task restarting in {}", go_duration(*delay));
            let delay = duration_nanos(*delay);
            EventContent::new("Restarting", message)
                .with("start_delay", delay.to_string(), "StartDelay", delay)
                .with("restart_reason", RESTARTS, "RestartReason", RESTARTS)
        }
        Happened::NotRestarting => EventContent::new("Not Restarting", NO_RESTARTS)
            .with("restart_reason", NO_RESTARTS, "RestartReason", NO_RESTARTS)
            .with("fails_task", "true", "FailsTask", true),
        Happened::SiblingFailed(sibling) => EventContent::new(
            "Sibling Task Failed",
            format!("Task's sibling {sibling:?} failed"),
        )
        .with("failed_sibling", sibling, "FailedSibling", sibling.as_str()),
        Happened::MainTasksDead => EventContent::new("Main Tasks Dead", "Main tasks in the group died"),
        Happened::Killing(timeout, reason) => {
            let waits = || format!("Sent interrupt. Waiting {} before force killing", go_duration(*timeout));
            let message = reason.map_or_else(waits, str::to_owned);
            let timeout_nanos = duration_nanos(*timeout);
            EventContent::new("Killing", message).with(
                "kill_timeout",
                go_duration(*timeout),
                "KillTimeout",
                timeout_nanos,
            )
        }
        Happened::Killed => EventContent::new("Killed", "Task successfully killed"),
        Happened::Unhealthy => EventContent::new("Alloc Unhealthy", "Unhealthy because of failed task")
            .repeating("message", "Message"),
        Happened::Reconnected => EventContent::new("Reconnected", "Client reconnected"),
    }
}

const RESTARTS: &str = "Restart within policy";
const NO_RESTARTS: &str = "Policy allows no restarts";

fn terminated(exit_code: u8, signal: u8, oom_killed: bool) -> EventContent {
    let mut message = format!("Exit Code: {exit_code}");
    if signal > 0 {
        message += &format!(", Signal: {signal}");
    }
    if oom_killed {
        message += r#", Exit Message: "OOM Killed""#;
    }
    let mut event_content = EventContent::new("Terminated", message)
        .with("exit_code", exit_code.to_string(), "ExitCode", exit_code)
        .with("signal", signal.to_string(), "Signal", signal);
    event_content.details.insert("oom_killed".to_owned(), Value::String(oom_killed.to_string()));
    if oom_killed {
        event_content.with("exit_message", "OOM Killed", "Message", "OOM Killed")
    } else {
        event_content
    }
}

fn failed_by(cause: Cause) -> EventContent {
    match cause {
        Cause::Driver => {
            let message = "Failed to pull `registry.example/build:gone`: manifest unknown";
            EventContent::new("Driver Failure", message).repeating("driver_error", "DriverError")
        }
        Cause::Artifact => {
            let message = "failed to download artifact \"http://127.0.0.1:9/none.tgz\": connection refused";
            EventContent::new("Failed Artifact Download", message)
                .repeating("download_error", "DownloadError")
        }
        Cause::Validation => {
            let message =
                "1 error occurred:\n\t* failed to parse config: number required, but have bool.\n\n";
            EventContent::new("Failed Validation", message).repeating("validation_error", "ValidationError")
        }
        Cause::Setup => {
            let message = "failed to setup alloc: pre-run hook \"network\" failed: no free address";
            EventContent::new("Setup Failure", message).with("fails_task", "true", "FailsTask", true)
        }
        Cause::Hook => {
            EventContent::new("Task hook failed", "template: no such file").repeating("message", "Message")
        }
        Cause::Disk => EventContent::new("Disk Resources Exceeded", ""),
        Cause::Unhealthy => EventContent::new("Restart Signaled", "healthcheck: check \"alive\" unhealthy")
            .repeating("restart_reason", "RestartReason"),
        // The exit code, signal or out-of-memory flag of the program is the only difference between these.
        Cause::Exit(_) | Cause::Signal(_) | Cause::OutOfMemory => EventContent::new("Driver", ""),
    }
}

/// Formats a duration like Go: `5s`, `1.5s`, `1m30s`.
fn go_duration(duration: Duration) -> String {
    let (minutes, seconds) = (duration.as_secs() / 60, (duration.as_millis() % 60_000) as f64 / 1000.0);
    if minutes > 0 { format!("{minutes}m{seconds}s") } else { format!("{seconds}s") }
}
