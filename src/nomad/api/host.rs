//! Response of `GET /v1/client/stats`: host statistics of a client.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::time;

/// Host statistics.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostStats {
    /// All zeros if the client could not measure them.
    pub memory: Option<HostMemory>,
    /// Used MHz of all cores.
    #[serde(rename = "CPUTicksConsumed")]
    pub cpu_mhz_used: Option<f64>,
    /// Physical partitions.
    pub disk_stats: Option<Vec<Option<HostDisk>>>,
    /// File system of the allocation directory.
    pub alloc_dir_stats: Option<HostDisk>,
    uptime: Option<u64>,
    timestamp: Option<i64>,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostMemory {
    /// Installed.
    pub total: Option<u64>,
    /// Available bytes, including reclaimable ones.
    pub available: Option<u64>,
    /// In use.
    pub used: Option<u64>,
}

/// One disk.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostDisk {
    /// Its name; empty for the allocation directory.
    pub device: Option<String>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Used bytes.
    pub used: Option<u64>,
    /// 0 to 100.
    pub inodes_used_percent: Option<f64>,
}

impl HostStats {
    /// Returns the boot time of the host in seconds: the time of the sample minus the uptime.
    pub fn booted(&self) -> Option<SystemTime> {
        let uptime = Duration::from_secs(self.uptime.filter(|uptime| *uptime > 0)?);
        let at = time::from_nanos(self.timestamp)?.checked_sub(uptime)?;
        let seconds = at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }
}
