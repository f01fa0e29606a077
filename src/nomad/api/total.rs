//! What an allocation counts for: Nomad's own rule, for allocations that exist and for those that are asked for.

use serde::Deserialize;

use super::job::count;

/// What an allocation counts for on its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// MHz.
    pub cpu_mhz: u64,
    /// MiB that the scheduler reserves.
    pub memory_mib: u64,
    /// MiB that it may grow to; a task without memory oversubscription counts with what is reserved.
    pub memory_max_mib: u64,
    /// MiB of the allocation directory.
    pub disk_mib: u64,
}

/// What one task needs while it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Need {
    pub(super) cpu_mhz: Option<i64>,
    pub(super) memory_mib: Option<i64>,
    pub(super) memory_max_mib: Option<i64>,
    /// Whether its CPU is whole cores, which are held all the time.
    pub(super) reserves_cores: bool,
}

/// When a task runs, as Nomad writes it; `null` for a main task.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Lifecycle {
    hook: Option<String>,
    sidecar: Option<bool>,
}

/// The phases of an allocation's life in which a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the main tasks, and gone then.
    Prestart,
    /// Before the main tasks and beside them.
    PrestartSidecar,
    /// Tasks without a lifecycle, and poststart tasks beside them.
    Main,
    /// After the main tasks.
    Poststop,
}

impl Phase {
    pub(super) fn of(lifecycle: Option<&Lifecycle>) -> Self {
        let sidecar = lifecycle.and_then(|lifecycle| lifecycle.sidecar).unwrap_or_default();
        match lifecycle.and_then(|lifecycle| lifecycle.hook.as_deref()) {
            Some("prestart") if sidecar => Self::PrestartSidecar,
            Some("prestart") => Self::Prestart,
            Some("poststop") => Self::Poststop,
            _ => Self::Main,
        }
    }
}

impl Total {
    /// The total by the rule of Nomad 1.9.4 and later: tasks that never run together do not add up, so each
    /// dimension is the largest of what is needed before, during and after the main tasks. CPU of reserved cores
    /// is held all the time.
    pub(super) fn of(tasks: impl Iterator<Item = (Phase, Need)>, disk_mib: Option<i64>) -> Self {
        let (mut before, mut during, mut after) = (Self::default(), Self::default(), Self::default());
        let mut reserved_mhz: u64 = 0;
        for (phase, need) in tasks {
            let mut total = Self::from(need);
            if need.reserves_cores {
                reserved_mhz = reserved_mhz.saturating_add(std::mem::take(&mut total.cpu_mhz));
            }
            match phase {
                Phase::Prestart => before.add(total),
                Phase::PrestartSidecar => {
                    before.add(total);
                    during.add(total);
                }
                Phase::Main => during.add(total),
                Phase::Poststop => after.add(total),
            }
        }
        let mut total = before.max(during).max(after);
        total.cpu_mhz = total.cpu_mhz.saturating_add(reserved_mhz);
        total.disk_mib = count(disk_mib);
        total
    }

    fn add(&mut self, other: Self) {
        self.cpu_mhz = self.cpu_mhz.saturating_add(other.cpu_mhz);
        self.memory_mib = self.memory_mib.saturating_add(other.memory_mib);
        self.memory_max_mib = self.memory_max_mib.saturating_add(other.memory_max_mib);
    }

    fn max(self, other: Self) -> Self {
        Self {
            cpu_mhz: self.cpu_mhz.max(other.cpu_mhz),
            memory_mib: self.memory_mib.max(other.memory_mib),
            memory_max_mib: self.memory_max_mib.max(other.memory_max_mib),
            disk_mib: self.disk_mib.max(other.disk_mib),
        }
    }
}

impl From<Need> for Total {
    fn from(need: Need) -> Self {
        let memory_mib = count(need.memory_mib);
        let memory_max_mib = match count(need.memory_max_mib) {
            0 => memory_mib,
            max => max,
        };
        Self { cpu_mhz: count(need.cpu_mhz), memory_mib, memory_max_mib, disk_mib: 0 }
    }
}
