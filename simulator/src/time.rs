//! Times as Nomad writes them.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

thread_local! {
    /// The same moment by the cluster's clock and by the reader's, while an answer is written.
    static CLOCKS: Cell<Option<(SystemTime, SystemTime)>> = const { Cell::new(None) };
}

/// Writes all times of an answer by the reader's clock, if the cluster's runs at another speed: what was ten minutes
/// ago there was ten minutes ago here.
pub(crate) fn by_clocks<T>(clocks: Option<(SystemTime, SystemTime)>, write: impl FnOnce() -> T) -> T {
    CLOCKS.set(clocks);
    let written = write();
    CLOCKS.set(None);
    written
}

fn shown(time: SystemTime) -> SystemTime {
    let Some((cluster, reader)) = CLOCKS.get() else { return time };
    match time.duration_since(cluster) {
        Ok(ahead) => reader + ahead,
        Err(ago) => reader.checked_sub(ago.duration()).unwrap_or(UNIX_EPOCH),
    }
}

/// Nanoseconds since the Unix epoch, as in `SubmitTime` and `CreateTime`.
pub(crate) fn nanos(time: SystemTime) -> i64 {
    let since = shown(time).duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Seconds since the Unix epoch, as in `StatusUpdatedAt`.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    shown(time).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Nanoseconds of a duration.
pub(crate) fn duration_nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// RFC 3339 with as many decimals as needed, as Go writes a `time.Time`.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_nanos(shown(time)).to_string();
    let trimmed = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    format!("{trimmed}Z")
}

/// RFC 3339 cut to the second, as in `LastDrain`.
pub(crate) fn rfc3339_seconds(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(shown(time)).to_string()
}
