//! Rows by namespace and ID, in little memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::collect::events::RowKey;
use crate::nomad::api::{Common, Pack};
use crate::terms::at;

/// Packed rows in the order of their namespaces and IDs. This is also the order of Nomad's list of jobs, in which
/// parents precede their children.
pub(super) struct ByKey<R: Pack> {
    /// Boxed, because a map has room for up to twice as many entries as it contains.
    by_namespace: BTreeMap<String, BTreeMap<R::Id, Box<R::Packed>>>,
    common: Common<R>,
    len: usize,
}

impl<R: Pack> Default for ByKey<R> {
    fn default() -> Self {
        Self { by_namespace: BTreeMap::new(), common: Common::default(), len: 0 }
    }
}

impl<R: Pack> ByKey<R> {
    /// Returns the number of rows.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Stores a row, and returns it.
    pub(super) fn insert(&mut self, namespace: &str, id: &str, row: R) -> &R::Packed {
        let packed = Box::new(row.pack(&mut self.common));
        let entry = at(&mut self.by_namespace, namespace).entry(R::Id::from(id));
        self.len += usize::from(matches!(entry, Entry::Vacant(_)));
        entry.insert_entry(packed).into_mut()
    }

    /// Removes a row, and returns it.
    pub(super) fn take(&mut self, namespace: &str, id: &str) -> Option<Box<R::Packed>> {
        let row = self.by_namespace.get_mut(namespace)?.remove(&R::Id::from(id));
        self.len -= usize::from(row.is_some());
        row
    }

    /// Calls a function with every row.
    pub(super) fn each(&self, mut f: impl FnMut(&R)) {
        for (id, packed) in self.by_namespace.values().flatten() {
            f(&R::unpack(id, packed));
        }
    }

    /// Returns the keys of the rows.
    pub(super) fn keys(&self) -> impl Iterator<Item = RowKey> {
        self.by_namespace
            .iter()
            .flat_map(|(namespace, rows)| rows.keys().map(|id| RowKey::new(namespace, &id.to_string())))
    }
}

/// Locks rows, even if a fold of them has panicked.
pub(super) fn lock<R: Pack>(rows: &Mutex<ByKey<R>>) -> MutexGuard<'_, ByKey<R>> {
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}
