//! How a cluster is set up.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::version::Version;

use super::policy::Acl;

/// How a cluster is set up. `Settings { seed: 7, ..Settings::default() }`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From which all chance comes: the same seed and the same operations give the same cluster.
    pub seed: u64,
    /// The Nomad version played.
    pub version: Version,
    /// The first moment of the cluster's clock.
    pub start: SystemTime,
    /// The region.
    pub region: String,
    /// How many servers.
    pub servers: usize,
    /// Who may read what.
    pub acl: Acl,
    /// How long an evaluation waits for a scheduler.
    pub scheduling: Duration,
    /// How long a client takes to start an allocation, at least and at most.
    pub startup: (Duration, Duration),
    /// How long a client takes to stop an allocation.
    pub stopping: Duration,
    /// How long an allocation of a deployment must run to count as healthy.
    pub min_healthy: Duration,
    /// How long a deployment may go without progress.
    pub progress_deadline: Duration,
    /// Whether tasks may exceed their memory.
    pub memory_oversubscription: bool,
    /// For which jobs less important allocations are evicted.
    pub preemption: Preemption,
    /// When old objects are forgotten.
    pub gc: GcSettings,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            seed: 1,
            version: Version::LATEST,
            // A round moment, the same in every run.
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
            gc: GcSettings::default(),
        }
    }
}

/// For jobs of which types less important allocations are evicted; the defaults are Nomad's.
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

/// When old objects are forgotten; the defaults are Nomad's.
#[derive(Clone, Copy, Debug)]
pub struct GcSettings {
    /// How often to look.
    pub interval: Duration,
    /// Age of ended evaluations and their allocations.
    pub evaluation: Duration,
    /// The same of batch jobs, where the version knows the difference.
    pub batch_evaluation: Duration,
    /// Age of dead jobs.
    pub job: Duration,
    /// Age of ended deployments.
    pub deployment: Duration,
    /// Age of down nodes.
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
