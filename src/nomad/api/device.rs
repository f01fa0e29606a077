//! Devices, such as GPUs, as nodes have them and allocations hold them.

use serde::Deserialize;

/// The devices of one kind on a node.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeDevice {
    /// Such as `nvidia`.
    pub vendor: Option<String>,
    /// Such as `gpu`.
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

/// The devices of one kind that are allocated to a task.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocatedDevice {
    /// Such as `nvidia`.
    pub vendor: Option<String>,
    /// Such as `gpu`.
    #[serde(rename = "Type")]
    pub device_type: Option<String>,
    /// Its model.
    pub name: Option<String>,
    #[serde(rename = "DeviceIDs")]
    ids: Option<Vec<serde::de::IgnoredAny>>,
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
    /// Returns how many of them work. Nomad allocates no others.
    pub fn healthy(&self) -> u64 {
        let instances = self.instances.iter().flatten().flatten();
        instances.filter(|instance| instance.healthy == Some(true)).count() as u64
    }
}

impl AllocatedDevice {
    /// Returns how many they are.
    pub fn count(&self) -> u64 {
        self.ids.as_ref().map_or(0, Vec::len) as u64
    }
}

impl RequestedDevice {
    /// Returns how many are requested.
    pub fn count(&self) -> u64 {
        super::count(self.count)
    }
}
