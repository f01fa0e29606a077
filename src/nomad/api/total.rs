//! Resources of an allocation by Nomad's own rule, for placed and for requested allocations.

use serde::Deserialize;

use super::job::count;

/// Resources that an allocation takes on its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Total {
    /// MHz.
    pub cpu_mhz: u64,
    /// Reserved MiB.
    pub memory_mib: u64,
    /// Maximum MiB; for a task without memory oversubscription, the reserved memory.
    pub memory_max_mib: u64,
    /// MiB of the allocation directory.
    pub disk_mib: u64,
}

/// Resources of one task while it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Need {
    pub(super) cpu_mhz: Option<i64>,
    pub(super) memory_mib: Option<i64>,
    pub(super) memory_max_mib: Option<i64>,
    /// Whether it has reserved cores, whose CPU is allocated for the lifetime of the allocation.
    pub(super) reserves_cores: bool,
}

/// Lifecycle of a task in Nomad's format; `null` for a main task.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Lifecycle {
    hook: Option<String>,
    sidecar: Option<bool>,
}

/// Phases of an allocation in which a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the main tasks only.
    Prestart,
    /// Before and beside the main tasks.
    PrestartSidecar,
    /// Main tasks, and poststart tasks beside them.
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
    /// Calculates the total by the rule of Nomad 1.9.4 and later: tasks that never run together do not add
    /// up, so each resource is the maximum over the phases before, during and after the main tasks. CPU of
    /// reserved cores counts in all phases.
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
