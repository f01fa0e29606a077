//! What failed, said once.

use std::time::Duration;

use tokio::time::Instant;

use super::store::Change;
use crate::nomad::{self, Reason};
use crate::snapshot::CollectorId;
use crate::terms::Term;

/// A refresh that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Nomad did not give what it was asked for.
    #[error(transparent)]
    Nomad(#[from] nomad::Error),
    /// What this collector builds on is not known.
    #[error("it needs the collector `{}`, which has not answered", .0.as_str())]
    Needs(CollectorId),
    /// The refresh took so long that its result would have expired at once.
    #[error("it was not finished within {}", humantime::format_duration(*.0))]
    TookTooLong(Duration),
    /// The refresh ended in a bug of ours.
    #[error("it panicked: {0}; please report this")]
    Panicked(String),
}

impl FetchError {
    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nomad(error) => error.reason().as_str(),
            Self::Needs(_) => "needs",
            Self::TookTooLong(_) => Reason::Timeout.as_str(),
            Self::Panicked(_) => PANICKED,
        }
    }

    /// The error and its cause as one sentence, with what to do about a refusal.
    pub fn sentence(&self) -> String {
        match self {
            Self::Nomad(error) => error.sentence(),
            Self::Needs(_) | Self::TookTooLong(_) | Self::Panicked(_) => self.to_string(),
        }
    }
}

/// The reason of a panic, in a word.
const PANICKED: &str = "panic";

/// Over how long changes of state are counted.
const PERIOD: Duration = Duration::from_secs(600);

/// Says in the log how one collector stands: a line for every change of state, and not for every try. One that comes and
/// goes all the time does not fill the log.
#[derive(Debug)]
pub(super) struct Report {
    collector: &'static str,
    /// Lines in one period at most.
    limit: u32,
    since: Instant,
    logged: u32,
    left_out: u64,
}

impl Report {
    pub(super) fn new(collector: &'static str, limit: u32) -> Self {
        Self { collector, limit, since: Instant::now(), logged: 0, left_out: 0 }
    }

    /// Whether one more change is to be logged, and how many were left out before it.
    fn one_more(&mut self) -> Option<u64> {
        if self.since.elapsed() >= PERIOD {
            (self.since, self.logged) = (Instant::now(), 0);
        }
        if self.logged >= self.limit {
            self.left_out += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    /// Logs how a refresh changed the collector.
    pub(super) fn log(&mut self, change: Change, error: Option<&FetchError>) {
        let collector = self.collector;
        let told = error.map(|error| (error.word(), error.sentence()));
        let say = match change {
            Change::None => None,
            Change::Up | Change::Down => self.one_more(),
        };
        // A field that is none is not written.
        let left_out = say.filter(|count| *count > 0);
        match (change, told) {
            // A panic is a bug, and each one is told.
            (_, Some((reason, error))) if reason == PANICKED => {
                tracing::error!(collector, reason, error, "collector panicked and is started again");
            }
            (Change::Down, Some((reason, error))) if say.is_some() => {
                tracing::warn!(collector, reason, error, left_out, "collector is down");
            }
            (Change::Up, _) if say.is_some() => tracing::info!(collector, left_out, "collector is up"),
            (_, Some((reason, error))) => {
                tracing::debug!(collector, reason, error, "collector is still down")
            }
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_comes_and_goes_does_not_fill_the_log() {
        let mut report = Report::new("jobs", 2);
        let mut changes = |count: u32| (0..count).map(|_| report.one_more()).collect::<Vec<_>>();
        assert_eq!(changes(4), [Some(0), Some(0), None, None]);
        tokio::time::advance(PERIOD).await;
        assert_eq!(changes(3), [Some(2), Some(0), None]);
    }
}
