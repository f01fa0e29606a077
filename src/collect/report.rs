//! Errors of refreshes, and how they are logged.

use std::time::Duration;

use tokio::time::Instant;

use super::outage::Outage;
use crate::nomad::{self, Client, Reason};
use crate::snapshot::CollectorId;
use crate::terms::Term;

/// Error of a refresh.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A request to Nomad failed.
    #[error(transparent)]
    Nomad(#[from] nomad::Error),
    /// A collector that this one depends on has no data.
    #[error("it needs the collector `{}`, which has no data", .0.as_str())]
    Needs(CollectorId),
    /// The refresh took so long that its data would expire immediately.
    #[error("it did not finish within {}", humantime::format_duration(*.0))]
    TookTooLong(Duration),
    /// The refresh panicked, which is a bug.
    #[error("it panicked: {0}; please report this")]
    Panicked(String),
}

impl FetchError {
    /// Returns the reason as one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nomad(error) => error.reason().as_str(),
            Self::Needs(_) => "needs",
            Self::TookTooLong(_) => Reason::Timeout.as_str(),
            Self::Panicked(_) => PANICKED,
        }
    }

    /// Returns the error and its cause as one sentence. If Nomad refused the request, includes what to do
    /// about it.
    pub fn sentence(&self) -> String {
        match self {
            Self::Nomad(error) => error.sentence(),
            Self::Needs(_) | Self::TookTooLong(_) | Self::Panicked(_) => self.to_string(),
        }
    }
}

/// Reason for a panic.
const PANICKED: &str = "panic";

/// Period for the limit of log messages.
const PERIOD: Duration = Duration::from_secs(600);

/// Limit of the log messages about state changes, per period.
#[derive(Debug)]
pub(super) struct Lines {
    limit: u32,
    since: Instant,
    logged: u32,
    left_out: u64,
}

impl Lines {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, since: Instant::now(), logged: 0, left_out: 0 }
    }

    /// Returns the number of messages that were suppressed before this one, if any, or `None` if this one
    /// must be suppressed too. A log field with the value `None` is not written.
    pub(super) fn one_more(&mut self) -> Option<Option<u64>> {
        if self.since.elapsed() >= PERIOD {
            (self.since, self.logged) = (Instant::now(), 0);
        }
        if self.logged >= self.limit {
            self.left_out += 1;
            return None;
        }
        self.logged += 1;
        Some(Some(std::mem::take(&mut self.left_out)).filter(|count| *count > 0))
    }
}

/// Logs the state of a collector: one message per change of state, not per attempt. If a collector is down
/// because Nomad cannot be reached, the message about the outage names it.
#[derive(Debug)]
pub(super) struct Report {
    collector: CollectorId,
    status: Status,
    lines: Lines,
}

/// State of a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Not refreshed yet.
    Unknown,
    Up,
    /// Down for another reason than an outage.
    Down,
    /// Down because Nomad cannot be reached.
    Unreachable,
}

impl Report {
    pub(super) fn new(collector: CollectorId, limit: u32) -> Self {
        Self { collector, status: Status::Unknown, lines: Lines::new(limit) }
    }

    /// Returns whether the collector is down because Nomad cannot be reached.
    pub(super) fn is_unreachable(&self) -> bool {
        self.status == Status::Unreachable
    }

    /// Logs the result of a refresh that began at this time.
    pub(super) async fn log(
        &mut self,
        error: Option<&FetchError>,
        began: Instant,
        client: &Client,
        outage: &Outage,
    ) {
        outage.end(client.last_answer());
        let before = self.status;
        self.status = match error {
            None => Status::Up,
            // A collector that was logged as down stays in that state until it is up.
            Some(_) if before == Status::Down => Status::Down,
            Some(error) if self.is_outage(error, began, client, outage).await => Status::Unreachable,
            Some(_) => Status::Down,
        };
        let collector = self.collector.as_str();
        let Some(error) = error else {
            if matches!(before, Status::Unknown | Status::Down)
                && let Some(left_out) = self.lines.one_more()
            {
                tracing::info!(collector, left_out, "collector is up");
            }
            return;
        };
        let (reason, sentence) = (error.word(), error.sentence());
        if reason == PANICKED {
            // A panic is a bug, so each one is logged.
            tracing::error!(
                collector,
                reason,
                error = sentence,
                "collector panicked and was restarted; please report this"
            );
        } else if self.status == Status::Down
            && before != Status::Down
            && let Some(left_out) = self.lines.one_more()
        {
            tracing::warn!(collector, reason, error = sentence, left_out, "collector is down");
        } else {
            tracing::debug!(collector, reason, error = sentence, "collector is still down");
        }
    }

    /// Returns whether a refresh failed because Nomad cannot be reached, and adds the collector to the outage
    /// if so. A connection may also fail because of a single request, so this sends Nomad a short request to
    /// check.
    async fn is_outage(&self, error: &FetchError, began: Instant, client: &Client, outage: &Outage) -> bool {
        let is_out = match error {
            FetchError::Nomad(error) if !error.is_of_connection() => false,
            FetchError::Nomad(_) | FetchError::TookTooLong(_) => {
                outage.covers(began) || !client.is_reachable().await
            }
            // The collector that it depends on may not be back yet.
            FetchError::Needs(_) if self.is_unreachable() => return true,
            FetchError::Needs(_) => outage.covers(began),
            FetchError::Panicked(_) => false,
        };
        if is_out {
            outage.add(self.collector, error, began);
        }
        is_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_and_goes_does_not_fill_the_log() {
        let mut lines = Lines::new(2);
        let mut changes = |count: u32| (0..count).map(|_| lines.one_more()).collect::<Vec<_>>();
        assert_eq!(changes(4), [Some(None), Some(None), None, None]);
        tokio::time::advance(PERIOD).await;
        assert_eq!(changes(3), [Some(Some(2)), Some(None), None]);
    }
}
