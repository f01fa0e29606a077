//! Why there is no log to show, as sentences.

use super::unstarted::UnstartedCause;
use crate::human::plain;

/// There is no log to show, or it is not plain which. Names and lines are escaped when they are shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogsError {
    /// The job only starts others.
    #[error(
        "job `{}` is periodic or parameterized and has no logs of its own; give one of its child jobs{}",
        plain(job),
        choices("the newest are", children)
    )]
    Template {
        /// Its ID.
        job: String,
        /// The newest of its children, a line each.
        children: Vec<String>,
    },
    /// Several allocations live.
    #[error("job `{}` has {} running allocations; give --alloc ID or --all{}", plain(job), lines.len(), choices("they are", lines))]
    Several {
        /// Its ID.
        job: String,
        /// The allocations, a line each, the newest first.
        lines: Vec<String>,
    },
    /// Nothing of it was placed.
    #[error("job `{}` has no logs yet: it is pending{why}", plain(job))]
    Pending {
        /// Its ID.
        job: String,
        /// For how long, and what it waits for.
        why: String,
    },
    /// It is over for so long that Nomad has forgotten how it ran.
    #[error(
        "job `{}` has no logs: Nomad has garbage-collected its allocations",
        plain(job)
    )]
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
        /// What was typed.
        wanted: String,
        /// The newest of those that it has, a line each.
        lines: Vec<String>,
    },
    /// Several IDs begin so.
    #[error("`{}` is ambiguous; it matches {} allocations{}", plain(wanted), lines.len(), choices("give one of", lines))]
    AmbiguousAllocation {
        /// What was typed.
        wanted: String,
        /// Those that begin so, a line each.
        lines: Vec<String>,
    },
    /// The group has no such task, or several.
    #[error("{}; give --task with one of {}", plain(problem), plain(&tasks.join(", ")))]
    Task {
        /// What is the matter.
        problem: String,
        /// The tasks that there are.
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
        /// Where it is.
        node: String,
        /// Why it has not started.
        cause: Box<UnstartedCause>,
        /// What happened last, a line each: to the task, or to the one that failed.
        events: Vec<String>,
    },
    /// Only the client has the log, and it does not answer.
    #[error(
        "cannot read the log because client {} is {status}; try again when the client is reachable",
        plain(node)
    )]
    Unreachable {
        /// The client.
        node: String,
        /// What the servers say of it.
        status: String,
    },
    /// The client is gone for good.
    #[error("the log is lost: Nomad no longer has its client {}", plain(node))]
    NodeGone {
        /// The client.
        node: String,
    },
    /// The allocation went between two questions, or its files did.
    #[error("allocation {} has no log: it was garbage-collected", plain(allocation))]
    LogGone {
        /// The allocation.
        allocation: String,
    },
    /// More logs than connections.
    #[error("--all would follow {count} logs, but the limit is {limit}; give --alloc")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many may be followed.
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
