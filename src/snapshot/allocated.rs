//! Allocated resources by namespace.

use std::collections::BTreeMap;

use crate::terms::{ByTerm, JobType};

/// Resources allocated to non-terminal allocations, by namespace and job type.
pub type AllocatedByNamespace = BTreeMap<String, ByTerm<JobType, AllocatedTotal>>;

/// Resources allocated to one namespace and job type.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AllocatedTotal {
    /// CPU in hertz.
    pub cpu_hertz: f64,
    /// Memory in bytes.
    pub memory_bytes: f64,
    /// Number of allocations without known resources, so that the sums above are unknown.
    pub unsized_count: u64,
}
