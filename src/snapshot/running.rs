//! Allocations that start, run, or are told to stop, and how long they have been at it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::observed::{DELAY_BOUNDS_SECONDS, Histogram};
use crate::terms::{ByTerm, JobType};

/// Upper bounds of the buckets of running ages, in seconds.
pub const RUNNING_BOUNDS_SECONDS: [f64; 9] =
    [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 18000.0, 43200.0, 86400.0];

/// Live allocations that are on their way to another status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transitions {
    /// When the oldest allocation was created that is wanted and has not started, by namespace.
    pub oldest_starting: BTreeMap<String, ByTerm<JobType, Option<SystemTime>>>,
    /// Allocations that were told to stop and have not stopped, by namespace.
    pub stopping: BTreeMap<String, ByTerm<JobType, Stopping>>,
    /// The builds that have run longest, the longest first, as many as the cap allows.
    pub longest_builds: Vec<RunningBuild>,
}

/// Allocations that were told to stop and have not stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stopping {
    /// How many.
    pub count: u64,
    /// When the first of them was told.
    pub oldest: Option<SystemTime>,
}

/// A batch or sysbatch job that runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunningBuild {
    /// When the oldest of its running allocations was created.
    pub since: SystemTime,
    /// Its namespace.
    pub namespace: String,
    /// Its ID.
    pub id: String,
}

/// How long the running allocations have run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunningAges {
    /// By namespace.
    pub by_namespace: BTreeMap<String, ByTerm<JobType, Histogram<{ RUNNING_BOUNDS_SECONDS.len() }>>>,
}

/// How long allocations took from their creation until they ran.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartDelays {
    /// By namespace.
    pub by_namespace: BTreeMap<String, ByTerm<JobType, Histogram<{ DELAY_BOUNDS_SECONDS.len() }>>>,
}

/// When the running allocations were created: what their ages are made of, also if nothing changed but the time.
#[derive(Debug, Default)]
pub struct RunningSince {
    by_namespace: BTreeMap<String, ByTerm<JobType, Vec<u32>>>,
}

impl RunningSince {
    /// Adds an allocation that runs.
    pub fn add(&mut self, namespace: &str, job_type: JobType, created: SystemTime) {
        let since_epoch = created.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX);
        crate::terms::at(&mut self.by_namespace, namespace)[job_type].push(seconds);
    }

    /// Returns how old each is at this time.
    pub fn ages(&self, now: SystemTime) -> RunningAges {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut ages = RunningAges::default();
        for (namespace, by_type) in &self.by_namespace {
            let by_age = crate::terms::at(&mut ages.by_namespace, namespace);
            for (job_type, created) in by_type.iter() {
                for seconds in created {
                    let age = Duration::from_secs(now.saturating_sub(u64::from(*seconds)));
                    by_age[job_type].observe(&RUNNING_BOUNDS_SECONDS, age);
                }
            }
        }
        ages
    }
}
