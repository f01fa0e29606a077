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

/// Reads a duration as Go prints it: `27.3ms`, `1m2.5s`, `0s`.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at(number_ends);
        let unit_ends = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_ends);
        let unit = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "µs" | "μs" | "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    Duration::try_from_secs_f64(seconds).ok()
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
        for (text, seconds) in [
            ("0s", 0.0),
            ("27.3ms", 0.0273),
            ("1m2.5s", 62.5),
            ("1h0m1s", 3601.0),
            ("15µs", 15e-6),
            ("2ns", 2e-9),
        ] {
            let found = parse_duration(text).unwrap().as_secs_f64();
            assert!((found - seconds).abs() < 1e-9, "{text}: {found}");
        }
        for wrong in ["5", "s", "5 parsecs", "-1s", "1e9999s"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}
