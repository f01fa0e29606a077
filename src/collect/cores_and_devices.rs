//! Reserved cores and devices.

use std::collections::BTreeSet;

use crate::nomad::api::{AllocatedResources, NodeDevice, NodeResources, TaskGroup};
use crate::snapshot::{CoresAndDevices, DeviceKind, Devices};

/// Returns the cores and devices of an allocation. Nomad reserves those of all its tasks until it is
/// terminal, even if the tasks do not run at the same time.
pub(super) fn allocated(resources: &AllocatedResources) -> CoresAndDevices {
    let mut cores_and_devices = CoresAndDevices { cores: resources.reserved_cores, devices: Devices::new() };
    for device in &resources.devices {
        let kind = kind(&device.vendor, &device.device_type, &device.name);
        *cores_and_devices.devices.entry(kind).or_default() += device.count;
    }
    cores_and_devices
}

/// Returns the cores and devices that one allocation of a task group requests.
pub(super) fn requested(group: &TaskGroup) -> CoresAndDevices {
    let mut cores_and_devices = CoresAndDevices { cores: group.cores(), devices: Devices::new() };
    for device in group.devices() {
        let kind = DeviceKind::requested(device.name.as_deref().unwrap_or_default());
        *cores_and_devices.devices.entry(kind).or_default() += device.count();
    }
    cores_and_devices
}

/// Returns the number of cores of a node that jobs can reserve. Returns `None` if the node does not report
/// them, which is the case before Nomad 1.1 and on systems without cpusets.
pub(super) fn allocatable_cores(
    has: Option<&NodeResources>,
    reserved: Option<&NodeResources>,
) -> Option<u64> {
    let reservable: BTreeSet<u16> = has?.reservable_cores()?.iter().copied().collect();
    // Since Nomad 1.7, the reservable cores exclude those that are reserved for the system.
    let reserved: BTreeSet<u16> =
        reserved.and_then(NodeResources::reserved_cores).into_iter().flatten().copied().collect();
    Some(reservable.difference(&reserved).count() as u64)
}

/// Returns the number of healthy devices of a node. If no device of a kind is healthy, its number is 0.
pub(super) fn healthy_devices(has: Option<&NodeResources>) -> Devices {
    let mut devices = Devices::new();
    for device in has.into_iter().flat_map(NodeResources::devices) {
        *devices.entry(of_node(device)).or_default() += device.healthy();
    }
    devices
}

fn of_node(device: &NodeDevice) -> DeviceKind {
    kind(&device.vendor, &device.device_type, &device.name)
}

fn kind(vendor: &Option<String>, device_type: &Option<String>, model: &Option<String>) -> DeviceKind {
    let owned = |name: &Option<String>| name.clone().unwrap_or_default();
    DeviceKind { vendor: owned(vendor), device_type: owned(device_type), model: owned(model) }
}
