//! Code generated from the list of sections in the parent module.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{CollectorId, Sections};
use crate::terms::TermSet;

/// A type with one value per snapshot.
pub trait Section: Send + Sync + Sized + 'static {
    /// Collectors of this section. It is known while all of them are fresh, and visible to metrics that name
    /// all of them.
    const COLLECTORS: &'static [CollectorId];
    /// Returns the newest value.
    fn of(sections: &Sections) -> Option<&Arc<Self>>;
}

/// Declares the collectors and their sections; each section is a field with its type. Names, storage, expiry
/// and visibility for metrics are generated from this list, so that none can be forgotten.
macro_rules! sections {
    (
        one { $($collector:ident = $name:literal { $($(#[$doc:meta])* $field:ident: $type:ty,)+ })+ }
        several { $($(#[$made_doc:meta])* $made:ident: $made_type:ty = $($of:ident)&+,)* }
    ) => {
        $crate::terms::vocabulary! {
            /// A collector: a part of Nomad that the exporter reads. A collector comes after those whose
            /// sections it reads.
            CollectorId { $($collector = $name,)+ }
        }

        /// Data of the collectors, each section from its own last refresh.
        #[derive(Clone, Debug, Default)]
        pub struct Sections {
            $($($(#[$doc])* pub $field: Option<Arc<$type>>,)+)+
            $($(#[$made_doc])* pub $made: Option<Arc<$made_type>>,)*
        }

        $($($crate::snapshot::sections::section!($field: $type = $collector);)+)+
        $($crate::snapshot::sections::section!($made: $made_type = $($of)&+);)*

        impl Sections {
            /// Returns the sections that come only from these collectors.
            pub fn select(&self, collectors: TermSet<CollectorId>) -> Self {
                Self {
                    $($($field: sections::part(&self.$field, collectors),)+)+
                    $($made: sections::part(&self.$made, collectors),)*
                }
            }

            /// Replaces each section that is present in `newer`.
            pub fn update(&mut self, newer: Self) {
                $($(sections::replace(&mut self.$field, newer.$field);)+)+
                $(sections::replace(&mut self.$made, newer.$made);)*
            }

            /// Returns the collectors of the present sections.
            pub fn collectors(&self) -> TermSet<CollectorId> {
                let known = [
                    $($((self.$field.is_some(), <$type as Section>::COLLECTORS),)+)+
                    $((self.$made.is_some(), <$made_type as Section>::COLLECTORS),)*
                ];
                known.iter().filter(|(is_known, _)| *is_known).flat_map(|(_, ids)| ids.iter().copied()).collect()
            }
        }
    };
}
pub(super) use sections;

macro_rules! section {
    ($field:ident: $type:ty = $($collector:ident)&+) => {
        impl Section for $type {
            const COLLECTORS: &'static [CollectorId] = &[$(CollectorId::$collector),+];
            fn of(sections: &Sections) -> Option<&Arc<Self>> {
                sections.$field.as_ref()
            }
        }
    };
}
pub(super) use section;

impl TermSet<CollectorId> {
    /// Creates a set of collectors, for constants.
    pub const fn of(ids: &[CollectorId]) -> Self {
        let (mut bits, mut place) = (0, 0);
        while place < ids.len() {
            bits |= 1 << ids[place] as u64;
            place += 1;
        }
        Self::of_bits(bits)
    }
}

pub(super) fn part<T: Section>(section: &Option<Arc<T>>, collectors: TermSet<CollectorId>) -> Option<Arc<T>> {
    section.clone().filter(|_| collectors.contains_all(TermSet::of(T::COLLECTORS)))
}

pub(super) fn replace<T: Section>(known: &mut Option<Arc<T>>, newer: Option<Arc<T>>) {
    if newer.is_some() {
        *known = newer;
    }
}

impl Sections {
    /// Returns every namespace that occurs in any section, so that a count of zero differs from an unknown
    /// one.
    pub fn known_namespaces(&self) -> BTreeSet<&str> {
        let listed = self.namespaces.iter().flat_map(|namespaces| namespaces.names.iter());
        let jobs = self.jobs.iter().flat_map(|jobs| jobs.by_namespace.keys());
        let finished = self.finished_jobs.iter().flat_map(|jobs| jobs.by_namespace.keys());
        let allocations = self.allocations.iter().flat_map(|live| live.counts.by_namespace.keys());
        let terminal = self.finished_allocations.iter().flat_map(|ended| ended.counts.by_namespace.keys());
        let evaluations = self.evaluations.iter().flat_map(|all| all.by_namespace.keys());
        let deployments = self.deployments.iter().flat_map(|all| all.by_namespace.keys());
        let of_jobs = listed.chain(jobs).chain(finished);
        let all = of_jobs.chain(allocations).chain(terminal).chain(evaluations).chain(deployments);
        all.map(String::as_str).collect()
    }

    /// Returns every node pool with a node or a live job.
    pub fn known_pools(&self) -> BTreeSet<&str> {
        let of_nodes = self.nodes.iter().flat_map(|nodes| nodes.iter()).map(|node| node.pool.as_str());
        let namespaces = self.jobs.iter().flat_map(|jobs| jobs.by_namespace.values());
        let of_jobs = namespaces.flat_map(|namespace| namespace.pools.iter()).map(String::as_str);
        of_nodes.chain(of_jobs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::PlacementDelays;

    #[test]
    fn a_section_is_selected_only_if_all_its_collectors_are() {
        let placements = Some(Arc::new(PlacementDelays::default()));
        let sections = Sections { placements, ..Sections::default() };
        let with = |ids: &[CollectorId]| sections.select(TermSet::of(ids)).placements.is_some();
        assert!(with(&[CollectorId::Jobs, CollectorId::Allocations, CollectorId::Nodes]));
        assert!(!with(&[CollectorId::Jobs]) && !with(&[CollectorId::Allocations]) && !with(&[]));
    }
}
