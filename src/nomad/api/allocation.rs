//! Rows of `GET /v1/allocations`, and the resources of an allocation.

use std::time::SystemTime;

use serde::Deserialize;

use super::statuses::{self, Description, from_text};
use super::total::{Need, Phase, Total};
use super::{AllocatedDevice, Map, time};
use crate::terms::{ClientStatus, DesiredStatus, JobType, Outcome};

/// An allocation in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Allocation {
    /// A UUID.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// Its job's namespace.
    pub namespace: Option<String>,
    /// Its job.
    #[serde(rename = "JobID")]
    pub job_id: Option<String>,
    /// Its task group.
    pub task_group: Option<String>,
    /// The node it is placed on.
    #[serde(rename = "NodeID")]
    pub node_id: Option<String>,
    /// Its job's type.
    pub job_type: JobType,
    /// Desired status, set by the servers.
    pub desired_status: DesiredStatus,
    /// Status as last reported by its client.
    pub client_status: ClientStatus,
    /// `job.group[index]`, the same for its replacement.
    pub name: NameHash,
    /// The job version that it was placed for.
    pub job_version: Option<u64>,
    /// Increases with every placed allocation.
    pub create_index: Option<u64>,
    pub(super) desired_description: Description,
    pub(super) client_description: Description,
    /// Allocated resources; only with `resources=true` (Nomad 1.0 and later).
    pub allocated_resources: Option<AllocatedResources>,
    pub(super) create_time: Option<i64>,
    pub(super) modify_time: Option<i64>,
}

impl Allocation {
    /// Returns how it ended or is ending.
    pub fn outcome(&self) -> Outcome {
        statuses::outcome(
            self.client_status,
            self.desired_status,
            self.desired_description,
            self.client_description,
        )
    }

    /// Returns when it was placed.
    pub fn created(&self) -> Option<SystemTime> {
        time::from_nanos(self.create_time)
    }

    /// Returns when it last changed.
    pub fn modified(&self) -> Option<SystemTime> {
        time::from_nanos(self.modify_time)
    }
}

/// Hash of an allocation's name, which is only compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameHash(pub u32);

from_text!(NameHash, text => NameHash(crate::terms::hash_of(text) as u32));

/// Resources of an allocation, which are summed while they are decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "Resources")]
pub struct AllocatedResources {
    /// Resources that the allocation takes on its node.
    pub total: Total,
    /// Number of reserved cores.
    pub reserved_cores: u64,
    /// Devices of its tasks.
    pub devices: Box<[AllocatedDevice]>,
}

/// Resources of an allocation in Nomad's format.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Resources {
    tasks: Option<Map<Task>>,
    task_lifecycles: Option<Map<super::total::Lifecycle>>,
    shared: Option<Shared>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Task {
    cpu: Option<Cpu>,
    memory: Option<Memory>,
    devices: Option<Vec<Option<AllocatedDevice>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Cpu {
    cpu_shares: Option<i64>,
    reserved_cores: Option<Vec<u16>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Memory {
    #[serde(rename = "MemoryMB")]
    memory_mb: Option<i64>,
    #[serde(rename = "MemoryMaxMB")]
    memory_max_mb: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Shared {
    #[serde(rename = "DiskMB")]
    disk_mb: Option<i64>,
}

impl From<Resources> for AllocatedResources {
    fn from(resources: Resources) -> Self {
        let total = resources.total();
        let tasks = || resources.tasks.iter().flatten().filter_map(|(_, task)| task.as_ref());
        let reserved_cores = tasks().map(|task| task.reserved_cores().len() as u64).sum();
        let devices = resources.tasks.into_iter().flatten().filter_map(|(_, task)| task?.devices);
        Self { total, reserved_cores, devices: devices.flatten().flatten().collect() }
    }
}

impl Resources {
    fn total(&self) -> Total {
        let tasks = self.tasks.iter().flatten();
        let needs = tasks.filter_map(|(name, task)| Some((self.phase(name), task.as_ref()?.need())));
        Total::of(needs, self.shared.as_ref().and_then(|shared| shared.disk_mb))
    }

    fn phase(&self, task: &str) -> Phase {
        let lifecycle = self.task_lifecycles.as_ref().and_then(|all| all.get(task)?.as_ref());
        Phase::of(lifecycle)
    }
}

impl Task {
    fn reserved_cores(&self) -> &[u16] {
        self.cpu.as_ref().and_then(|cpu| cpu.reserved_cores.as_deref()).unwrap_or_default()
    }

    fn need(&self) -> Need {
        Need {
            cpu_mhz: self.cpu.as_ref().and_then(|cpu| cpu.cpu_shares),
            memory_mib: self.memory.as_ref().and_then(|memory| memory.memory_mb),
            memory_max_mib: self.memory.as_ref().and_then(|memory| memory.memory_max_mb),
            reserves_cores: !self.reserved_cores().is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(json: &str) -> (u64, u64, u64, u64) {
        let resources: AllocatedResources = serde_json::from_str(json).unwrap();
        let total = resources.total;
        (total.cpu_mhz, total.memory_mib, total.memory_max_mib, total.disk_mib)
    }

    /// A task with the given MHz, MiB and maximum MiB.
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
        // Before: 510 MHz, 120 MiB. During: 315 MHz, 281 MiB (maximum 537). After: 200 MHz, 900 MiB.
        assert_eq!(total(&json), (510, 900, 900, 300));
    }

    #[test]
    fn reserved_cores_count_in_every_phase() {
        let json = r#"{"Tasks":{"init":{"Cpu":{"CpuShares":2000,"ReservedCores":[1,2]}},"main":{"Cpu":{"CpuShares":300}}},
            "TaskLifecycles":{"init":{"Hook":"prestart"}}}"#;
        assert_eq!(total(json), (2300, 0, 0, 0));
    }

    #[test]
    fn nulls_and_negative_numbers_count_as_zero() {
        assert_eq!(total(r#"{"Tasks":null,"Shared":null,"TaskLifecycles":null}"#), (0, 0, 0, 0));
        assert_eq!(total(r#"{"Tasks":{"a":null,"b":{"Cpu":null,"Memory":{"MemoryMB":-5}}}}"#), (0, 0, 0, 0));
    }
}
