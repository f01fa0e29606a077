//! Selection of allocations and tasks.

use std::time::SystemTime;

use super::error::LogsError;
use crate::collect::block_reason;
use crate::commands::find::FoundJob;
use crate::commands::terminal::Terminal;
use crate::commands::{Error, live};
use crate::config::LogsArgs;
use crate::human;
use crate::nomad::api::{AllocationHistory, AllocationSummary, Evaluation, Job, JobTasks, fold_rows};
use crate::nomad::{self, Client, Endpoint, Request};
use crate::terms::{DesiredStatus, EvalStatus, JobStatus, Term};

/// Maximum number of listed choices.
const MAX_LINES: usize = 10;

/// Returns the selected allocations, newest first; at least one.
pub(super) async fn allocations(
    client: &Client,
    job: &FoundJob,
    args: &LogsArgs,
) -> Result<Vec<AllocationSummary>, Error> {
    let all = newest_first(client, job).await?;
    if all.is_empty() {
        return Err(no_allocations(client, job).await?.into());
    }
    Ok(choose(all, &job.id, args)?)
}

fn choose(
    mut all: Vec<AllocationSummary>,
    job: &str,
    args: &LogsArgs,
) -> Result<Vec<AllocationSummary>, LogsError> {
    if let Some(wanted) = &args.alloc {
        let (mut found, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|it| it.id().starts_with(wanted.as_str()));
        return match found.len() {
            0 => Err(LogsError::UnknownAllocation {
                job: job.to_owned(),
                wanted: wanted.clone(),
                lines: lines(&others),
            }),
            1 => Ok(vec![found.remove(0)]),
            _ => Err(LogsError::AmbiguousAllocation { wanted: wanted.clone(), lines: lines(&found) }),
        };
    }
    // Allocations that are being replaced do not count.
    let lives =
        |it: &AllocationSummary| it.client_status.is_live() && it.desired_status == DesiredStatus::Run;
    match (all.iter().filter(|it| lives(it)).count(), args.all) {
        (0, true) => Ok(all),
        (_, true) => Ok(all.into_iter().filter(lives).collect()),
        (0, false) => Ok(vec![all.remove(0)]),
        (1, false) => Ok(all.into_iter().filter(lives).collect()),
        (_, false) => {
            all.retain(lives);
            Err(LogsError::Several { job: job.to_owned(), lines: every_line(&all) })
        }
    }
}

/// Returns the allocations of a job that Nomad still has.
pub(super) async fn newest_first(client: &Client, job: &FoundJob) -> Result<Vec<AllocationSummary>, Error> {
    let request = of_job(Endpoint::JobAllocations, job, "/allocations");
    let add = |all: &mut Vec<AllocationSummary>, row| all.push(row);
    let ((mut all, _), _) = client.fetch(request, fold_rows(Vec::new(), add)).await?;
    all.sort_by(|one, other| other.created().cmp(&one.created()).then_with(|| one.id().cmp(other.id())));
    Ok(all)
}

/// Returns the task events of an allocation, if Nomad still has it.
pub(super) async fn history(
    client: &Client,
    job: &FoundJob,
    allocation: &str,
) -> Result<Option<AllocationHistory>, nomad::Error> {
    let request = of_job(Endpoint::JobAllocations, job, "/allocations");
    let wanted = allocation.to_owned();
    let add = move |found: &mut Option<AllocationHistory>, row: AllocationHistory| {
        if row.id.as_deref() == Some(wanted.as_str()) {
            *found = Some(row);
        }
    };
    let ((found, _), _) = client.fetch(request, fold_rows(None, add)).await?;
    Ok(found)
}

fn of_job(endpoint: Endpoint, job: &FoundJob, part: &str) -> Request {
    let path = format!("/v1/job/{}{part}", Request::escape(&job.id));
    Request::new(endpoint, path).query("namespace", &job.namespace)
}

fn lines(all: &[AllocationSummary]) -> Vec<String> {
    let mut lines = every_line(&all[..all.len().min(MAX_LINES)]);
    if all.len() > MAX_LINES {
        lines.push(format!("and {} more", all.len() - MAX_LINES));
    }
    lines
}

