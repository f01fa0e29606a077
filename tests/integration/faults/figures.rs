//! What a process holds, as the kernel tells it.

use std::fs;

/// What a process holds at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Memory, in KiB.
    pub(super) resident: u64,
    /// The most memory it ever held, in KiB.
    pub(super) peak: u64,
    /// Descriptors that are sockets.
    pub(super) sockets: usize,
    /// Descriptors that are none.
    pub(super) files: usize,
}

impl Figures {
    pub(super) fn of(id: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().unwrap()
        };
        let links = fs::read_dir(format!("/proc/{id}/fd")).unwrap();
        // One that was closed meanwhile is none.
        let links: Vec<_> = links.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect();
        let sockets = links.iter().filter(|link| link.to_string_lossy().starts_with("socket:")).count();
        Self { resident: value("VmRSS"), peak: value("VmHWM"), sockets, files: links.len() - sockets }
    }

    pub(super) fn descriptors(&self) -> usize {
        self.sockets + self.files
    }
}

/// KiB as MiB.
pub(super) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
