//! What failed, said once.

use std::time::Duration;

use tokio::time::Instant;

use super::outage::Outage;
use crate::nomad::{self, Client, Reason};
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
    #[error("it needs the collector `{}`, which has no data", .0.as_str())]
    Needs(CollectorId),
    /// The refresh took so long that its result would have expired at once.
    #[error("it did not finish within {}", humantime::format_duration(*.0))]
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

/// Lines of the log about what comes and goes: so many in one period at most.
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

    /// Returns how many lines were left out before the next one, if any; `None` if that is left out too. A field that is
    /// none is not written.
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

/// Says in the log how one collector stands: a line for every change of state, and not for every try. One that is down
/// because Nomad cannot be reached is in the line about that.
#[derive(Debug)]
pub(super) struct Report {
    collector: CollectorId,
    stands: Stands,
    lines: Lines,
}

/// How a collector stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// It has not been tried.
    Unknown,
    Up,
    /// It is down for a reason of its own.
    Down,
    /// It is down because Nomad cannot be reached.
    Unreachable,
}

impl Report {
    pub(super) fn new(collector: CollectorId, limit: u32) -> Self {
        Self { collector, stands: Stands::Unknown, lines: Lines::new(limit) }
    }

    /// Returns whether it is down because Nomad cannot be reached.
    pub(super) fn is_unreachable(&self) -> bool {
        self.stands == Stands::Unreachable
    }

    /// Logs how a refresh ended that began at this time.
    pub(super) async fn log(
        &mut self,
        error: Option<&FetchError>,
        began: Instant,
        client: &Client,
        outage: &Outage,
    ) {
        outage.end(client.last_answer());
        let before = self.stands;
        self.stands = match error {
            None => Stands::Up,
            // What has its own line keeps it until it is up.
            Some(_) if before == Stands::Down => Stands::Down,
            Some(error) if self.is_outage(error, began, client, outage).await => Stands::Unreachable,
            Some(_) => Stands::Down,
        };
        let collector = self.collector.as_str();
        let Some(error) = error else {
            if matches!(before, Stands::Unknown | Stands::Down)
                && let Some(left_out) = self.lines.one_more()
            {
                tracing::info!(collector, left_out, "collector is up");
            }
            return;
        };
        let (reason, sentence) = (error.word(), error.sentence());
        if reason == PANICKED {
            // A bug, and each one is told.
            tracing::error!(
                collector,
                reason,
                error = sentence,
                "collector panicked and was restarted; please report this"
            );
        } else if self.stands == Stands::Down
            && before != Stands::Down
            && let Some(left_out) = self.lines.one_more()
        {
            tracing::warn!(collector, reason, error = sentence, left_out, "collector is down");
        } else {
            tracing::debug!(collector, reason, error = sentence, "collector is still down");
        }
    }

    /// Returns whether it failed because Nomad cannot be reached, and takes part in the outage then. A connection may
    /// also fail because of this one request, so Nomad is asked something short.
    async fn is_outage(&self, error: &FetchError, began: Instant, client: &Client, outage: &Outage) -> bool {
        let is_out = match error {
            FetchError::Nomad(error) if !error.is_of_connection() => false,
            FetchError::Nomad(_) | FetchError::TookTooLong(_) => {
                outage.covers(began) || !client.is_reachable().await
            }
            // What it builds on may not be back yet.
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
