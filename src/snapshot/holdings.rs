//! Allocated resources by namespace.

use std::collections::BTreeMap;

use crate::terms::{ByTerm, JobType};

/// Resources allocated to non-terminal allocations, by namespace and job type.
pub type Holdings = BTreeMap<String, ByTerm<JobType, Holding>>;

/// Resources allocated to one namespace and job type.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Holding {
    /// CPU in hertz.
    pub cpu_hertz: f64,
    /// Memory in bytes.
    pub memory_bytes: f64,
    /// Number of allocations without known resources, so that the sums above are unknown.
    pub unsized_count: u64,
}
