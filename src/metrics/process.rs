//! Families about the exporter's process, under the names that every Prometheus client library uses.

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;

/// What the system knows of this process; a field is absent where it does not tell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    cpu_seconds: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
    virtual_bytes: Option<f64>,
    resident_bytes: Option<f64>,
    started: Option<f64>,
    threads: Option<f64>,
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "process_cpu_seconds_total",
        help: "Total user and system CPU time spent in seconds.",
        kind: Kind::Counter,
        labels: &[],
        collectors: &[],
        emit: |view, out| add(view, out, |process| process.cpu_seconds),
    },
    Family {
        name: "process_open_fds",
        help: "Number of open file descriptors.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[],
        emit: |view, out| add(view, out, |process| process.open_fds),
    },
    Family {
        name: "process_max_fds",
        help: "Maximum number of open file descriptors.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[],
        emit: |view, out| add(view, out, |process| process.max_fds),
    },
    Family {
        name: "process_virtual_memory_bytes",
        help: "Virtual memory size in bytes.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[],
        emit: |view, out| add(view, out, |process| process.virtual_bytes),
    },
    Family {
        name: "process_resident_memory_bytes",
        help: "Resident memory size in bytes.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[],
        emit: |view, out| add(view, out, |process| process.resident_bytes),
    },
    Family {
        name: "process_start_time_seconds",
        help: "Start time of the process since unix epoch in seconds.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[],
        emit: |view, out| add(view, out, |process| process.started),
    },
    Family {
        name: "process_threads",
        help: "Number of OS threads in the process.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[],
        emit: |view, out| add(view, out, |process| process.threads),
    },
];

fn add(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&Process) -> Option<f64>) {
    out.add_some(&[], value(&view.own.process));
}

impl Process {
    /// Asks the system.
    #[cfg(target_os = "linux")]
    pub(super) fn now() -> Self {
        let Ok(process) = procfs::process::Process::myself() else { return Self::default() };
        let stat = process.stat().ok();
        let ticks = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        let booted = || procfs::boot_time_secs().ok();
        let limit = process.limits().ok().map(|limits| limits.max_open_files.soft_limit);
        Self {
            cpu_seconds: stat.as_ref().map(|stat| ticks(stat.utime + stat.stime)),
            open_fds: process.fd_count().ok().map(|count| count as f64),
            max_fds: limit.and_then(|limit| match limit {
                procfs::process::LimitValue::Value(limit) => Some(limit as f64),
                procfs::process::LimitValue::Unlimited => None,
            }),
            virtual_bytes: stat.as_ref().map(|stat| stat.vsize as f64),
            resident_bytes: stat.as_ref().map(|stat| (stat.rss * procfs::page_size()) as f64),
            started: stat.as_ref().and_then(|stat| Some(booted()? as f64 + ticks(stat.starttime))),
            threads: stat.as_ref().map(|stat| stat.num_threads as f64),
        }
    }

    /// Only Linux is asked.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn now() -> Self {
        Self::default()
    }
}
