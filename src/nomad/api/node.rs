//! Rows of `GET /v1/nodes`, and the answer of `GET /v1/node/:id`, which is alike.

use serde::Deserialize;

use super::{Map, NodeDevice, Time};
use crate::terms::{DrainStatus, Eligibility, NodeStatus};

/// A node.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Node {
    /// A UUID.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// Its name; need not be unique.
    pub name: Option<String>,
    /// Its datacenter.
    pub datacenter: Option<String>,
    /// Since Nomad 1.6.
    pub node_pool: Option<String>,
    /// Set by whoever runs the node; may be empty.
    pub node_class: Option<String>,
    /// The host part of its HTTP address.
    pub address: Option<String>,
    version: Option<String>,
    /// Its status as the servers see it.
    pub status: NodeStatus,
    /// Whether it is being drained.
    pub drain: Option<bool>,
    /// Whether it takes work.
    pub scheduling_eligibility: Eligibility,
    /// Task drivers.
    pub drivers: Option<Map<Driver>>,
    /// What it has; only with `resources=true` (Nomad 1.0 and later).
    pub node_resources: Option<NodeResources>,
    /// What of that is not for jobs.
    pub reserved_resources: Option<NodeResources>,
    /// Nomad 1.1 and later.
    pub last_drain: Told<Option<LastDrain>>,
    /// Grows with every change of the node.
    pub modify_index: Option<u64>,
    /// The terms of the drain that goes on; only of one node.
    pub drain_strategy: Option<DrainStrategy>,
    attributes: Option<Attributes>,
}

/// What a client found out about itself; only of one node, which has its version there alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    #[serde(rename = "nomad.version")]
    version: Option<String>,
    #[serde(rename = "unique.platform.aws.instance-id")]
    aws_id: Option<String>,
    #[serde(rename = "unique.platform.gce.id")]
    gce_id: Option<String>,
    #[serde(rename = "unique.platform.gce.hostname")]
    gce_hostname: Option<String>,
    #[serde(rename = "unique.platform.azure.id")]
    azure_id: Option<String>,
    #[serde(rename = "unique.platform.azure.name")]
    azure_name: Option<String>,
}

/// The attributes that say which instance of a cloud a node is.
pub const INSTANCE_ATTRIBUTES: [&str; 5] = [
    "unique.platform.aws.instance-id",
    "unique.platform.gce.id",
    "unique.platform.gce.hostname",
    "unique.platform.azure.id",
    "unique.platform.azure.name",
];

impl Node {
    /// The version of its agent.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref().or_else(|| self.attributes.as_ref()?.version.as_deref())
    }

    /// Whether it is this instance of its cloud. Only one node alone says so, and no row of a list.
    pub fn is_instance(&self, instance: &str) -> bool {
        self.attributes.as_ref().is_some_and(|of| {
            [&of.aws_id, &of.gce_id, &of.gce_hostname, &of.azure_id, &of.azure_name]
                .into_iter()
                .any(|id| id.as_deref() == Some(instance))
        })
    }
}

/// A field that a version may not know: whether it was there, and its value.
#[derive(Debug, Default)]
pub struct Told<T> {
    /// Whether the answer has the field, `null` or not.
    pub is_told: bool,
    /// Its value.
    pub value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Told<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { is_told: true, value: T::deserialize(deserializer)? })
    }
}

/// A task driver on a node.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Driver {
    /// Whether the node has it.
    pub detected: Option<bool>,
    /// Whether it works.
    pub healthy: Option<bool>,
}

/// CPU in MHz, memory and disk in MiB.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeResources {
    cpu: Option<Cpu>,
    memory: Option<Memory>,
    disk: Option<Disk>,
    devices: Option<Vec<Option<NodeDevice>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Cpu {
    cpu_shares: Option<i64>,
    reservable_cpu_cores: Option<Vec<u16>>,
    reserved_cpu_cores: Option<Vec<u16>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    #[serde(rename = "MemoryMB")]
    memory_mb: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Disk {
    #[serde(rename = "DiskMB")]
    disk_mb: Option<i64>,
}

impl NodeResources {
    /// MHz.
    pub fn cpu_mhz(&self) -> Option<i64> {
        self.cpu.as_ref()?.cpu_shares
    }
    /// MiB.
    pub fn memory_mib(&self) -> Option<i64> {
        self.memory.as_ref()?.memory_mb
    }
    /// MiB.
    pub fn disk_mib(&self) -> Option<i64> {
        self.disk.as_ref()?.disk_mb
    }
    /// The cores that jobs can reserve (Nomad 1.1 and later).
    pub fn reservable_cores(&self) -> Option<&[u16]> {
        self.cpu.as_ref()?.reservable_cpu_cores.as_deref()
    }
    /// The cores that are not for jobs; only of what is reserved.
    pub fn reserved_cores(&self) -> Option<&[u16]> {
        self.cpu.as_ref()?.reserved_cpu_cores.as_deref()
    }
    /// Its devices, healthy or not.
    pub fn devices(&self) -> impl Iterator<Item = &NodeDevice> {
        self.devices.iter().flatten().flatten()
    }
}

/// How a node's last drain stands.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LastDrain {
    /// When it began.
    pub started_at: Time,
    /// Whether it goes on, is complete, or was canceled.
    pub status: DrainStatus,
}

/// The terms of a running drain.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DrainStrategy {
    /// Whether system jobs stay until the end.
    pub ignore_system_jobs: Option<bool>,
    /// When the drain stops whatever is left; unset where it waits without limit.
    pub force_deadline: Time,
    /// When it began.
    pub started_at: Time,
}
