//! Formatting of times, amounts and reasons for people: flags, status page, terminal.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::terms::BlockReason;

/// Formats a time in UTC.
pub fn clock(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', " UTC")
}

/// Formats the time since `then` in its two largest units; 0 s if it is in the future.
pub fn ago(now: SystemTime, then: SystemTime) -> String {
    duration(now.duration_since(then).unwrap_or_default())
}

/// Formats the time until `then`, or how long it is overdue.
pub fn until(now: SystemTime, then: SystemTime) -> String {
    match then.duration_since(now) {
        Ok(left) => format!("in {}", duration(left)),
        Err(passed) => format!("overdue by {}", duration(passed.duration())),
    }
}

/// Formats a duration in its two largest units.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Parses a duration such as `15s` or `1m30s`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    // humantime 2.4 panics if seconds and one second of nanoseconds together exceed 64 bits.
    let has_long_number = text.split(|character: char| !character.is_ascii_digit()).any(|run| run.len() > 9);
    if text.len() > 64 || has_long_number {
        return Err("it is too long for a duration".to_owned());
    }
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// Formats CPU in gigahertz.
pub fn hertz(hertz: f64) -> String {
    format!("{:.1} GHz", hertz / 1e9)
}

/// Formats memory in gibibytes.
pub fn bytes(bytes: f64) -> String {
    const GIB: f64 = 1_073_741_824.0;
    format!("{:.1} GiB", bytes / GIB)
}

/// Formats a ratio from 0 to 1 as a percentage.
pub fn percent(ratio: f64) -> String {
    format!("{:.0} %", 100.0 * ratio)
}

/// Describes why a job waits.
pub fn reason(reason: BlockReason) -> &'static str {
    match reason {
        BlockReason::Quota => "quota exhausted",
        BlockReason::NoNodes => "no eligible node",
        BlockReason::Device => "no free device",
        BlockReason::Cores => "no free cores",
        BlockReason::Memory => "not enough memory",
        BlockReason::Cpu => "not enough CPU",
        BlockReason::Disk => "not enough disk",
        BlockReason::Network => "no free port or network",
        BlockReason::Volume => "no node has the volume",
        BlockReason::Scheduling => "waiting for a scheduler",
        BlockReason::Delayed => "delayed until the next attempt",
        BlockReason::Constraint => "no node meets the constraints",
        BlockReason::Other => "unknown",
    }
}

/// Escapes characters that would control a terminal or change the text direction.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_terminal_control) {
        return Cow::Borrowed(text);
    }
    let escaped =
        |c: char| if is_terminal_control(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

fn is_terminal_control(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_long_durations_are_rejected() {
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("999999999s"), Ok(Duration::from_secs(999_999_999)));
        assert!(parse_duration("soon").is_err());
        let too_long = "5124095576030431h15s1000ms";
        assert!(parse_duration(too_long).unwrap_err().contains("too long"));
        assert!(parse_duration(&"999999999y".repeat(700)).unwrap_err().contains("too long"));
    }

    #[test]
    fn times_are_formatted_in_two_units() {
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

    #[test]
    fn control_characters_are_escaped() {
        assert!(matches!(plain("builds/größe ✓"), Cow::Borrowed("builds/größe ✓")));
        assert_eq!(plain("a\u{1b}[2Jb\r\nc\td"), r"a\u{1b}[2Jb\r\nc\td");
        assert_eq!(plain("\u{9b}1m\u{202e}cba\u{7f}"), r"\u{9b}1m\u{202e}cba\u{7f}");
    }
}
