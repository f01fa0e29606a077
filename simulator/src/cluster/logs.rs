//! What tasks write: a line every few seconds, or what a test says.

use std::fmt::Write;
use std::time::Duration;

use super::Cluster;
use super::allocation::Allocation;
use super::id::AllocationId;

/// A task that says nothing else writes a line this often.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Nomad keeps ten files of 10 MB; the model forgets what is older than this.
const MAX_LINES: u32 = 20_000;

/// Where a task writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogStream {
    /// Nomad's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        }
    }
}

impl Cluster {
    /// Lets a task of an allocation write this, instead of what it would say by itself.
    pub fn write_log(&mut self, allocation: AllocationId, task: &str, stream: LogStream, bytes: &[u8]) {
        if let Some(allocation) = self.allocations.get_mut(&allocation) {
            allocation.written.entry((task.to_owned(), stream)).or_default().extend_from_slice(bytes);
        }
    }

    /// All that a task has written by now. Build agents log to stderr; stdout gets one line.
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

    /// The allocations of a job that are still remembered, oldest first.
    pub fn allocations_of(&self, namespace: &str, job: &str) -> Vec<AllocationId> {
        let job = self.jobs.get(&super::JobKey::new(namespace, job));
        job.map(|job| job.allocations.clone()).unwrap_or_default()
    }
}
