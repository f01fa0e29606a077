//! What the specifications of jobs say.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Whole;
use super::demand::Ask;

/// Which version of which job tells. Children of one parent that were started from the same version of it share
/// the parent's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpecificationKey {
    /// The job's namespace.
    pub namespace: String,
    /// The job to read: a job of its own, or the parent of children.
    pub job_id: String,
    /// Its JobModifyIndex, which grows with every version.
    pub modify_index: u64,
}

/// Specifications that were read; `None` for those that may not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Specifications {
    /// Only those of jobs with queued allocations, and of jobs that have series of their own.
    pub by_key: HashMap<SpecificationKey, Option<Arc<Specification>>>,
}

/// A job's task groups, by name.
pub type Specification = BTreeMap<String, GroupSpecification>;

/// What a job's specification says of one of its task groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupSpecification {
    /// What one allocation requests.
    pub ask: Ask,
    /// The cores and devices that one allocation requests.
    pub whole: Whole,
    /// How many allocations it is to have.
    pub count: Option<u64>,
    /// The names of its tasks.
    pub tasks: Box<[Box<str>]>,
}

impl Specifications {
    /// Returns a specification, if it was read.
    pub fn get(&self, key: &SpecificationKey) -> Option<&Specification> {
        self.by_key.get(key)?.as_deref()
    }
}
