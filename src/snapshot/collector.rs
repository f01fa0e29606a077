//! State of a collector.

use std::time::{Duration, SystemTime};

use super::CollectorId;

/// State of an enabled collector.
#[derive(Clone, Debug)]
pub struct CollectorState {
    /// The collector.
    pub id: CollectorId,
    /// Whether the exporter is of little use without it.
    pub required: bool,
    /// Whether the last refresh succeeded; `None` before the first.
    pub up: Option<bool>,
    /// Error of the last refresh, unless it failed only because of another collector.
    pub problem: Option<String>,
    /// Whether the last success is recent enough for its data to be exposed.
    pub fresh: bool,
    /// Time of the last success.
    pub last_success: Option<SystemTime>,
    /// Duration of the last refresh.
    pub duration: Option<Duration>,
    /// Number of rows of the last successful refresh.
    pub objects: Option<u64>,
    /// Maximum age of the responses of the last successful refresh: the servers' last contact with the
    /// leader.
    pub last_contact: Option<Duration>,
    /// Current refresh interval, which depends on the duration of the last success.
    pub interval: Duration,
    /// Number of panics, each followed by a restart.
    pub panics: u64,
}
