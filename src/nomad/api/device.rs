//! Devices, such as GPUs, of nodes and allocations.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// Devices of one kind on a node.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeDevice {
    /// For example `nvidia`.
    pub vendor: Option<String>,
    /// For example `gpu`.
    #[serde(rename = "Type")]
    pub device_type: Option<String>,
    /// Its model.
    pub name: Option<String>,
    instances: Option<Vec<Option<Instance>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Instance {
    healthy: Option<bool>,
}

/// Devices of one kind that are allocated to a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocatedDevice {
    /// For example `nvidia`.
    pub vendor: Option<String>,
    /// For example `gpu`.
    #[serde(rename = "Type")]
    pub device_type: Option<String>,
    /// Its model.
    pub name: Option<String>,
    /// Number of devices.
    #[serde(rename = "DeviceIDs", deserialize_with = "length")]
    pub count: u64,
}

/// Devices that a task requests.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RequestedDevice {
    /// A type, `vendor/type` or `vendor/type/model`.
    pub name: Option<String>,
    count: Option<i64>,
}

impl NodeDevice {
    /// Returns the number of healthy devices. Nomad allocates only these.
    pub fn healthy(&self) -> u64 {
        let instances = self.instances.iter().flatten().flatten();
        instances.filter(|instance| instance.healthy == Some(true)).count() as u64
    }
}

impl RequestedDevice {
    /// Returns the number of requested devices.
    pub fn count(&self) -> u64 {
        super::count(self.count)
    }
}

/// Counts the elements of a list.
fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let elements = Option::<Vec<IgnoredAny>>::deserialize(deserializer)?;
    Ok(elements.map_or(0, |elements| elements.len() as u64))
}
