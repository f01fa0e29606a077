//! Numbers for people.

use std::time::{Duration, SystemTime};

/// A time of day, in UTC.
pub(super) fn clock(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', " UTC")
}

/// How long ago, in its two largest units; a time that is not over yet was just now.
pub(super) fn ago(now: SystemTime, then: SystemTime) -> String {
    duration(now.duration_since(then).unwrap_or_default())
}

/// How long until then, or how long it is overdue.
pub(super) fn until(now: SystemTime, then: SystemTime) -> String {
    match then.duration_since(now) {
        Ok(left) => format!("in {}", duration(left)),
        Err(passed) => format!("overdue by {}", duration(passed.duration())),
    }
}

fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// CPU.
pub(super) fn hertz(hertz: f64) -> String {
    format!("{:.1} GHz", hertz / 1e9)
}

/// Memory.
pub(super) fn bytes(bytes: f64) -> String {
    const GIB: f64 = 1_073_741_824.0;
    format!("{:.1} GiB", bytes / GIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(200_000);
        let before = |seconds| now - Duration::from_secs(seconds);
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_725, "1 h 2 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(ago(now, before(seconds)), text);
        }
        assert_eq!(ago(now, now + Duration::from_secs(5)), "0 s");
        assert_eq!(until(now, now + Duration::from_secs(90)), "in 1 min 30 s");
        assert_eq!(until(now, before(90)), "overdue by 1 min 30 s");
        assert_eq!(clock(SystemTime::UNIX_EPOCH), "1970-01-01 00:00:00 UTC");
    }
}