fn every_line(all: &[AllocationSummary]) -> Vec<String> {
    let anywhere = Terminal::new(None, false);
    let table = live::rows(all.iter(), &anywhere, SystemTime::now());
    table.lines().skip(1).map(|line| line.trim().to_owned()).collect()
}

/// Returns an error with the newest children of a periodic or parameterized job.
pub(super) async fn children(client: &Client, job: &FoundJob) -> Result<LogsError, Error> {
    let request = Request::new(Endpoint::Jobs, "/v1/jobs")
        .query("namespace", &job.namespace)
        .query("prefix", format!("{}/", job.id));
    let parent = job.id.clone();
    let add = move |newest: &mut Vec<Job>, row: Job| {
        if row.parent() == Some(&parent) {
            newest.push(row);
            newest.sort_by_key(|child| std::cmp::Reverse(child.submitted()));
            newest.truncate(MAX_LINES);
        }
    };
    let ((newest, _), _) = client.fetch(request, fold_rows(Vec::new(), add)).await?;
    let now = SystemTime::now();
    let line = |child: &Job| {
        let ago = child.submitted().map(|at| format!(", submitted {} ago", human::ago(now, at)));
        let id = child.id.as_deref().unwrap_or_default();
        format!("{id}: {}{}", child.status.as_str(), ago.unwrap_or_default())
    };
    Ok(LogsError::Template { job: job.id.clone(), children: newest.iter().map(line).collect() })
}

/// Returns why a job has no allocations.
async fn no_allocations(client: &Client, job: &FoundJob) -> Result<LogsError, Error> {
    if job.status != JobStatus::Pending {
        return Ok(LogsError::Collected { job: job.id.clone() });
    }
    let request = of_job(Endpoint::JobEvaluations, job, "/evaluations");
    let add = |waiting: &mut Vec<Evaluation>, row: Evaluation| {
        if matches!(row.status, EvalStatus::Blocked | EvalStatus::Pending) {
            waiting.push(row);
        }
    };
    let ((waiting, _), _) = client.fetch(request, fold_rows(Vec::new(), add)).await?;
    let blocked = waiting.iter().find(|it| it.status == EvalStatus::Blocked);
    let why = match (blocked, waiting.is_empty()) {
        (Some(evaluation), _) => format!(": {}", human::reason(block_reason(evaluation))),
        (None, false) => ": waiting for a scheduler".to_owned(),
        (None, true) => String::new(),
    };
    let since = waiting.iter().filter_map(Evaluation::created).min();
    let since = since.map(|since| format!(" for {}", human::ago(SystemTime::now(), since)));
    Ok(LogsError::Pending { job: job.id.clone(), why: format!("{}{why}", since.unwrap_or_default()) })
}

/// Returns the selected task: the given one, or the only main task of the group.
pub(super) async fn task(
    client: &Client,
    job: &FoundJob,
    of: &AllocationSummary,
    named: Option<&str>,
) -> Result<String, Error> {
    let (tasks, _) = client.object::<JobTasks>(of_job(Endpoint::Job, job, "")).await?;
    let group = of.task_group.as_deref().unwrap_or_default();
    let known: Vec<(String, bool)> =
        tasks.of_group(group).filter_map(|task| Some((task.name.clone()?, task.is_main()))).collect();
    // If the group was removed from the job, use the tasks of the allocation.
    let of_states = || of.task_states.iter().flatten().map(|(name, _)| (name.clone(), true)).collect();
    Ok(choose_task(if known.is_empty() { of_states() } else { known }, named)?)
}

