//! Rows of `GET /v1/nodes`, and the response of `GET /v1/node/:id`, which is similar.

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
    /// Name; not necessarily unique.
    pub name: Option<String>,
    /// Its datacenter.
    pub datacenter: Option<String>,
    /// Since Nomad 1.6.
    pub node_pool: Option<String>,
    /// Set by the operator; may be empty.
    pub node_class: Option<String>,
    /// Host part of its HTTP address.
    pub address: Option<String>,
    version: Option<String>,
    /// Status according to the servers.
    pub status: NodeStatus,
    /// Whether it is being drained.
    pub drain: Option<bool>,
    /// Whether it is eligible for new allocations.
    pub scheduling_eligibility: Eligibility,
    /// Task drivers.
    pub drivers: Option<Map<Driver>>,
    /// Total resources; only with `resources=true` (Nomad 1.0 and later).
    pub node_resources: Option<NodeResources>,
    /// Resources that are reserved for the host.
    pub reserved_resources: Option<NodeResources>,
    /// Nomad 1.1 and later.
    pub last_drain: Field<Option<LastDrain>>,
    /// Increases with every change of the node.
    pub modify_index: Option<u64>,
    /// Settings of the active drain; only in the response for one node.
    pub drain_strategy: Option<DrainStrategy>,
    attributes: Option<Attributes>,
}

/// Attributes that the client detected; only in the response for one node, which has the version only here.
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

/// Attributes with the ID or name of the cloud instance.
pub const INSTANCE_ATTRIBUTES: [&str; 5] = [
    "unique.platform.aws.instance-id",
    "unique.platform.gce.id",
    "unique.platform.gce.hostname",
    "unique.platform.azure.id",
    "unique.platform.azure.name",
];

impl Node {
    /// Returns the version of its agent.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref().or_else(|| self.attributes.as_ref()?.version.as_deref())
    }

    /// Returns whether it is this cloud instance. Needs the response for one node, because lists do not
    /// contain attributes.
    pub fn is_instance(&self, instance: &str) -> bool {
        self.attributes.as_ref().is_some_and(|of| {
            [&of.aws_id, &of.gce_id, &of.gce_hostname, &of.azure_id, &of.azure_name]
                .into_iter()
                .any(|id| id.as_deref() == Some(instance))
        })
    }
}

/// A field that some versions do not have: whether it was present, and its value.
#[derive(Debug, Default)]
pub struct Field<T> {
    /// Whether the response has the field, `null` or not.
    pub is_present: bool,
    /// Its value.
    pub value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { is_present: true, value: T::deserialize(deserializer)? })
    }
}

/// A task driver on a node.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Driver {
    /// Whether the node has it.
    pub detected: Option<bool>,
    /// Whether it is healthy.
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
    /// Returns the CPU in MHz.
    pub fn cpu_mhz(&self) -> Option<i64> {
        self.cpu.as_ref()?.cpu_shares
    }
    /// Returns the memory in MiB.
    pub fn memory_mib(&self) -> Option<i64> {
        self.memory.as_ref()?.memory_mb
    }
    /// Returns the disk in MiB.
    pub fn disk_mib(&self) -> Option<i64> {
        self.disk.as_ref()?.disk_mb
    }
    /// Returns the cores that jobs can reserve (Nomad 1.1 and later).
    pub fn reservable_cores(&self) -> Option<&[u16]> {
        self.cpu.as_ref()?.reservable_cpu_cores.as_deref()
    }
    /// Returns the cores that jobs cannot reserve; only in the reserved resources.
    pub fn reserved_cores(&self) -> Option<&[u16]> {
        self.cpu.as_ref()?.reserved_cpu_cores.as_deref()
    }
    /// Returns its devices, healthy or not.
    pub fn devices(&self) -> impl Iterator<Item = &NodeDevice> {
        self.devices.iter().flatten().flatten()
    }
}

/// The last drain of a node.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LastDrain {
    /// When it started.
    pub started_at: Time,
    /// Whether it is active, complete or cancelled.
    pub status: DrainStatus,
}

/// Settings of an active drain.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DrainStrategy {
    /// Whether system jobs keep running until the end.
    pub ignore_system_jobs: Option<bool>,
    /// When the drain stops the remaining allocations; unset without a deadline.
    pub force_deadline: Time,
    /// When it started.
    pub started_at: Time,
}
