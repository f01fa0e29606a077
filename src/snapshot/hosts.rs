//! Host statistics, as measured by clients.

use std::collections::HashMap;
use std::time::SystemTime;

/// Host statistics of every ready node, by node ID.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hosts {
    /// `None` if the client did not respond.
    pub by_node: HashMap<String, Option<Host>>,
}

/// Statistics of one host; unknown values are absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Host {
    /// Used CPU of all cores in hertz.
    pub cpu_used_hertz: Option<f64>,
    /// Installed memory in bytes.
    pub memory_total_bytes: Option<f64>,
    /// Used memory in bytes.
    pub memory_used_bytes: Option<f64>,
    /// Available memory in bytes.
    pub memory_available_bytes: Option<f64>,
    /// Its disks.
    pub disks: Vec<Disk>,
    /// Boot time.
    pub booted: Option<SystemTime>,
}

/// One disk of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disk {
    /// Device name; `alloc_dir` for the file system of the allocation directory.
    pub device: String,
    /// Size in bytes.
    pub size_bytes: Option<f64>,
    /// Used bytes.
    pub used_bytes: Option<f64>,
    /// Used share of the inodes, 0 to 1.
    pub inodes_used_ratio: Option<f64>,
}
