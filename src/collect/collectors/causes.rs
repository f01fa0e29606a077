//! Maps the task events of a failed allocation to a fixed set of causes.

use crate::nomad::api::{AllocationReport, EventKind, ReportedEvent, TaskReport};
use crate::terms::FailureCause;

/// Returns why an allocation failed, by the newest event with a cause among its failed tasks. Tasks that were
/// killed because another one failed are not marked as failed.
pub(in crate::collect) fn cause(allocation: &AllocationReport) -> FailureCause {
    let failed = allocation.tasks().filter(|(_, task)| task.failed == Some(true));
    let told = failed.filter_map(|(_, task)| of_task(task)).max_by_key(|(time, _)| *time);
    told.map_or(FailureCause::Other, |(_, cause)| cause)
}

/// Returns time and cause of a task's failure.
fn of_task(task: &TaskReport) -> Option<(Option<i64>, FailureCause)> {
    let mut events: Vec<&ReportedEvent> = task.events().collect();
    events.sort_by_key(|event| event.time);
    let last = events.iter().rposition(|event| of_event(event).is_some())?;
    let cause = of_event(events[last])?;
    if events[last].kind != EventKind::Terminated {
        return Some((events[last].time, cause));
    }
    // If Nomad ended the task in this run, its exit status is not the cause.
    let run = events[..last].iter().rev().take_while(|event| event.kind != EventKind::Started);
    let ended_by = run.filter_map(|event| of_event(event)).next();
    Some((events[last].time, ended_by.unwrap_or(cause)))
}

/// Returns the cause that an event indicates, if any.
fn of_event(event: &ReportedEvent) -> Option<FailureCause> {
    Some(match event.kind {
        EventKind::Terminated => of_end(event),
        EventKind::DriverFailure => FailureCause::Driver,
        EventKind::ArtifactDownloadFailed => FailureCause::Artifact,
        EventKind::ValidationFailed => FailureCause::Validation,
        EventKind::SetupFailure | EventKind::HookFailed | EventKind::RestoreFailed => FailureCause::Setup,
        // Nomad kills a task if its template or secret is unavailable.
        EventKind::Killing if event.fails_task() => FailureCause::Setup,
        EventKind::DiskExceeded => FailureCause::Disk,
        // Nomad restarts a task after a failed check. The task fails if no restarts are left.
        EventKind::RestartSignaled => FailureCause::Unhealthy,
        EventKind::Killing | EventKind::Started | EventKind::Other => return None,
    })
}

