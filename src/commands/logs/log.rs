//! Reading of one log: from the beginning or the last lines to the end, or following it through lost
//! connections.

use std::sync::Arc;
use std::time::Duration;

use memchr::{memchr_iter, memmem, memrchr_iter};
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use super::error::LogsError;
use super::unstarted::UnstartedCause;
use super::{pick, unstarted};
use crate::commands::Error;
use crate::commands::find::FoundJob;
use crate::human::plain;
use crate::nomad::api::{AllocationSummary, Node};
use crate::nomad::{self, Client, Endpoint, Frame, LogStream, Reason, Request};
use crate::terms::{NodeStatus, Term};

/// Number of shown bytes that are kept, to find the position again after a lost connection.
const KEPT_BYTES: usize = 16 << 10;
/// Distance from the end at which lines are searched: first, and maximum.
const FIRST_BACK: u64 = 64 << 10;
const LAST_BACK: u64 = 16 << 20;
/// Number of heartbeats without data after which the end of the allocation is checked.
const QUIET: u32 = 3;
/// Pauses between attempts while the log is not available.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A part of a log.
#[derive(Debug)]
pub(super) enum LogPart {
    /// Output of the task.
    Bytes(Vec<u8>),
    /// A message to the user.
    Note(String),
}

/// A log to show.
pub(super) struct TaskLog {
    pub(super) client: Arc<Client>,
    /// Timeout for the first byte of a response.
    pub(super) timeout: Duration,
    pub(super) job: FoundJob,
    pub(super) of: AllocationSummary,
    pub(super) task: String,
    /// `stdout` or `stderr`.
    pub(super) kind: &'static str,
    pub(super) follow: bool,
    /// Number of lines from the end; `None` means all.
    pub(super) tail: Option<usize>,
    /// Number of this log among several.
    pub(super) number: usize,
    /// Receiver of the parts. If it is closed, nobody reads the output any more.
    pub(super) out: Sender<(usize, LogPart)>,
    /// The end of the shown data.
    pub(super) shown: Vec<u8>,
}

/// Why following a log has stopped.
enum Stop {
    /// The log has ended.
    Ended,
    /// Nobody reads the output.
    Unheard,
}

impl TaskLog {
    /// Reads the log to its end.
    pub(super) async fn read(mut self) -> Result<(), Error> {
        if self.follow {
            return self.keep_following().await;
        }
        let result = self.read_once().await;
        match result {
            Err(error) => Err(self.explained(error).await),
            Ok(()) => Ok(()),
        }
    }

    async fn read_once(&mut self) -> Result<(), nomad::Error> {
        let Some(lines) = self.tail else {
            let client = self.client.clone();
            let mut stream = client.log(self.request("start", 0)).await?;
            while let Some(frame) = stream.next().await? {
                if !self.pass(frame).await {
                    break;
                }
            }
            return Ok(());
        };
        let end = self.last_lines(lines).await?;
        self.pass(Frame::Data(end)).await;
        Ok(())
    }

