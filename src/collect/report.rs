//! What failed, said once.

use std::time::Duration;

use super::sources::Source;
use super::store::Change;
use crate::nomad::{self, Reason};

/// A refresh that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Nomad did not give what it was asked for.
    #[error(transparent)]
    Nomad(#[from] nomad::Error),
    /// What this source builds on is not known.
    #[error("it needs the source `{0}`, which has not answered")]
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

/// Logs how a refresh changed its source: a line for every change of state, and not for every try.
pub(super) fn log(source: &Source, change: Change, error: Option<&FetchError>) {
    let name = source.name;
    let told = error.map(|error| (error.word(), error.sentence()));
    match (change, told) {
        (Change::Down, Some((reason, error))) => {
            tracing::warn!(source = name, reason, error, "source is down")
        }
        (Change::Up, _) => tracing::info!(source = name, "source is up"),
        (_, Some((reason, error))) => tracing::debug!(source = name, reason, error, "source is still down"),
        (_, None) => {}
    }
}
