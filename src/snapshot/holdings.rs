//! Who holds what of the cluster.

use std::collections::BTreeMap;

use crate::terms::{ByTerm, JobType};

/// What live allocations hold, by namespace and job type.
pub type Holdings = BTreeMap<String, ByTerm<JobType, Holding>>;

/// What the live allocations of one namespace and job type hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Holding {
    /// CPU in hertz.
    pub cpu_hertz: f64,
    /// Memory in bytes.
    pub memory_bytes: f64,
    /// How many came without what they were promised, so that the sums above are not known.
    pub unsized_count: u64,
}