    /// Follows the log until it ends, through all interruptions. Fails if the task will never start.
    async fn keep_following(&mut self) -> Result<(), Error> {
        let (mut pause, mut noted) = (FIRST_PAUSE, None);
        loop {
            let shown = self.shown.len();
            let note = match self.follow_once().await {
                Ok(Stop::Ended | Stop::Unheard) => return Ok(()),
                Err(error) => self.reason_to_wait(error).await?,
            };
            if self.shown.len() != shown {
                (pause, noted) = (FIRST_PAUSE, None);
            }
            if noted.as_ref() != Some(&note) {
                noted = Some(note.clone());
                if !self.note(note).await {
                    return Ok(());
                }
            }
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Returns why the log is not available for now; an error if it never will be.
    async fn reason_to_wait(&self, error: nomad::Error) -> Result<String, Error> {
        if !is_unstarted(&error) && is_temporary(&error) {
            return Ok(format!("{}; trying again", error.sentence()));
        }
        match self.explained(error).await {
            Error::Logs(LogsError::NotStarted { cause, events, .. }) if *cause == UnstartedCause::Waits => {
                let last = events.last().map(|event| format!("; its last event: {}", plain(event)));
                Ok(format!("waiting for the task to start{}", last.unwrap_or_default()))
            }
            error => Err(error),
        }
    }

    async fn follow_once(&mut self) -> Result<Stop, nomad::Error> {
        if let (true, Some(lines)) = (self.shown.is_empty(), self.tail) {
            let end = self.last_lines(lines).await?;
            if !self.pass(Frame::Data(end)).await {
                return Ok(Stop::Unheard);
            }
        }
        let client = self.client.clone();
        let mut stream = match self.shown.is_empty() {
            true => client.log(self.request("start", 0)).await?,
            false => self.resume(&client).await?,
        };
        let (mut quiet, mut has_ended) = (0, false);
        while let Some(frame) = stream.next().await? {
            if frame != Frame::Alive {
                quiet = 0;
                if !self.pass(frame).await {
                    return Ok(Stop::Unheard);
                }
                continue;
            }
            // Wait for one more heartbeat after the end, so that nothing is lost.
            if has_ended {
                return Ok(Stop::Ended);
            }
            quiet += 1;
            if quiet >= QUIET || self.out.is_closed() {
                quiet = 0;
                has_ended = self.has_ended().await;
            }
        }
        // Nomad does not end a followed log by itself, so a server or client has gone away.
        if self.has_ended().await { Ok(Stop::Ended) } else { Err(self.cut_off()) }
    }

    /// Finds the last shown bytes near the end of the log, and continues after them.
    async fn resume<'a>(&mut self, client: &'a Client) -> Result<LogStream<'a>, nomad::Error> {
        let mut back = FIRST_BACK;
        loop {
            let mut stream = client.log(self.request("end", back)).await?;
            let (mut got, mut was_quiet) = (Vec::new(), false);
            loop {
                match stream.next().await? {
                    Some(Frame::Data(data)) => {
                        got.extend_from_slice(&data);
                        was_quiet = false;
                        if let Some(at) = memmem::find(&got, &self.shown) {
                            let rest = got.split_off(at + self.shown.len());
                            self.pass(Frame::Data(rest)).await;
                            return Ok(stream);
                        }
                        if got.len() as u64 > LAST_BACK {
                            break;
                        }
                    }
                    Some(Frame::Alive) if !was_quiet => was_quiet = true,
                    _ => break,
                }
            }
            if back >= LAST_BACK || (got.len() as u64) < back {
                self.note("lines written in the meantime may be missing".to_owned()).await;
                self.pass(Frame::Data(got)).await;
                return Ok(stream);
            }
            back *= 4;
        }
    }

    /// Returns the last lines, reading as little as possible.
    async fn last_lines(&self, lines: usize) -> Result<Vec<u8>, nomad::Error> {
        let mut back = FIRST_BACK;
        loop {
            let mut stream = self.client.log(self.request("end", back)).await?;
            let mut got = Vec::new();
            while let Some(frame) = stream.next().await? {
                if let Frame::Data(data) = frame {
                    got.extend_from_slice(&data);
                }
                // If the log grows fast, the requested part is enough.
                if got.len() as u64 >= 2 * back {
                    break;
                }
            }
            let is_whole = (got.len() as u64) < back;
            if is_whole || back >= LAST_BACK || memchr_iter(b'\n', &got).count() > lines {
                let start = start_of_last(&got, lines);
                return Ok(got.split_off(start));
            }
            back *= 4;
        }
    }

    fn request(&self, origin: &str, offset: u64) -> Request {
        let path = format!("/v1/client/fs/logs/{}", Request::escape(self.of.id()));
        Request::new(Endpoint::Logs, path)
            .query("namespace", &self.job.namespace)
            .query("task", &self.task)
            .query("type", self.kind)
            .query("origin", origin)
            .query("offset", offset.to_string())
            // Read the last lines to their end before following.
            .query("follow", (self.follow && !(self.shown.is_empty() && self.tail.is_some())).to_string())
            .passed_on_within(self.timeout)
    }

    /// Passes a frame on. Returns whether anybody reads it.
    async fn pass(&mut self, frame: Frame) -> bool {
        let Frame::Data(data) = frame else { return !self.out.is_closed() };
        if data.is_empty() {
            return true;
        }
        self.shown.extend_from_slice(&data);
        let excess = self.shown.len().saturating_sub(KEPT_BYTES);
        self.shown.drain(..excess);
        self.out.send((self.number, LogPart::Bytes(data))).await.is_ok()
    }

