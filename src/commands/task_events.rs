//! What happened to a task, as people read it.

use std::time::SystemTime;

use crate::human;
use crate::nomad::api::{TaskEvent, TaskHistory};

/// Number of events that are shown of a task.
const MAX_EVENTS: usize = 5;
/// Events of every task; they do not tell why one has not started.
const ORDINARY: [&str; 4] = ["Received", "Task Setup", "Downloading Artifacts", "Started"];

/// One thing that happened to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// When.
    pub(super) time: Option<SystemTime>,
    /// What kind of thing, such as `Driver Failure`.
    pub(super) kind: String,
    /// Nomad's sentence about it, with exit code, signal or error; may be empty.
    pub(super) message: String,
}

/// Returns the last events of a task that tell something, the oldest first.
pub(super) fn telling(task: &TaskHistory) -> Vec<Told> {
    let is_telling = |event: &&TaskEvent| !ORDINARY.contains(&event.kind.as_deref().unwrap_or_default());
    let mut events: Vec<Told> = task.events().rev().filter(is_telling).take(MAX_EVENTS).map(told).collect();
    events.reverse();
    events
}

fn told(event: &TaskEvent) -> Told {
    // Messages of several lines are lists with bullets.
    let message = event.display_message.as_deref().unwrap_or_default().split_whitespace();
    Told {
        time: event.time(),
        kind: event.kind.clone().unwrap_or_else(|| "?".to_owned()),
        message: message.collect::<Vec<_>>().join(" "),
    }
}

impl Told {
    /// Returns it as a line.
    pub(super) fn line(&self) -> String {
        let time = self.time.map(|time| format!("{}  ", human::clock(time))).unwrap_or_default();
        let colon = if self.message.is_empty() { "" } else { ": " };
        format!("{time}{}{colon}{}", self.kind, self.message)
    }
}
