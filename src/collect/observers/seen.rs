//! Hashes of the jobs of a list.

use std::collections::HashSet;

pub(super) use crate::terms::hash_of as hash;

/// Maximum number of jobs remembered per list. With more, new jobs cannot be distinguished from old ones.
const MAX: usize = 2_000_000;

/// Jobs of a list, by hash.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenJobs {
    hashes: HashSet<u64>,
    overflowed: bool,
}

impl SeenJobs {
    /// Creates an empty list with the capacity for as many jobs as another. A set that grows leaves as much memory free
    /// but resident as it holds.
    pub(super) fn as_large_as(other: &Self) -> Self {
        Self { hashes: HashSet::with_capacity(other.hashes.len()), overflowed: false }
    }

    /// Adds a job. Returns whether it is new in this list.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        self.overflowed |= self.hashes.len() >= MAX;
        !self.overflowed && self.hashes.insert(hash)
    }

    pub(super) fn remove(&mut self, hash: u64) {
        self.hashes.remove(&hash);
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        self.hashes.contains(&hash)
    }

    pub(super) fn extend(&mut self, other: &Self) {
        for hash in &other.hashes {
            self.insert(*hash);
        }
    }

    /// Returns whether jobs are missing because there are too many. Absence of a job then means nothing.
    pub(super) fn is_incomplete(&self) -> bool {
        self.overflowed
    }
}