    async fn note(&self, note: String) -> bool {
        self.out.send((self.number, LogPart::Note(note))).await.is_ok()
    }

    /// Returns whether its allocation has ended or is gone; false if unknown.
    async fn has_ended(&self) -> bool {
        let Ok(all) = pick::newest_first(&self.client, &self.job).await else { return false };
        all.iter().find(|it| it.id() == self.of.id()).is_none_or(|it| !it.client_status.is_live())
    }

    fn cut_off(&self) -> nomad::Error {
        nomad::Error::BrokenOff {
            address: "Nomad".to_owned(),
            endpoint: Endpoint::Logs,
            message: "the log ended although the allocation is running".to_owned(),
        }
    }

    /// Translates an error of Nomad.
    async fn explained(&self, error: nomad::Error) -> Error {
        let message = error.message().unwrap_or_default();
        let node = self.of.node_name.clone().unwrap_or_default();
        let allocation = self.of.short_id().to_owned();
        if error.reason() == Reason::Forbidden {
            return error.into();
        }
        if is_unstarted(&error) {
            let (cause, events) = match pick::history(&self.client, &self.job, self.of.id()).await {
                Ok(Some(history)) => unstarted::cause(&history, &self.task),
                Ok(None) => return LogsError::LogGone { allocation }.into(),
                // The next attempt may show it.
                Err(_) => (UnstartedCause::Waits, Vec::new()),
            };
            let task = self.task.clone();
            let cause = Box::new(cause);
            return LogsError::NotStarted { task, allocation, node, cause, events }.into();
        }
        if message.contains("Unknown node") {
            return LogsError::NodeGone { node }.into();
        }
        if message.contains("nknown allocation") || message.contains("log entry") {
            return LogsError::LogGone { allocation }.into();
        }
        let is_silent = message.contains("No path to node") || error.reason() == Reason::Timeout;
        if is_silent && let Some(status) = self.node_status().await {
            return LogsError::Unreachable { node, status: status.as_str().to_owned() }.into();
        }
        error.into()
    }

    /// Returns the status of the unresponsive client according to the servers.
    async fn node_status(&self) -> Option<NodeStatus> {
        let path = format!("/v1/node/{}", Request::escape(self.of.node_id.as_deref()?));
        let (node, _) = self.client.object::<Node>(Request::new(Endpoint::Node, path)).await.ok()?;
        Some(node.status).filter(|status| *status != NodeStatus::Ready)
    }

    /// Returns a description of the log.
    pub(super) fn title(&self) -> String {
        let node = self.of.node_name.as_deref().unwrap_or("?");
        let status = self.of.client_status.as_str();
        format!(
            "{}: {} of task {}, allocation {} on {}, {status}",
            plain(&self.job.id),
            self.kind,
            plain(&self.task),
            plain(self.of.short_id()),
            plain(node),
        )
    }
}

/// Returns whether Nomad has no log because the task has not started. Nomad reports the same if it never
/// will.
fn is_unstarted(error: &nomad::Error) -> bool {
    error.message().is_some_and(|message| message.contains("not started yet"))
}

/// Returns whether a followed log may continue later, because servers are unavailable.
fn is_temporary(error: &nomad::Error) -> bool {
    let broken =
        matches!(error, nomad::Error::BrokenOff { message, .. } if !message.contains("No path to node"));
    broken || error.is_transient() || matches!(error.reason(), Reason::Timeout)
}

/// Returns where the last lines start. A line without a newline counts.
fn start_of_last(text: &[u8], lines: usize) -> usize {
    if lines == 0 {
        return text.len();
    }
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    memrchr_iter(b'\n', body).nth(lines - 1).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_the_end() {
        for (text, lines, expected) in [
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\n\n", 2, "b\n\n"),
            ("a\nb\n", 9, "a\nb\n"),
            ("a\nb\n", 0, ""),
            ("", 3, ""),
            ("\n", 1, "\n"),
        ] {
            assert_eq!(&text[start_of_last(text.as_bytes(), lines)..], expected, "{text:?} {lines}");
        }
    }
}
