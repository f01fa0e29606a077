//! Resource usage of a process, according to the kernel.

use std::fs;

/// Resource usage of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Resident memory in KiB.
    pub(super) resident: u64,
    /// Peak resident memory in KiB.
    pub(super) peak: u64,
    /// Number of open sockets.
    pub(super) sockets: usize,
    /// Number of other open descriptors.
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
        // Ignores descriptors that were closed in the meantime.
        let links: Vec<_> = links.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect();
        let sockets = links.iter().filter(|link| link.to_string_lossy().starts_with("socket:")).count();
        Self { resident: value("VmRSS"), peak: value("VmHWM"), sockets, files: links.len() - sockets }
    }

    pub(super) fn descriptors(&self) -> usize {
        self.sockets + self.files
    }
}

/// Converts KiB to MiB.
pub(super) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
