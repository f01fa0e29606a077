//! Conversion of Nomad's units to base units.

/// Converts MHz to hertz.
pub(super) fn hertz(mhz: u64) -> f64 {
    mhz as f64 * 1e6
}

/// Converts Nomad's "MB", which are MiB, to bytes.
pub(super) fn bytes(mib: u64) -> f64 {
    mib as f64 * 1_048_576.0
}
