//! `logs`: shows the log of a job's allocation and task.

mod error;
mod log;
mod output;
mod pick;
mod unstarted;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::ctrl_c;
use tokio::sync::mpsc::channel;
use tokio::task::JoinSet;

use super::{Error, Session, find};
use crate::config::LogsArgs;
use log::TaskLog;
use output::Output;

pub use error::LogsError;
pub use unstarted::UnstartedCause;

/// Maximum number of followed logs: Nomad allows 100 connections from one address.
const MAX_FOLLOWED: usize = 64;
/// Maximum number of parts that wait for the output.
const PARTS: usize = 64;

/// Shows one log or several.
pub(super) async fn run(session: Session, args: &LogsArgs) -> Result<ExitCode, Error> {
    let job = find::job(&session.client, session.settings.namespaces.names(), &args.job).await?;
    if job.is_template {
        return Err(pick::children(&session.client, &job).await?.into());
    }
    let chosen = pick::allocations(&session.client, &job, args).await?;
    if args.follow && chosen.len() > MAX_FOLLOWED {
        return Err(LogsError::TooMany { count: chosen.len(), limit: MAX_FOLLOWED }.into());
    }
    let client = Arc::new(session.client);
    let (sender, mut parts) = channel(PARTS);
    let mut logs = Vec::new();
    for (number, of) in chosen.into_iter().enumerate() {
        let task = pick::task(&client, &job, &of, args.task.as_deref()).await?;
        logs.push(TaskLog {
            client: client.clone(),
            timeout: session.timeout,
            job: job.clone(),
            of,
            task,
            kind: if args.stdout { "stdout" } else { "stderr" },
            follow: args.follow,
            tail: args.tail,
            number,
            out: sender.clone(),
            shown: Vec::new(),
        });
    }
    drop(sender);
    let mut output = Output::new(&logs, args);
    logs.iter().for_each(|log| output.title(&log.title()));
    let mut reading = start(logs, args.follow);
    let writing = async {
        while let Some((number, part)) = parts.recv().await {
            output.show(number, part).await?;
        }
        output.end().await
    };
    let interrupted = async {
        match args.follow {
            true => ctrl_c().await.map_err(Error::Signals),
            // Without --follow, the signal itself ends the process.
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        written = writing => written?,
        signal = interrupted => {
            signal?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let mut failed = Vec::new();
    while let Some(read) = reading.join_next().await {
        failed.extend(read.expect("no reader panics or is aborted"));
    }
    match failed.pop() {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => {
            failed.iter().for_each(|error: &Error| output.note(&error.to_string()));
            Err(error)
        }
    }
}

/// Starts reading: followed logs concurrently, others one after the other, in the order of their allocations.
fn start(logs: Vec<TaskLog>, follow: bool) -> JoinSet<Vec<Error>> {
    let mut reading = JoinSet::new();
    if follow {
        for log in logs {
            reading.spawn(async { log.read().await.err().into_iter().collect() });
        }
    } else {
        reading.spawn(async {
            let mut errors = Vec::new();
            for log in logs {
                errors.extend(log.read().await.err());
            }
            errors
        });
    }
    reading
}
