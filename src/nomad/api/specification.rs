//! The fields of `GET /v1/job/:id` with the requested resources and the desired number of allocations.

use serde::Deserialize;

use super::total::{Lifecycle, Need, Phase, Total};
use super::{RequestedDevice, count};

/// The resources in a job specification.
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
    /// Returns the resources that one allocation takes on its node. Excludes the CPU of reserved cores,
    /// because it depends on the node.
    pub fn total(&self) -> Total {
        let needs = self.tasks().map(|task| (Phase::of(task.lifecycle.as_ref()), task.need()));
        Total::of(needs, self.ephemeral_disk.as_ref().and_then(|disk| disk.size_mb))
    }

    /// Returns whether allocations reserve cores.
    pub fn requests_cores(&self) -> bool {
        self.tasks().any(|task| task.need().reserves_cores)
    }

    /// Returns the number of cores that an allocation reserves.
    pub fn cores(&self) -> u64 {
        self.tasks().filter_map(|task| task.resources.as_ref()).map(|resources| count(resources.cores)).sum()
    }

    /// Returns the devices that an allocation requests.
    pub fn devices(&self) -> impl Iterator<Item = &RequestedDevice> {
        let resources = self.tasks().filter_map(|task| task.resources.as_ref());
        resources.flat_map(|resources| resources.devices.iter().flatten().flatten())
    }

    /// Returns the desired number of allocations.
    pub fn count(&self) -> Option<u64> {
        u32::try_from(self.count?).ok().map(u64::from)
    }

    /// Returns the names of its tasks.
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
    fn requested_resources_equal_those_of_the_allocation() {
        let group: TaskGroup = serde_json::from_str(
            r#"{"Name":"build","EphemeralDisk":{"SizeMB":300},"Tasks":[null,
                {"Resources":{"CPU":500,"MemoryMB":64},"Lifecycle":{"Hook":"prestart","Sidecar":false}},
                {"Resources":{"CPU":300,"MemoryMB":256,"MemoryMaxMB":512},"Lifecycle":null}]}"#,
        )
        .unwrap();
        let expected = Total { cpu_mhz: 500, memory_mib: 256, memory_max_mib: 512, disk_mib: 300 };
        assert_eq!((group.total(), group.requests_cores()), (expected, false));
    }

    #[test]
    fn reserved_cores_have_no_frequency_before_placement() {
        let group: TaskGroup = serde_json::from_str(
            r#"{"Tasks":[{"Resources":{"CPU":100,"Cores":2,"MemoryMB":64}},{"Resources":null}]}"#,
        )
        .unwrap();
        let expected = Total { memory_mib: 64, memory_max_mib: 64, ..Total::default() };
        assert_eq!((group.total(), group.requests_cores()), (expected, true));
    }
}
