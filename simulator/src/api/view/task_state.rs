//! The states of an allocation's tasks, told from what became of the allocation.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::cluster::{Allocation, ClientStatus, Lifecycle, Task};
use crate::time::{nanos, rfc3339};
use crate::version::{Version, since};

/// A client takes this long from hearing of an allocation to preparing it.
const SETUP: Duration = Duration::from_millis(20);
/// Prestart tasks of the model run this long.
const PRESTART: Duration = Duration::from_secs(2);

/// The states by task; null while the client has said nothing.
pub(super) fn task_states(allocation: &Allocation, version: Version) -> Value {
    let Some(started) = allocation.started else { return Value::Null };
    let tasks = allocation.task_group().into_iter().flat_map(|group| &group.tasks);
    let states: Map<String, Value> =
        tasks.map(|task| (task.name.clone(), task_state(allocation, task, started, version))).collect();
    Value::Object(states)
}

fn task_state(allocation: &Allocation, task: &Task, started: SystemTime, version: Version) -> Value {
    let own_end = match task.lifecycle {
        Some(Lifecycle::Prestart | Lifecycle::Poststart) => Some(started + PRESTART),
        Some(Lifecycle::Sidecar | Lifecycle::Poststop) | None => None,
    };
    // A lost client has never told the end.
    let ended = allocation.finished.filter(|_| allocation.client != ClientStatus::Lost);
    let waits = task.lifecycle == Some(Lifecycle::Poststop) && ended.is_none();
    let finished = own_end.into_iter().chain(ended).min().filter(|_| !waits);
    let failed = allocation.client == ClientStatus::Failed && task.lifecycle.is_none();
    let mut events = vec![
        event("Received", "Task received by client", allocation.created),
        event("Task Setup", "Building Task Directory", allocation.created + SETUP),
    ];
    if !waits {
        events.push(event("Started", "Task started by client", started));
    }
    if let Some(finished) = finished {
        let killed = allocation.stop && !failed && own_end.is_none();
        if killed {
            events.push(event("Killing", "Sent interrupt. Waiting 5s before force killing", finished));
        }
        let message = if failed { "Exit Code: 1" } else { "Exit Code: 0" };
        let mut terminated = event("Terminated", message, finished);
        terminated["ExitCode"] = json!(i32::from(failed));
        events.push(terminated);
        if failed {
            let mut last = event("Not Restarting", "Policy allows no restarts", finished);
            last["FailsTask"] = json!(true);
            events.push(last);
        } else if killed {
            events.push(event("Killed", "Task successfully killed", finished));
        }
    }
    let mut state = json!({
        "State": if waits { "pending" } else if finished.is_some() { "dead" } else { "running" },
        "Failed": failed,
        "Restarts": 0,
        "LastRestart": null,
        "StartedAt": (!waits).then(|| rfc3339(started)),
        "FinishedAt": finished.map(rfc3339),
        "Events": events,
    });
    if version >= since::TASK_SCHEDULES {
        state["Paused"] = json!("");
    } else {
        state["TaskHandle"] = Value::Null;
    }
    state
}

fn event(kind: &str, message: &str, time: SystemTime) -> Value {
    json!({
        "Type": kind,
        "Time": nanos(time),
        "DisplayMessage": message,
        "Message": "",
        "Details": {},
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
    })
}
