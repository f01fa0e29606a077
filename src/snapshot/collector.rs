//! How a collector stands.

use std::time::{Duration, SystemTime};

use super::CollectorId;

/// One enabled collector.
#[derive(Clone, Debug)]
pub struct CollectorState {
    /// Which one.
    pub id: CollectorId,
    /// Whether the exporter is of little use without it.
    pub required: bool,
    /// How its last refresh ended; `None` before the first.
    pub up: Option<bool>,
    /// Why its last refresh failed, if it did and not only because another collector did.
    pub problem: Option<String>,
    /// Whether its last success is young enough for its data to be shown.
    pub fresh: bool,
    /// When it last succeeded.
    pub last_success: Option<SystemTime>,
    /// How long its last refresh took.
    pub duration: Option<Duration>,
    /// Rows that its last successful refresh read.
    pub objects: Option<u64>,
    /// How old the answers of its last successful refresh may be: what the answering servers said of their
    /// contact with the leader.
    pub last_contact: Option<Duration>,
    /// How often it is refreshed, as its last success cost.
    pub interval: Duration,
    /// How often it panicked and was started again.
    pub panics: u64,
}
