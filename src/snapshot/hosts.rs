//! What clients measure of their hosts.

use std::collections::HashMap;
use std::time::SystemTime;

/// Host statistics by node ID, of every ready node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hosts {
    /// `None` for a client that did not answer.
    pub by_node: HashMap<String, Option<Host>>,
}

/// One host; a field is absent where the client does not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Host {
    /// CPU in use over all cores, in hertz.
    pub cpu_used_hertz: Option<f64>,
    /// Memory installed, in bytes.
    pub memory_total_bytes: Option<f64>,
    /// Memory in use, in bytes.
    pub memory_used_bytes: Option<f64>,
    /// Memory that could still be given out, in bytes.
    pub memory_available_bytes: Option<f64>,
    /// Its disks.
    pub disks: Vec<Disk>,
    /// When it was started.
    pub booted: Option<SystemTime>,
}

/// One disk of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disk {
    /// Its device; `alloc_dir` for the file system of the allocation directory.
    pub device: String,
    /// Bytes in all.
    pub size_bytes: Option<f64>,
    /// Bytes in use.
    pub used_bytes: Option<f64>,
    /// Share of inodes in use, 0 to 1.
    pub inodes_used_ratio: Option<f64>,
}
