//! Logs of tasks: a line every few seconds, or text that a test sets.

use std::fmt::Write;
use std::time::Duration;

use super::Cluster;
use super::allocation::Allocation;
use super::id::AllocationId;

/// Interval of the default lines.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Nomad keeps ten files of 10 MB; older lines are dropped.
const MAX_LINES: u32 = 20_000;

/// Log stream of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogStream {
    /// Returns Nomad's name of the stream.
    pub fn as_str(self) -> &'static str {
        match self {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        }
    }
}

impl Cluster {
    /// Sets the log of a task, instead of the default lines.
    pub fn write_log(&mut self, allocation: AllocationId, task: &str, stream: LogStream, bytes: &[u8]) {
        if let Some(allocation) = self.allocations.get_mut(&allocation) {
            allocation.written.entry((task.to_owned(), stream)).or_default().extend_from_slice(bytes);
        }
    }

    /// Returns the log so far. Build agents log to stderr; stdout has one line.
    pub(crate) fn log(&self, allocation: &Allocation, task: &str, stream: LogStream) -> Vec<u8> {
        if let Some(written) = allocation.written.get(&(task.to_owned(), stream)) {
            return written.clone();
        }
        let task = allocation.tasks.iter().find(|run| run.name == task);
        let Some((task, started)) = task.and_then(|task| Some((task, task.started?))) else {
            return Vec::new();
        };
        let finished = task.finished.filter(|_| task.is_dead());
        let end = finished.unwrap_or(self.now);
        let ran = end.duration_since(started).unwrap_or_default();
        let mut text = format!("{} {} begins on {}\n", allocation.name(), task.name, allocation.node_name);
        if stream == LogStream::Stderr {
            for line in 1..=MAX_LINES {
                let at = LINE_EVERY * line;
                if at > ran {
                    break;
                }
                writeln!(text, "[{:>6}s] step {line} done", at.as_secs()).expect("a string grows");
            }
            if finished.is_some() {
                let how = if task.failed { "failed" } else { "complete" };
                writeln!(text, "[{:>6}s] {how}", ran.as_secs()).expect("a string grows");
            }
        }
        text.into_bytes()
    }

    /// Returns the retained allocations of a job, oldest first.
    pub fn allocations_of(&self, namespace: &str, job: &str) -> Vec<AllocationId> {
        let job = self.jobs.get(&super::JobKey::new(namespace, job));
        job.map(|job| job.allocations.clone()).unwrap_or_default()
    }
}
