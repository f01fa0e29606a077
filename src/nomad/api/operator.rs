//! Responses of `GET /v1/operator/autopilot/health` and `GET /v1/operator/scheduler/configuration`.

use std::time::Duration;

use serde::Deserialize;

/// Autopilot's health report.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotHealth {
    /// Whether all servers are healthy.
    pub healthy: Option<bool>,
    /// Number of servers that can fail without losing quorum.
    pub failure_tolerance: Option<i64>,
    /// Each server.
    pub servers: Option<Vec<Option<AutopilotServer>>>,
}

/// Autopilot's report on one server.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotServer {
    /// Name, with the region as suffix.
    pub name: Option<String>,
    /// Whether it is healthy.
    pub healthy: Option<bool>,
    /// Whether it votes.
    pub voter: Option<bool>,
    last_contact: Option<String>,
}

impl AutopilotServer {
    /// Returns the time since its last contact with the leader.
    pub fn last_contact(&self) -> Option<Duration> {
        parse_duration(self.last_contact.as_deref()?)
    }
}

/// Parses a duration in Go's format: `27.3ms`, `1m2.5s`, `0s`. humantime is not used, because it panics on
/// very large numbers.
fn parse_duration(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
}

/// Scheduler configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SchedulerConfiguration {
    /// The settings.
    pub scheduler_config: Option<SchedulerConfig>,
}

/// The scheduler settings; absent before Nomad 1.3.2.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SchedulerConfig {
    /// Whether processing of evaluations is paused.
    pub pause_eval_broker: Option<bool>,
    /// Whether only management tokens can register jobs.
    pub reject_job_registration: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_parsed() {
        for (text, nanoseconds) in [
            ("0s", 0),
            ("27.3ms", 27_300_000),
            ("1m2.5s", 62_500_000_000),
            ("1h0m1s", 3_601_000_000_000),
            ("1m2.123456789s", 62_123_456_789),
            ("15.123µs", 15_123),
            ("2ns", 2),
            ("2562047h47m16.854775807s", i64::MAX as u64),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for wrong in ["", "5", "s", "5 parsecs", "-1s", "1e9999s", "5124095576030431h15s1000ms"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}
