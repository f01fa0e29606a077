//! Why there is no log to show, as sentences.

use super::unstarted::UnstartedCause;
use crate::human::plain;

/// There is no log to show, or it is not plain which. Names and lines are escaped when they are shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogsError {
    /// The job only starts others.
    #[error(
        "job `{}` only starts others and has no logs of its own{}",
        plain(job),
        choices("the newest of them", children)
    )]
    Template {
        /// Its ID.
        job: String,
        /// The newest of its children, a line each.
        children: Vec<String>,
    },
    /// Several allocations live.
    #[error("job `{}` has {} allocations that live: give --alloc ID or --all{}", plain(job), lines.len(), choices("they are", lines))]
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
        "job `{}` has no allocations any more: Nomad has collected them, and their logs with them",
        plain(job)
    )]
    Collected {
        /// Its ID.
        job: String,
    },
    /// The job has no such allocation.
    #[error(
        "job `{}` has no allocation `{}`: Nomad has collected it, or it is another job's{}",
        plain(job),
        plain(wanted),
        choices("it still has", lines)
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
    #[error("`{}` may be any of {} allocations{}", plain(wanted), lines.len(), choices("name one of", lines))]
    AmbiguousAllocation {
        /// What was typed.
        wanted: String,
        /// Those that begin so, a line each.
        lines: Vec<String>,
    },
    /// The group has no such task, or several.
    #[error("{}: give --task with one of {}", plain(problem), plain(&tasks.join(", ")))]
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
        "the log is on client {}, which is {status}: it can be read when the client answers again",
        plain(node)
    )]
    Unreachable {
        /// The client.
        node: String,
        /// What the servers say of it.
        status: String,
    },
    /// The client is gone for good.
    #[error("the log was on client {}, which Nomad does not know any more", plain(node))]
    NodeGone {
        /// The client.
        node: String,
    },
    /// The allocation went between two questions, or its files did.
    #[error("allocation {} has no log any more: it was collected", plain(allocation))]
    LogGone {
        /// The allocation.
        allocation: String,
    },
    /// More logs than connections.
    #[error("--all would follow {count} logs at once, and {limit} is the most: give --alloc")]
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
            format!("has not started yet, so there is no log; --follow waits for it{its_events}")
        }
        UnstartedCause::Failed => format!("failed before it started, so there is no log{its_events}"),
        UnstartedCause::Sibling { name, has_log } => {
            let name = plain(name);
            let hint = if *has_log { format!("; see --task {name}") } else { String::new() };
            let events = choices(&format!("the last events of `{name}`"), events);
            format!("did not start because task `{name}` failed, so there is no log{hint}{events}")
        }
        UnstartedCause::Stopped => format!("was stopped before it started, so there is no log{its_events}"),
        UnstartedCause::Lost => {
            format!("did not start before its client was lost, so there is no log{its_events}")
        }
    }
}
