//! Rows of `GET /v1/allocations`, and what an allocation counts for.

use serde::Deserialize;

use super::Map;
use crate::terms::{ClientStatus, DesiredStatus, JobType};

/// An allocation as the list shows it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Allocation {
    /// Its job's namespace.
    pub namespace: Option<String>,
    /// The node it is placed on.
    #[serde(rename = "NodeID")]
    pub node_id: Option<String>,
    /// Its job's scheduler.
    pub job_type: JobType,
    /// What the servers want of it.
    pub desired_status: DesiredStatus,
    /// What its client last said of it.
    pub client_status: ClientStatus,
    /// What it was promised; only with `resources=true` (Nomad 1.0 and later).
    pub allocated_resources: Option<AllocatedResources>,
}

/// What was promised to an allocation, task by task.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocatedResources {
    tasks: Option<Map<Task>>,
    task_lifecycles: Option<Map<Lifecycle>>,
    shared: Option<Shared>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Task {
    cpu: Option<Cpu>,
    memory: Option<Memory>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Cpu {
    cpu_shares: Option<i64>,
    reserved_cores: Option<Vec<u16>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    #[serde(rename = "MemoryMB")]
    memory_mb: Option<i64>,
    #[serde(rename = "MemoryMaxMB")]
    memory_max_mb: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Lifecycle {
    hook: Option<String>,
    sidecar: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shared {
    #[serde(rename = "DiskMB")]
    disk_mb: Option<i64>,
}

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

impl Total {
    fn add_tasks(&mut self, other: Self) {
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

/// The phases of an allocation's life in which a task runs.
#[derive(Clone, Copy)]
enum Phase {
    /// Before the main tasks, and gone then.
    Prestart,
    /// Before the main tasks and beside them.
    PrestartSidecar,
    /// Tasks without a lifecycle, and poststart tasks beside them.
    Main,
    /// After the main tasks.
    Poststop,
}

impl AllocatedResources {
    /// Nomad's own total of an allocation, by the rule of 1.9.4 and later: tasks that never run together do not
    /// add up, so each dimension is the largest of what is needed before, during and after the main tasks. CPU of
    /// reserved cores is held all the time.
    pub fn total(&self) -> Total {
        let (mut before, mut during, mut after) = (Total::default(), Total::default(), Total::default());
        let mut reserved_mhz: u64 = 0;
        for (name, task) in self.tasks.iter().flatten() {
            let Some(task) = task else { continue };
            let (mut need, reserved) = task.need();
            if reserved {
                reserved_mhz = reserved_mhz.saturating_add(std::mem::take(&mut need.cpu_mhz));
            }
            match self.phase(name) {
                Phase::Prestart => before.add_tasks(need),
                Phase::PrestartSidecar => {
                    before.add_tasks(need);
                    during.add_tasks(need);
                }
                Phase::Main => during.add_tasks(need),
                Phase::Poststop => after.add_tasks(need),
            }
        }
        let mut total = before.max(during).max(after);
        total.cpu_mhz = total.cpu_mhz.saturating_add(reserved_mhz);
        total.disk_mib = positive(self.shared.as_ref().and_then(|shared| shared.disk_mb));
        total
    }

    fn phase(&self, task: &str) -> Phase {
        let lifecycle = self.task_lifecycles.as_ref().and_then(|all| all.get(task)?.as_ref());
        let sidecar = lifecycle.and_then(|lifecycle| lifecycle.sidecar).unwrap_or_default();
        match lifecycle.and_then(|lifecycle| lifecycle.hook.as_deref()) {
            Some("prestart") if sidecar => Phase::PrestartSidecar,
            Some("prestart") => Phase::Prestart,
            Some("poststop") => Phase::Poststop,
            _ => Phase::Main,
        }
    }
}

impl Task {
    /// What it needs while it runs, and whether its CPU is reserved cores.
    fn need(&self) -> (Total, bool) {
        let memory_mib = positive(self.memory.as_ref().and_then(|memory| memory.memory_mb));
        let memory_max_mib = match positive(self.memory.as_ref().and_then(|memory| memory.memory_max_mb)) {
            0 => memory_mib,
            max => max,
        };
        let cpu_mhz = positive(self.cpu.as_ref().and_then(|cpu| cpu.cpu_shares));
        let cores = self.cpu.as_ref().and_then(|cpu| cpu.reserved_cores.as_ref());
        (
            Total { cpu_mhz, memory_mib, memory_max_mib, disk_mib: 0 },
            cores.is_some_and(|cores| !cores.is_empty()),
        )
    }
}

fn positive(number: Option<i64>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(json: &str) -> (u64, u64, u64, u64) {
        let resources: AllocatedResources = serde_json::from_str(json).unwrap();
        let total = resources.total();
        (total.cpu_mhz, total.memory_mib, total.memory_max_mib, total.disk_mib)
    }

    /// A task of the given MHz, MiB and maximal MiB.
    fn task(cpu: u32, memory: u32, max: u32) -> String {
        format!(r#"{{"Cpu":{{"CpuShares":{cpu}}},"Memory":{{"MemoryMB":{memory},"MemoryMaxMB":{max}}}}}"#)
    }

    #[test]
    fn tasks_that_never_run_together_do_not_add_up() {
        let [init, side, main, post, stop] =
            [task(500, 100, 0), task(10, 20, 0), task(300, 256, 512), task(5, 5, 0), task(200, 900, 0)];
        let json = format!(
            r#"{{"Tasks":{{"init":{init},"side":{side},"main":{main},"post":{post},"stop":{stop}}},
                "TaskLifecycles":{{"init":{{"Hook":"prestart","Sidecar":false}},"side":{{"Hook":"prestart","Sidecar":true}},
                "main":null,"post":{{"Hook":"poststart"}},"stop":{{"Hook":"poststop"}}}},
                "Shared":{{"DiskMB":300}}}}"#
        );
        // Before: 510 MHz, 120 MiB. During: 315 MHz, 281 MiB (537 at most). After: 200 MHz, 900 MiB.
        assert_eq!(total(&json), (510, 900, 900, 300));
    }

    #[test]
    fn reserved_cores_are_held_in_every_phase() {
        let json = r#"{"Tasks":{"init":{"Cpu":{"CpuShares":2000,"ReservedCores":[1,2]}},"main":{"Cpu":{"CpuShares":300}}},
            "TaskLifecycles":{"init":{"Hook":"prestart"}}}"#;
        assert_eq!(total(json), (2300, 0, 0, 0));
    }

    #[test]
    fn nulls_and_negative_numbers_count_for_nothing() {
        assert_eq!(total(r#"{"Tasks":null,"Shared":null,"TaskLifecycles":null}"#), (0, 0, 0, 0));
        assert_eq!(total(r#"{"Tasks":{"a":null,"b":{"Cpu":null,"Memory":{"MemoryMB":-5}}}}"#), (0, 0, 0, 0));
    }
}
