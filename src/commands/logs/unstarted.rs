//! Why a task has no log: it never started, or has yet to.

use crate::commands::task_events;
use crate::nomad::api::{AllocationHistory, TaskHistory};
use crate::terms::ClientStatus;

/// Why a task has not started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnstartedCause {
    /// It may start yet.
    Waits,
    /// It failed before it started.
    Failed,
    /// Another task of its allocation failed.
    Sibling {
        /// That task.
        name: String,
        /// Whether that one started, and so has a log.
        has_log: bool,
    },
    /// It was stopped first.
    Stopped,
    /// Its client was lost first.
    Lost,
}

/// Returns why this task of an allocation has not started, and the last telling events, a line each, the oldest first:
/// of the task, or of the one that failed.
pub(super) fn cause(allocation: &AllocationHistory, task: &str) -> (UnstartedCause, Vec<String>) {
    let own = allocation.tasks().find(|(name, _)| *name == task).map(|(_, task)| task);
    let Some(over) = own.filter(|own| own.is_dead() || own.failed == Some(true)) else {
        // Tasks of a lost client are never heard of again. A failed allocation may still start poststop tasks.
        let is_lost = allocation.client_status == ClientStatus::Lost;
        let cause = if is_lost { UnstartedCause::Lost } else { UnstartedCause::Waits };
        return (cause, own.map(events).unwrap_or_default());
    };
    if over.failed == Some(true) {
        return (UnstartedCause::Failed, events(over));
    }
    match first_failed(allocation) {
        Some((name, sibling)) => {
            let (name, has_log) = (name.to_owned(), sibling.has_started());
            (UnstartedCause::Sibling { name, has_log }, events(sibling))
        }
        None => (UnstartedCause::Stopped, events(over)),
    }
}

/// The task that failed first.
fn first_failed(allocation: &AllocationHistory) -> Option<(&str, &TaskHistory)> {
    let failed = allocation.tasks().filter(|(_, task)| task.failed == Some(true));
    failed.min_by_key(|(_, task)| (task.finished().is_none(), task.finished()))
}

fn events(task: &TaskHistory) -> Vec<String> {
    task_events::telling(task).iter().map(task_events::Told::line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(client_status: &str, tasks: &str) -> (UnstartedCause, Vec<String>) {
        let json = format!(r#"{{"ClientStatus":"{client_status}","TaskStates":{tasks}}}"#);
        cause(&serde_json::from_str(&json).unwrap(), "main")
    }

    #[test]
    fn only_a_dead_task_or_a_lost_client_ends_the_wait() {
        use UnstartedCause::{Failed, Lost, Stopped, Waits};
        let sibling = UnstartedCause::Sibling { name: "setup".to_owned(), has_log: false };
        for (client_status, tasks, expected) in [
            ("pending", "null", Waits),
            ("lost", "null", Lost),
            ("lost", r#"{"main":{"State":"pending"}}"#, Lost),
            ("pending", r#"{"main":{"State":"pending","StartedAt":null,"Events":null}}"#, Waits),
            // It comes after the task that failed.
            ("failed", r#"{"main":{"State":"pending"},"setup":{"State":"dead","Failed":true}}"#, Waits),
            ("failed", r#"{"main":{"State":"dead"},"setup":{"State":"dead","Failed":true}}"#, sibling),
            ("failed", r#"{"main":{"State":"dead","Failed":true}}"#, Failed),
            ("complete", r#"{"main":{"State":"dead","Failed":null},"setup":null}"#, Stopped),
            ("unheard-of", r#"{"other":{}}"#, Waits),
        ] {
            assert_eq!(told(client_status, tasks).0, expected, "{client_status} {tasks}");
        }
    }

    #[test]
    fn the_last_telling_events_come_in_order() {
        let event = |number: u32| format!(r#"{{"Type":"Driver","DisplayMessage":"{number}\n\t* more"}}"#);
        let events: Vec<String> = (1..=7).map(event).collect();
        let tasks = format!(
            r#"{{"main":{{"State":"pending","Events":[{},{{"Type":"Task Setup"}},null,{{}}]}}}}"#,
            events.join(",")
        );
        let expected = ["Driver: 4 * more", "Driver: 5 * more", "Driver: 6 * more", "Driver: 7 * more", "?"];
        assert_eq!(told("pending", &tasks).1, expected);
    }
}
