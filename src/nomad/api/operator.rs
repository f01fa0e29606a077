//! The answers of `GET /v1/operator/autopilot/health` and `GET /v1/operator/scheduler/configuration`.

use std::time::Duration;

use serde::Deserialize;

/// What autopilot says of the servers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotHealth {
    /// Whether all is well.
    pub healthy: Option<bool>,
    /// How many servers may fail.
    pub failure_tolerance: Option<i64>,
    /// Each server.
    pub servers: Option<Vec<Option<AutopilotServer>>>,
}

/// What autopilot says of one server.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotServer {
    /// Its name, with the region at the end.
    pub name: Option<String>,
    /// Whether it is well.
    pub healthy: Option<bool>,
    /// Whether it votes.
    pub voter: Option<bool>,
    last_contact: Option<String>,
}

impl AutopilotServer {
    /// How long ago it heard the leader.
    pub fn last_contact(&self) -> Option<Duration> {
        parse_duration(self.last_contact.as_deref()?)
    }
}

/// Reads a duration as Go prints it: `27.3ms`, `1m2.5s`, `0s`. Not by humantime, which panics at the largest numbers.
fn parse_duration(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
}

/// What an operator set for all schedulers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SchedulerConfiguration {
    /// The settings.
    pub scheduler_config: Option<SchedulerConfig>,
}

/// The settings in use; absent before Nomad 1.3.2.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SchedulerConfig {
    /// Whether no evaluation is processed at all.
    pub pause_eval_broker: Option<bool>,
    /// Whether nobody but a management token can register jobs.
    pub reject_job_registration: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go() {
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
