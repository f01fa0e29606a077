//! Outcome of an allocation, derived from its statuses and their descriptions.

use crate::terms::{ClientStatus, DesiredStatus, Outcome};

/// Descriptions by servers and clients that reveal how an allocation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Description {
    /// `alloc is being migrated`: a drain stopped it (Nomad 0.9 to 2.0).
    Migrated,
    /// `allocation exceeded max_run_duration` (Nomad 2.0).
    ExceededRunDuration,
    #[default]
    Other,
}

/// Returns how an allocation ended or is ending. The statuses alone are not enough: Nomad reports `complete`,
/// and sometimes `failed`, for an allocation that was killed by a drain deadline, a preemption or
/// `max_run_duration`.
pub(super) fn outcome(
    client: ClientStatus,
    desired: DesiredStatus,
    of_servers: Description,
    of_client: Description,
) -> Outcome {
    match (client, desired) {
        (ClientStatus::Lost, _) => Outcome::Lost,
        (_, DesiredStatus::Evict) => Outcome::Preempted,
        (_, DesiredStatus::Stop) if of_servers == Description::Migrated => Outcome::Drained,
        (ClientStatus::Failed, _) => Outcome::Failed,
        _ if of_client == Description::ExceededRunDuration => Outcome::Timeout,
        (_, DesiredStatus::Stop) => Outcome::Stopped,
        _ => Outcome::Complete,
    }
}

/// Deserializes a string without allocating; `null` becomes the default.
macro_rules! from_text {
    ($name:ty, $text:ident => $value:expr) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a string or null")
                    }
                    fn visit_str<E>(self, $text: &str) -> Result<$name, E> {
                        Ok($value)
                    }
                    fn visit_unit<E>(self) -> Result<$name, E> {
                        Ok(<$name>::default())
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    };
}
pub(super) use from_text;

from_text!(Description, text => match text {
    "alloc is being migrated" => Description::Migrated,
    text if text.contains("exceeded max_run_duration") => Description::ExceededRunDuration,
    _ => Description::Other,
});