/// Returns the cause if the task ended by itself.
fn of_end(event: &ReportedEvent) -> FailureCause {
    if event.is_oom_kill() {
        FailureCause::Oom
    } else if event.signal().is_some() {
        FailureCause::Signal
    } else if event.exit_code().is_some() {
        FailureCause::Exit
    } else {
        FailureCause::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: &str = r#"{"Type":"Started","Time":10}"#;
    const NOT_RESTARTING: &str = r#"{"Type":"Not Restarting","Time":90,"Details":{"fails_task":"true"}}"#;

    fn of(tasks: &str) -> FailureCause {
        let row = format!(r#"{{"ClientStatus":"failed","TaskStates":{tasks}}}"#);
        cause(&serde_json::from_str(&row).unwrap())
    }

    /// Returns the cause for a failed task with these events.
    fn of_events(events: &[&str]) -> FailureCause {
        of(&format!(r#"{{"agent":{{"Failed":true,"Events":[{}]}}}}"#, events.join(",")))
    }

    fn terminated(time: i64, code: &str, signal: &str, oom: &str) -> String {
        format!(
            r#"{{"Type":"Terminated","Time":{time},"Details":{{"exit_code":"{code}","signal":"{signal}","oom_killed":"{oom}"}}}}"#
        )
    }

    #[test]
    fn every_event_type_that_nomad_has() {
        use FailureCause::*;
        for (kind, expected) in [
            ("Driver Failure", Driver),
            ("Failed Artifact Download", Artifact),
            ("Failed Validation", Validation),
            ("Setup Failure", Setup),
            ("Task hook failed", Setup),
            ("Failed Restoring Task", Setup),
            ("Disk Resources Exceeded", Disk),
            ("Restart Signaled", Unhealthy),
            ("Terminated", Other),
            ("Killing", Other),
            ("Killed", Other),
            ("Received", Other),
            ("Task Setup", Other),
            ("Building Task Directory", Other),
            ("Downloading Artifacts", Other),
            ("Driver", Other),
            ("Started", Other),
            ("Restarting", Other),
            ("Not Restarting", Other),
            ("Sibling Task Failed", Other),
            ("Leader Task Dead", Other),
            ("Main Tasks Dead", Other),
            ("Task hook message", Other),
            ("Signaling", Other),
            ("Reconnected", Other),
            ("Plugin became unhealthy", Other),
            ("Plugin became healthy", Other),
            ("Waiting for shutdown delay", Other),
            ("Skipping shutdown delay", Other),
            ("Alloc Unhealthy", Other),
            ("of a newer Nomad", Other),
        ] {
            let event = format!(r#"{{"Type":"{kind}","Time":20}}"#);
            assert_eq!(of_events(&[&event, NOT_RESTARTING]), expected, "{kind}");
        }
    }

    #[test]
    fn how_a_task_ended() {
        use FailureCause::*;
        for (code, signal, oom, expected) in [
            ("1", "0", "false", Exit),
            ("0", "0", "false", Exit),
            ("137", "0", "true", Oom),
            ("0", "9", "true", Oom),
            ("0", "9", "false", Signal),
            ("137", "9", "false", Signal),
            ("one", "0", "false", Other),
            ("", "none", "", Other),
        ] {
            let end = terminated(20, code, signal, oom);
            assert_eq!(of_events(&[STARTED, &end, NOT_RESTARTING]), expected, "{code} {signal} {oom}");
        }
    }

    #[test]
    fn what_nomad_ended_failed_for_nomads_reason() {
        use FailureCause::*;
        let killed = terminated(30, "137", "9", "false");
        let template = r#"{"Type":"Killing","Time":20,"Details":{"fails_task":"true"}}"#;
        for (event, expected) in [
            (r#"{"Type":"Restart Signaled","Time":20}"#, Unhealthy),
            (r#"{"Type":"Disk Resources Exceeded","Time":20}"#, Disk),
            (template, Setup),
            (r#"{"Type":"Killing","Time":20,"Details":null}"#, Signal),
            // Belongs to an earlier run.
            (r#"{"Type":"Restart Signaled","Time":5}"#, Signal),
        ] {
            assert_eq!(of_events(&[event, STARTED, &killed, NOT_RESTARTING]), expected, "{event}");
        }
    }

    #[test]
    fn the_newest_telling_event_of_the_task_that_failed_decides() {
        use FailureCause::*;
        let driver = r#"{"Type":"Driver Failure","Time":5}"#;
        let exit = terminated(20, "1", "0", "false");
        assert_eq!(of_events(&[driver, STARTED, &exit]), Exit);
        assert_eq!(of_events(&[&exit, NOT_RESTARTING, STARTED, driver]), Exit, "in any order");
        let sibling = terminated(99, "0", "9", "false");
        let tasks = format!(
            r#"{{"agent":{{"Failed":true,"Events":[{exit}]}},"helper":{{"Failed":false,"Events":[{sibling}]}},"gone":null}}"#
        );
        assert_eq!(of(&tasks), Exit);
        let later = r#"{"Type":"Driver Failure","Time":21}"#;
        let both = format!(
            r#"{{"agent":{{"Failed":true,"Events":[{later}]}},"helper":{{"Failed":true,"Events":[{exit}]}}}}"#
        );
        assert_eq!(of(&both), Driver);
    }

    #[test]
    fn what_nothing_tells_is_other() {
        for tasks in [
            "null",
            "{}",
            r#"{"agent":null}"#,
            r#"{"agent":{}}"#,
            r#"{"agent":{"Failed":true,"Events":null}}"#,
            r#"{"agent":{"Failed":true,"Events":[null,{},{"Type":null,"Time":null,"Details":{}}]}}"#,
        ] {
            assert_eq!(of(tasks), FailureCause::Other, "{tasks}");
        }
        let silent = vec![r#"{"Type":"Restarting","Time":1}"#; 10];
        assert_eq!(of_events(&silent), FailureCause::Other);
    }
}
