//! Resources that are allocated as a whole: CPU cores, and devices such as GPUs.

use std::collections::BTreeMap;

/// A kind of device. In requests, an empty name means any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKind {
    /// For example `nvidia`.
    pub vendor: String,
    /// For example `gpu`.
    pub device_type: String,
    /// For example `Tesla T4`.
    pub model: String,
}

/// Devices by kind.
pub type Devices = BTreeMap<DeviceKind, u64>;

/// Number of cores and devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoresAndDevices {
    /// CPU cores.
    pub cores: u64,
    /// Devices.
    pub devices: Devices,
}

impl DeviceKind {
    /// Returns the kind in a job's request: a type, `vendor/type` or `vendor/type/model`.
    pub fn requested(name: &str) -> Self {
        let mut parts = name.splitn(3, '/').map(str::to_owned);
        let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        match second {
            None => Self { device_type: first, ..Self::default() },
            Some(device_type) => Self { vendor: first, device_type, model: third.unwrap_or_default() },
        }
    }
}

impl CoresAndDevices {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cores == 0 && self.devices.is_empty()
    }

    /// Adds another amount a number of times.
    pub fn add(&mut self, other: &Self, times: u64) {
        self.cores = self.cores.saturating_add(other.cores.saturating_mul(times));
        for (kind, count) in &other.devices {
            let known = match self.devices.get_mut(kind) {
                Some(known) => known,
                None => self.devices.entry(kind.clone()).or_default(),
            };
            *known = known.saturating_add(count.saturating_mul(times));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_requested_by_type_vendor_and_model() {
        let names = |name| {
            let kind = DeviceKind::requested(name);
            [kind.vendor, kind.device_type, kind.model]
        };
        assert_eq!(names("gpu"), ["", "gpu", ""]);
        assert_eq!(names("nvidia/gpu"), ["nvidia", "gpu", ""]);
        assert_eq!(names("nvidia/gpu/Tesla T4/16"), ["nvidia", "gpu", "Tesla T4/16"]);
        assert_eq!(names(""), ["", "", ""]);
    }

    #[test]
    fn amounts_add_up_by_kind_and_do_not_overflow() {
        let gpu = DeviceKind::requested("gpu");
        let one = CoresAndDevices { cores: 2, devices: Devices::from([(gpu.clone(), 1)]) };
        let mut sum = CoresAndDevices::default();
        assert!(sum.is_empty());
        sum.add(&one, 3);
        sum.add(&one, 1);
        assert_eq!(sum, CoresAndDevices { cores: 8, devices: Devices::from([(gpu, 4)]) });
        sum.add(&one, u64::MAX);
        assert_eq!(sum.cores, u64::MAX);
    }
}
