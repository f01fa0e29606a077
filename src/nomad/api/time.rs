//! Times in Nomad's two formats.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer};

/// A time in RFC 3339. `null`, the empty string and years before 1970 (Go's zero time, which Nomad before
/// 0.10 sends) mean unset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time(pub Option<SystemTime>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        if text.is_empty() {
            return Ok(Self(None));
        }
        let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        let seconds = u64::try_from(time.as_second()).ok();
        let nanos = u32::try_from(time.subsec_nanosecond()).ok();
        Ok(Self(
            seconds.zip(nanos).and_then(|(seconds, nanos)| {
                SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
            }),
        ))
    }
}

/// Converts Unix nanoseconds; zero and negative numbers mean unset.
pub(super) fn from_nanos(nanos: Option<i64>) -> Option<SystemTime> {
    let nanos = u64::try_from(nanos?).ok().filter(|nanos| *nanos > 0)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_times_are_read_and_zero_times_are_unset() {
        let seconds = |json: &str| {
            let time: Time = serde_json::from_str(json).unwrap();
            time.0.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
        };
        assert_eq!(seconds(r#""2026-11-22T13:39:19Z""#), Some(1_795_354_759));
        assert_eq!(seconds(r#""2026-11-22T14:39:19.25+01:00""#), Some(1_795_354_759));
        assert_eq!(seconds(r#""0001-01-01T00:00:00Z""#), None);
        assert_eq!(seconds(r#""""#), None);
        assert_eq!(seconds("null"), None);
        assert!(serde_json::from_str::<Time>(r#""yesterday""#).is_err());
    }

    #[test]
    fn nanoseconds_of_zero_are_unset() {
        assert_eq!(from_nanos(Some(0)), None);
        assert_eq!(from_nanos(Some(-5)), None);
        assert_eq!(from_nanos(None), None);
        assert!(from_nanos(Some(1_795_354_599_744_761_552)).is_some());
    }
}
