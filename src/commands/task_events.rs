//! Task events for people.

use std::time::SystemTime;

use crate::human;
use crate::nomad::api::{TaskEvent, TaskHistory};

/// Maximum number of shown events of a task.
const MAX_EVENTS: usize = 5;
/// Events of every task, which do not show why one has not started.
const ORDINARY: [&str; 4] = ["Received", "Task Setup", "Downloading Artifacts", "Started"];

/// A task event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShownEvent {
    /// Time of the event.
    pub(super) time: Option<SystemTime>,
    /// Type, such as `Driver Failure`.
    pub(super) kind: String,
    /// Nomad's description, with exit code, signal or error; may be empty.
    pub(super) message: String,
}

/// Returns the last relevant events of a task, oldest first.
pub(super) fn relevant(task: &TaskHistory) -> Vec<ShownEvent> {
    let is_relevant = |event: &&TaskEvent| !ORDINARY.contains(&event.kind.as_deref().unwrap_or_default());
    let mut events: Vec<ShownEvent> =
        task.events().rev().filter(is_relevant).take(MAX_EVENTS).map(shown_event).collect();
    events.reverse();
    events
}

fn shown_event(event: &TaskEvent) -> ShownEvent {
    // Messages with several lines are bullet lists.
    let message = event.display_message.as_deref().unwrap_or_default().split_whitespace();
    ShownEvent {
        time: event.time(),
        kind: event.kind.clone().unwrap_or_else(|| "?".to_owned()),
        message: message.collect::<Vec<_>>().join(" "),
    }
}

impl ShownEvent {
    /// Formats it as a line.
    pub(super) fn line(&self) -> String {
        let time = self.time.map(|time| format!("{}  ", human::clock(time))).unwrap_or_default();
        let colon = if self.message.is_empty() { "" } else { ": " };
        format!("{time}{}{colon}{}", self.kind, self.message)
    }
}
