//! Job specifications.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::CoresAndDevices;
use super::demand::ResourceRequest;

/// Identifies a job specification. Children that were started from the same version of their parent share its
/// specification.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpecificationKey {
    /// The job's namespace.
    pub namespace: String,
    /// The job to read: the job itself, or the parent of children.
    pub job_id: String,
    /// JobModifyIndex, which increases with every version.
    pub modify_index: u64,
}

/// Job specifications; `None` for those that the token cannot read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Specifications {
    /// Only of jobs with queued allocations or series of their own.
    pub by_key: HashMap<SpecificationKey, Option<Arc<Specification>>>,
}

/// A job's task groups, by name.
pub type Specification = BTreeMap<String, GroupSpecification>;

/// Specification of a task group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupSpecification {
    /// Resources that one allocation requests.
    pub request: ResourceRequest,
    /// Cores and devices that one allocation requests.
    pub cores_and_devices: CoresAndDevices,
    /// Desired number of allocations.
    pub count: Option<u64>,
    /// Names of its tasks.
    pub tasks: Box<[Box<str>]>,
}

impl Specifications {
    /// Returns a specification, if it was read.
    pub fn get(&self, key: &SpecificationKey) -> Option<&Specification> {
        self.by_key.get(key)?.as_deref()
    }
}
