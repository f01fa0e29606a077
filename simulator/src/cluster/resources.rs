//! Resources and how the tasks of a group add up.

use std::ops::{Add, Sub};

use super::spec::{Lifecycle, Task, TaskGroup};

/// An amount of what nodes have and allocations take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// MHz.
    pub cpu: u64,
    /// MiB.
    pub memory_mb: u64,
    /// MiB with what may be used beyond the memory promised.
    pub memory_max_mb: u64,
    /// MiB.
    pub disk_mb: u64,
    /// Whole cores reserved.
    pub cores: u64,
    /// GPUs, the one kind of device that nodes have.
    pub gpus: u64,
}

impl Add for Resources {
    type Output = Resources;

    fn add(self, other: Resources) -> Resources {
        Resources {
            cpu: self.cpu + other.cpu,
            memory_mb: self.memory_mb + other.memory_mb,
            memory_max_mb: self.memory_max_mb + other.memory_max_mb,
            disk_mb: self.disk_mb + other.disk_mb,
            cores: self.cores + other.cores,
            gpus: self.gpus + other.gpus,
        }
    }
}

impl Sub for Resources {
    type Output = Resources;

    fn sub(self, other: Resources) -> Resources {
        Resources {
            cpu: self.cpu.saturating_sub(other.cpu),
            memory_mb: self.memory_mb.saturating_sub(other.memory_mb),
            memory_max_mb: self.memory_max_mb.saturating_sub(other.memory_max_mb),
            disk_mb: self.disk_mb.saturating_sub(other.disk_mb),
            cores: self.cores.saturating_sub(other.cores),
            gpus: self.gpus.saturating_sub(other.gpus),
        }
    }
}

impl std::iter::Sum for Resources {
    fn sum<I: Iterator<Item = Resources>>(all: I) -> Resources {
        all.fold(Resources::default(), Add::add)
    }
}

impl Resources {
    /// Prestart tasks, main tasks and poststop tasks run one after the other, so an instance takes the
    /// largest of the three. Sidecars run both before and with the main tasks. Reserved cores and
    /// GPUs are kept all the time.
    pub(crate) fn of_group(group: &TaskGroup, core_mhz: u64) -> Resources {
        let sum = |runs: fn(&Task) -> bool| -> Resources {
            group.tasks.iter().filter(|task| runs(task)).map(Resources::of_shared).sum()
        };
        let before = sum(|task| matches!(task.lifecycle, Some(Lifecycle::Prestart | Lifecycle::Sidecar)));
        let main =
            sum(|task| matches!(task.lifecycle, None | Some(Lifecycle::Poststart | Lifecycle::Sidecar)));
        let after = sum(|task| task.lifecycle == Some(Lifecycle::Poststop));
        let most = |of: fn(Resources) -> u64| of(before).max(of(main)).max(of(after));
        let cores: u64 = group.tasks.iter().map(|task| task.cores).sum();
        Resources {
            cpu: most(|part| part.cpu) + cores * core_mhz,
            memory_mb: most(|part| part.memory_mb),
            memory_max_mb: most(|part| part.memory_max_mb),
            disk_mb: group.disk_mb,
            cores,
            gpus: group.tasks.iter().map(|task| task.gpus).sum(),
        }
    }

    /// What a task takes while it runs, without its reserved cores.
    fn of_shared(task: &Task) -> Resources {
        Resources {
            cpu: if task.cores > 0 { 0 } else { task.cpu },
            memory_mb: task.memory_mb,
            memory_max_mb: if task.memory_max_mb > 0 { task.memory_max_mb } else { task.memory_mb },
            disk_mb: 0,
            cores: 0,
            gpus: 0,
        }
    }

    /// The first dimension in which `wanted` does not fit into what is left here, in Nomad's order.
    pub(crate) fn lacks(&self, wanted: Resources) -> Option<&'static str> {
        let dimensions = [
            ("devices: no devices match request", wanted.gpus, self.gpus),
            ("cores", wanted.cores, self.cores),
            ("cpu", wanted.cpu, self.cpu),
            ("memory", wanted.memory_mb, self.memory_mb),
            ("disk", wanted.disk_mb, self.disk_mb),
        ];
        dimensions.into_iter().find(|(_, wanted, left)| wanted > left).map(|(name, ..)| name)
    }
}
