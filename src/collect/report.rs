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
    pub fn reason(&self) -> Reason {
        match self {
            Self::Nomad(error) => error.reason(),
            Self::Needs(_) => Reason::NotFound,
            Self::TookTooLong(_) => Reason::Timeout,
        }
    }

    /// The error and its causes as one sentence, with what to do about a refusal.
    pub fn sentence(&self, endpoint: Endpoint) -> String {
        let mut sentence = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            // Transparent errors repeat what they wrap.
            if !sentence.ends_with(&text) {
                sentence = format!("{sentence}: {text}");
            }
            cause = error.source();
        }
        if self.reason() == Reason::Forbidden {
            sentence = format!("{sentence}; the token's policy must grant {}", endpoint.capability());
        }
        sentence
    }
}

/// Logs a change of a source; a source that stands as it stood is not mentioned again.
pub(super) fn log(source: &Source, change: Change, error: Option<&FetchError>) {
    match (change, error) {
        (Change::None, _) => {}
        (Change::Down, Some(error)) => tracing::warn!(
            source = source.name,
            reason = error.reason().as_str(),
            error = error.sentence(source.endpoint),
            "source is down"
        ),
        _ => tracing::info!(source = source.name, "source is up"),
    }
}
