//! From Nomad's units to base units.

/// Nomad's MHz in hertz.
pub(super) fn hertz(mhz: u64) -> f64 {
    mhz as f64 * 1e6
}

/// Nomad's "MB", which are MiB, in bytes.
pub(super) fn bytes(mib: u64) -> f64 {
    mib as f64 * 1_048_576.0
}
