//! Jobs that a list showed, by hash.

use std::collections::HashSet;

pub(super) use crate::terms::hash_of as hash;

/// How many jobs of one list are remembered. Beyond, what is new cannot be told from what is old.
const MAX: usize = 2_000_000;

/// Hashes of the jobs that a list showed.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenJobs {
    hashes: HashSet<u64>,
    overflowed: bool,
}

impl SeenJobs {
    /// Remembers a job; returns whether the list did not show it before.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        self.overflowed |= self.hashes.len() >= MAX;
        !self.overflowed && self.hashes.insert(hash)
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        self.hashes.contains(&hash)
    }

    pub(super) fn extend(&mut self, other: &Self) {
        for hash in &other.hashes {
            self.insert(*hash);
        }
    }

    /// Whether some jobs are missing here, so that absence means nothing.
    pub(super) fn is_incomplete(&self) -> bool {
        self.overflowed
    }
}
