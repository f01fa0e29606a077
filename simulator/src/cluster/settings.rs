//! Settings of a cluster.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::version::Version;

use super::policy::Acl;

/// Settings of a cluster, such as `Settings { seed: 7, ..Settings::default() }`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seed: the same seed and operations result in the same cluster.
    pub seed: u64,
    /// Simulated Nomad version.
    pub version: Version,
    /// Start time of the cluster's clock.
    pub start: SystemTime,
    /// The region.
    pub region: String,
    /// Number of servers.
    pub servers: usize,
    /// ACLs.
    pub acl: Acl,
    /// Delay until a scheduler processes an evaluation.
    pub scheduling: Duration,
    /// Minimum and maximum time that a client takes to start an allocation.
    pub startup: (Duration, Duration),
    /// Time that a client takes to stop an allocation.
    pub stopping: Duration,
    /// Time that an allocation of a deployment must run to be healthy.
    pub min_healthy: Duration,
    /// Maximum time of a deployment without progress.
    pub progress_deadline: Duration,
    /// Whether memory oversubscription is enabled.
    pub memory_oversubscription: bool,
    /// Job types that preempt others.
    pub preemption: Preemption,
    /// Number of transactions in the buffer of the event stream; `None` disables the stream.
    pub event_buffer: Option<usize>,
    /// Garbage collection.
    pub gc: GcSettings,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            seed: 1,
            version: Version::LATEST,
            // A round time, the same in every run.
            start: UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            region: "global".to_owned(),
            servers: 1,
            acl: Acl::Off,
            scheduling: Duration::from_millis(100),
            startup: (Duration::from_millis(500), Duration::from_secs(3)),
            stopping: Duration::from_secs(5),
            min_healthy: Duration::from_secs(10),
            progress_deadline: Duration::from_secs(600),
            memory_oversubscription: false,
            preemption: Preemption::default(),
            event_buffer: Some(100),
            gc: GcSettings::default(),
        }
    }
}

/// Job types that preempt others; the defaults are Nomad's.
#[derive(Clone, Copy, Debug)]
pub struct Preemption {
    /// System jobs.
    pub system: bool,
    /// Sysbatch jobs.
    pub sysbatch: bool,
    /// Batch jobs.
    pub batch: bool,
    /// Services.
    pub service: bool,
}

impl Default for Preemption {
    fn default() -> Preemption {
        Preemption { system: true, sysbatch: false, batch: false, service: false }
    }
}

impl Preemption {
    /// For jobs of all types.
    pub const ALL: Preemption = Preemption { system: true, sysbatch: true, batch: true, service: true };
}

/// Garbage collection; the defaults are Nomad's.
#[derive(Clone, Copy, Debug)]
pub struct GcSettings {
    /// Interval of garbage collection.
    pub interval: Duration,
    /// Age from which terminal evaluations and their allocations are collected.
    pub evaluation: Duration,
    /// The same for evaluations of batch jobs, in versions with a separate setting.
    pub batch_evaluation: Duration,
    /// Age from which dead jobs are collected.
    pub job: Duration,
    /// Age from which terminal deployments are collected.
    pub deployment: Duration,
    /// Age from which down nodes are collected.
    pub node: Duration,
}

impl Default for GcSettings {
    fn default() -> GcSettings {
        const HOUR: Duration = Duration::from_secs(3600);
        GcSettings {
            interval: Duration::from_secs(300),
            evaluation: HOUR,
            batch_evaluation: 24 * HOUR,
            job: 4 * HOUR,
            deployment: HOUR,
            node: 24 * HOUR,
        }
    }
}