fn choose_task(known: Vec<(String, bool)>, named: Option<&str>) -> Result<String, LogsError> {
    let names = |all: &[(String, bool)]| all.iter().map(|(name, _)| name.clone()).collect();
    let Some(named) = named else {
        let mains: Vec<_> = known.iter().filter(|(_, is_main)| *is_main).collect();
        return match (&mains[..], &known[..]) {
            ([(name, _)], _) | ([], [(name, _)]) => Ok(name.clone()),
            _ => Err(LogsError::Task {
                problem: "the group has several tasks".to_owned(),
                tasks: names(&known),
            }),
        };
    };
    match known.is_empty() || known.iter().any(|(name, _)| name == named) {
        true => Ok(named.to_owned()),
        false => {
            Err(LogsError::Task { problem: format!("the group has no task `{named}`"), tasks: names(&known) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Command, parse};

    fn args(rest: &[&str]) -> LogsArgs {
        let line = [&["nomad-exporter", "logs", "build"], rest].concat();
        match parse(line).unwrap().command {
            Some(Command::Logs(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    fn all(rows: &[(&str, &str, &str)]) -> Vec<AllocationSummary> {
        let row = |(id, desired, client): &(&str, &str, &str)| {
            let json = format!(r#"{{"ID":"{id}","DesiredStatus":"{desired}","ClientStatus":"{client}"}}"#);
            serde_json::from_str(&json).unwrap()
        };
        rows.iter().map(row).collect()
    }

    fn chosen(rows: &[(&str, &str, &str)], rest: &[&str]) -> Result<String, String> {
        let chosen = choose(all(rows), "build", &args(rest)).map_err(|error| error.to_string())?;
        Ok(chosen.iter().map(AllocationSummary::id).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_running_allocation_or_else_the_newest_is_chosen() {
        let (new, old) = (("b-2", "run", "running"), ("a-1", "run", "failed"));
        assert_eq!(chosen(&[new, old], &[]).unwrap(), "b-2");
        assert_eq!(chosen(&[old, new], &[]).unwrap(), "b-2");
        assert_eq!(chosen(&[("c", "run", "complete"), old], &[]).unwrap(), "c");
        assert_eq!(chosen(&[new, ("a-1", "stop", "running")], &[]).unwrap(), "b-2");
        assert_eq!(chosen(&[new, old], &["--alloc", "a"]).unwrap(), "a-1");
    }

    #[test]
    fn several_running_allocations_need_a_choice() {
        let rows = [("b-2", "run", "running"), ("a-1", "run", "pending"), ("a-0", "run", "lost")];
        let error = chosen(&rows, &[]).unwrap_err();
        assert!(
            error.starts_with(
                "job `build` has 2 running allocations; give --alloc ID or --all; they are\n  b "
            )
        );
        assert_eq!(chosen(&rows, &["--all"]).unwrap(), "b-2 a-1");
        assert_eq!(chosen(&rows[2..], &["--all"]).unwrap(), "a-0");
        let error = chosen(&rows, &["--alloc", "a"]).unwrap_err();
        assert!(
            error.starts_with("`a` is ambiguous; it matches 2 allocations; give one of\n  a "),
            "{error}"
        );
        let error = chosen(&rows, &["--alloc", "f\u{7}"]).unwrap_err();
        assert!(
            error.starts_with("job `build` has no allocation `f\\u{7}`: it belongs to another job"),
            "{error}"
        );
    }

    #[test]
    fn the_main_task_is_the_default() {
        let task = |names: &[(&str, bool)], named| {
            let known = names.iter().map(|(name, is_main)| ((*name).to_owned(), *is_main)).collect();
            choose_task(known, named).map_err(|error| error.to_string())
        };
        assert_eq!(task(&[("prep", false), ("main", true)], None).unwrap(), "main");
        assert_eq!(task(&[("prep", false)], None).unwrap(), "prep");
        assert_eq!(task(&[("prep", false), ("main", true)], Some("prep")).unwrap(), "prep");
        let two = [("one", true), ("two", true)];
        assert_eq!(
            task(&two, None).unwrap_err(),
            "the group has several tasks; give --task with one of one, two"
        );
        let error = task(&two, Some("three")).unwrap_err();
        assert_eq!(error, "the group has no task `three`; give --task with one of one, two");
        assert_eq!(task(&[], Some("three")).unwrap(), "three");
    }
}
