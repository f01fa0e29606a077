//! The part of `GET /v1/job/:id` that tells what an allocation requests, and how many there are to be.

use serde::Deserialize;

use super::total::{Lifecycle, Need, Phase, Total};
use super::{RequestedDevice, count};

/// A job's specification, as far as resources are concerned.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobSpecification {
    /// Its task groups.
    pub task_groups: Option<Vec<Option<TaskGroup>>>,
}

/// A task group.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskGroup {
    /// Its name.
    pub name: Option<String>,
    count: Option<i64>,
    ephemeral_disk: Option<EphemeralDisk>,
    tasks: Option<Vec<Option<Task>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EphemeralDisk {
    #[serde(rename = "SizeMB")]
    size_mb: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Task {
    name: Option<String>,
    resources: Option<Resources>,
    lifecycle: Option<Lifecycle>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    #[serde(rename = "CPU")]
    cpu: Option<i64>,
    #[serde(rename = "Cores")]
    cores: Option<i64>,
    #[serde(rename = "MemoryMB")]
    memory_mb: Option<i64>,
    #[serde(rename = "MemoryMaxMB")]
    memory_max_mb: Option<i64>,
    #[serde(rename = "Devices")]
    devices: Option<Vec<Option<RequestedDevice>>>,
}

impl TaskGroup {
    /// What one instance will count for on its node, without the CPU of whole cores: what those are worth
    /// depends on the node.
    pub fn total(&self) -> Total {
        let needs = self.tasks().map(|task| (Phase::of(task.lifecycle.as_ref()), task.need()));
        Total::of(needs, self.ephemeral_disk.as_ref().and_then(|disk| disk.size_mb))
    }

    /// Whether an instance asks for whole cores.
    pub fn asks_for_cores(&self) -> bool {
        self.tasks().any(|task| task.need().reserves_cores)
    }

    /// How many cores an allocation requests.
    pub fn cores(&self) -> u64 {
        self.tasks().filter_map(|task| task.resources.as_ref()).map(|resources| count(resources.cores)).sum()
    }

    /// The devices that an allocation requests.
    pub fn devices(&self) -> impl Iterator<Item = &RequestedDevice> {
        let resources = self.tasks().filter_map(|task| task.resources.as_ref());
        resources.flat_map(|resources| resources.devices.iter().flatten().flatten())
    }

    /// How many allocations it is to have.
    pub fn count(&self) -> Option<u64> {
        u32::try_from(self.count?).ok().map(u64::from)
    }

    /// The names of its tasks.
    pub fn task_names(&self) -> impl Iterator<Item = &str> {
        self.tasks().filter_map(|task| task.name.as_deref())
    }

    fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().flatten().flatten()
    }
}

impl Task {
    fn need(&self) -> Need {
        let Some(resources) = &self.resources else { return Need::default() };
        let reserves_cores = resources.cores.is_some_and(|cores| cores > 0);
        Need {
            cpu_mhz: resources.cpu.filter(|_| !reserves_cores),
            memory_mib: resources.memory_mb,
            memory_max_mib: resources.memory_max_mb,
            reserves_cores,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_asks_for_what_its_allocation_would_hold() {
        let group: TaskGroup = serde_json::from_str(
            r#"{"Name":"build","EphemeralDisk":{"SizeMB":300},"Tasks":[null,
                {"Resources":{"CPU":500,"MemoryMB":64},"Lifecycle":{"Hook":"prestart","Sidecar":false}},
                {"Resources":{"CPU":300,"MemoryMB":256,"MemoryMaxMB":512},"Lifecycle":null}]}"#,
        )
        .unwrap();
        let expected = Total { cpu_mhz: 500, memory_mib: 256, memory_max_mib: 512, disk_mib: 300 };
        assert_eq!((group.total(), group.asks_for_cores()), (expected, false));
    }

    #[test]
    fn cores_have_no_hertz_before_they_are_placed() {
        let group: TaskGroup = serde_json::from_str(
            r#"{"Tasks":[{"Resources":{"CPU":100,"Cores":2,"MemoryMB":64}},{"Resources":null}]}"#,
        )
        .unwrap();
        let expected = Total { memory_mib: 64, memory_max_mib: 64, ..Total::default() };
        assert_eq!((group.total(), group.asks_for_cores()), (expected, true));
    }
}
