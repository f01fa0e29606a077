//! Rows in little memory, to keep thousands of them.
//!
//! Most rows differ from others only in IDs, indexes, times and counts. A packed row contains these, and refers to a row
//! without them for the rest, such as the namespace, task group and resources.

mod allocation;
mod job;
mod uuid;

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// A row that can be packed.
pub trait Pack: Sized {
    /// Its ID, without which it is packed. The order is that of the text.
    type Id: Ord + Send + Sync + ToString + for<'a> From<&'a str>;
    /// The rest of it.
    type Packed: PartialEq + Send + Sync;

    /// Packs it. Numbers that all collectors read as zero become zero.
    fn pack(self, common: &mut Common<Self>) -> Self::Packed;
    /// Returns it as it was.
    fn unpack(id: &Self::Id, packed: &Self::Packed) -> Self;
}

/// What packed rows have in common, once each.
#[derive(Debug)]
pub struct Common<R>(HashSet<Arc<R>>);

impl<R> Default for Common<R> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

/// Checks that a row is unpacked as it was.
#[cfg(test)]
fn assert_returns<R>(id: &str, json: &str, common: &mut Common<R>)
where
    R: Pack + PartialEq + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let row = || serde_json::from_str::<R>(json).unwrap();
    let packed = row().pack(common);
    assert_eq!(R::unpack(&id.into(), &packed), row());
}

impl<R: Eq + Hash> Common<R> {
    fn share(&mut self, part: R) -> Arc<R> {
        if let Some(known) = self.0.get(&part) {
            return known.clone();
        }
        let part = Arc::new(part);
        self.0.insert(part.clone());
        part
    }
}
