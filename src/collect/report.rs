//! What failed, said once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::collectors::Collector;
use super::context::Context;
use super::store::Change;
use crate::nomad::{self, Reason};

/// A refresh that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Nomad did not give what it was asked for.
    #[error(transparent)]
    Nomad(#[from] nomad::Error),
    /// What this collector builds on is not known.
    #[error("it needs the collector `{0}`, which has not answered")]
    Needs(&'static str),
    /// The refresh took so long that its result would have been withdrawn at once.
    #[error("it was not finished within {}", humantime::format_duration(*.0))]
    TookTooLong(Duration),
}

impl FetchError {
    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nomad(error) => error.reason().as_str(),
            Self::Needs(_) => "needs",
            Self::TookTooLong(_) => Reason::Timeout.as_str(),
        }
    }

    /// The error and its cause as one sentence, with what to do about a refusal.
    pub fn sentence(&self) -> String {
        match self {
            Self::Nomad(error) => error.sentence(),
            Self::Needs(_) | Self::TookTooLong(_) => self.to_string(),
        }
    }
}

/// Over how long changes of state are counted.
const PERIOD: Duration = Duration::from_secs(600);

/// What was logged of each collector lately, so that one that comes and goes all the time does not fill the log.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<HashMap<&'static str, Lately>>);

#[derive(Debug)]
struct Lately {
    since: Instant,
    said: u32,
    unsaid: u64,
}

impl Said {
    /// Whether one more change of this collector is to be logged, and how many were left out before it.
    fn one_more(&self, collector: &'static str, limit: u32) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately =
            all.entry(collector).or_insert_with(|| Lately { since: Instant::now(), said: 0, unsaid: 0 });
        if lately.since.elapsed() >= PERIOD {
            (lately.since, lately.said) = (Instant::now(), 0);
        }
        if lately.said >= limit {
            lately.unsaid += 1;
            return None;
        }
        lately.said += 1;
        Some(std::mem::take(&mut lately.unsaid))
    }
}

/// Logs how a refresh changed its collector: a line for every change of state, as long as there are not too many, and
/// not for every try.
pub(super) fn log(context: &Context, collector: &Collector, change: Change, error: Option<&FetchError>) {
    let name = collector.name;
    let told = error.map(|error| (error.word(), error.sentence()));
    let say = match change {
        Change::None => None,
        Change::Up | Change::Down => context.said.one_more(name, context.settings.logged_changes),
    };
    // A field that is none is not written.
    let left_out = say.filter(|count| *count > 0);
    match (change, told) {
        (Change::Down, Some((reason, error))) if say.is_some() => {
            tracing::warn!(collector = name, reason, error, left_out, "collector is down");
        }
        (Change::Up, _) if say.is_some() => tracing::info!(collector = name, left_out, "collector is up"),
        (_, Some((reason, error))) => {
            tracing::debug!(collector = name, reason, error, "collector is still down")
        }
        (_, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_source_that_comes_and_goes_does_not_fill_the_log() {
        let said = Said::default();
        let changes = |count: u32| (0..count).map(|_| said.one_more("jobs", 2)).collect::<Vec<_>>();
        assert_eq!(changes(4), [Some(0), Some(0), None, None]);
        assert_eq!(said.one_more("nodes", 2), Some(0), "others are heard");
        tokio::time::advance(PERIOD).await;
        assert_eq!(changes(3), [Some(2), Some(0), None]);
    }
}
