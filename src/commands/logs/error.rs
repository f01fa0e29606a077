//! Errors of `logs`.

use super::unstarted::UnstartedCause;
use crate::human::plain;

/// Why there is no log to show, or which choice the user has. Names and lines are escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogsError {
    /// The job is periodic or parameterized.
    #[error(
        "job `{}` is periodic or parameterized and has no logs of its own; give one of its child jobs{}",
        plain(job),
        choices("the newest are", children)
    )]
    Template {
        /// Its ID.
        job: String,
        /// The newest children, one per line.
        children: Vec<String>,
    },
    /// Several allocations are running.
    #[error("job `{}` has {} running allocations; give --alloc ID or --all{}", plain(job), lines.len(), choices("they are", lines))]
    Several {
        /// Its ID.
        job: String,
        /// The allocations, one per line, newest first.
        lines: Vec<String>,
    },
    /// No allocation was placed.
    #[error("job `{}` has no logs yet: it is pending{why}", plain(job))]
    Pending {
        /// Its ID.
        job: String,
        /// How long the job has been waiting, and why.
        why: String,
    },
    /// Nomad has garbage-collected the allocations.
    #[error("job `{}` has no logs: Nomad has garbage-collected its allocations", plain(job))]
    Collected {
        /// Its ID.
        job: String,
    },
    /// The job has no such allocation.
    #[error(
        "job `{}` has no allocation `{}`: it belongs to another job or was garbage-collected{}",
        plain(job),
        plain(wanted),
        choices("the job's newest allocations are", lines)
    )]
    UnknownAllocation {
        /// The job's ID.
        job: String,
        /// The typed ID.
        wanted: String,
        /// The newest existing allocations, one per line.
        lines: Vec<String>,
    },
    /// Several IDs have this prefix.
    #[error("`{}` is ambiguous; it matches {} allocations{}", plain(wanted), lines.len(), choices("give one of", lines))]
    AmbiguousAllocation {
        /// The typed prefix.
        wanted: String,
        /// The matches, one per line.
        lines: Vec<String>,
    },
    /// The group does not have the task, or has several.
    #[error("{}; give --task with one of {}", plain(problem), plain(&tasks.join(", ")))]
    Task {
        /// The problem.
        problem: String,
        /// The tasks of the group.
        tasks: Vec<String>,
    },
    /// The task has not started, or never will.
    #[error(
        "task `{}` of allocation {} on {} {}",
        plain(task),
        plain(allocation),
        plain(node),
        not_started(cause, events)
    )]
    NotStarted {
        /// The task.
        task: String,
        /// The allocation.
        allocation: String,
        /// Its node.
        node: String,
        /// Why it has not started.
        cause: Box<UnstartedCause>,
        /// The last events of the task, or of the one that failed, one per line.
        events: Vec<String>,
    },
    /// Only the client has the log, and it does not respond.
    #[error(
        "cannot read the log because client {} is {status}; try again when the client is reachable",
        plain(node)
    )]
    Unreachable {
        /// The client.
        node: String,
        /// Its status according to the servers.
        status: String,
    },
    /// The client is permanently gone.
    #[error("the log is lost: Nomad no longer has its client {}", plain(node))]
    NodeGone {
        /// The client.
        node: String,
    },
    /// The allocation or its files were garbage-collected between two requests.
    #[error("allocation {} has no log: it was garbage-collected", plain(allocation))]
    LogGone {
        /// The allocation.
        allocation: String,
    },
    /// More logs than connections.
    #[error("--all would follow {count} logs, but the limit is {limit}; give --alloc")]
    TooMany {
        /// Number of logs.
        count: usize,
        /// Maximum number of followed logs.
        limit: usize,
    },
}

fn choices(what: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("  {}", plain(line))).collect();
    format!("; {what}\n{}", lines.join("\n"))
}

fn not_started(cause: &UnstartedCause, events: &[String]) -> String {
    let its_events = choices("its last events", events);
    match cause {
        UnstartedCause::Waits => {
            format!("has not started yet, so it has no log; give --follow to wait for it{its_events}")
        }
        UnstartedCause::Failed => format!("failed before it started, so it has no log{its_events}"),
        UnstartedCause::Sibling { name, has_log } => {
            let name = plain(name);
            let hint = if *has_log { format!("; see --task {name}") } else { String::new() };
            let events = choices(&format!("the last events of `{name}`"), events);
            format!("did not start because task `{name}` failed, so it has no log{hint}{events}")
        }
        UnstartedCause::Stopped => format!("was stopped before it started, so it has no log{its_events}"),
        UnstartedCause::Lost => {
            format!("did not start before its client was lost, so it has no log{its_events}")
        }
    }
}
