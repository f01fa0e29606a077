//! What failed, said once.

use std::time::Duration;

use super::sources::Source;
use super::store::Change;
use crate::nomad::{self, Endpoint, Reason};

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
    pub fn sentence(&self, endpoint: Endpoint) -> String {
        let mut sentence = self.to_string();
        // What lies between is how libraries are layered; the last cause is what happened.
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        if let Some(cause) = causes.last() {
            sentence = format!("{sentence}: {cause}");
        }
        if matches!(self, Self::Nomad(error) if error.reason() == Reason::Forbidden) {
            sentence = format!("{sentence}; the token's policy must grant {}", endpoint.capability());
        }
        sentence
    }
}

/// Logs how a refresh changed its source: a line for every change of state, and not for every try.
pub(super) fn log(source: &Source, change: Change, error: Option<&FetchError>) {
    let name = source.name;
    let told = error.map(|error| (error.word(), error.sentence(source.endpoint)));
    match (change, told) {
        (Change::Down, Some((reason, error))) => {
            tracing::warn!(source = name, reason, error, "source is down")
        }
        (Change::Up, _) => tracing::info!(source = name, "source is up"),
        (_, Some((reason, error))) => tracing::debug!(source = name, reason, error, "source is still down"),
        (_, None) => {}
    }
}
