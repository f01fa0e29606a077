//! What follows from the list of sections in the parent module.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{CollectorId, Sections};
use crate::terms::TermSet;

/// A type of which a snapshot holds one value.
pub trait Section: Send + Sync + Sized + 'static {
    /// The collectors it is made of. It is known while each of them is fresh, and shown to families that name them all.
    const COLLECTORS: &'static [CollectorId];
    /// The newest value.
    fn of(sections: &Sections) -> Option<&Arc<Self>>;
}

/// Declares the collectors and their sections: each section is a field with its type. Names, storage, expiry, what a
/// family sees all follow from this list, so that no section can be forgotten in one of them.
macro_rules! sections {
    (
        one { $($collector:ident = $name:literal { $($(#[$doc:meta])* $field:ident: $type:ty,)+ })+ }
        several { $($(#[$made_doc:meta])* $made:ident: $made_type:ty = $($of:ident)&+,)* }
    ) => {
        $crate::terms::vocabulary! {
            /// What the exporter reads from Nomad. A collector that reads sections of another one stands behind it.
            CollectorId { $($collector = $name,)+ }
        }

        /// What the collectors read, each section as of its own last refresh.
        #[derive(Clone, Debug, Default)]
        pub struct Sections {
            $($($(#[$doc])* pub $field: Option<Arc<$type>>,)+)+
            $($(#[$made_doc])* pub $made: Option<Arc<$made_type>>,)*
        }

        $($($crate::snapshot::sections::section!($field: $type = $collector);)+)+
        $($crate::snapshot::sections::section!($made: $made_type = $($of)&+);)*

        impl Sections {
            /// The sections that are made of these collectors alone.
            pub fn select(&self, collectors: TermSet<CollectorId>) -> Self {
                Self {
                    $($($field: sections::part(&self.$field, collectors),)+)+
                    $($made: sections::part(&self.$made, collectors),)*
                }
            }

            /// Takes over each section that is given.
            pub fn update(&mut self, newer: Self) {
                $($(sections::replace(&mut self.$field, newer.$field);)+)+
                $(sections::replace(&mut self.$made, newer.$made);)*
            }

            /// The collectors that the sections given here are made of.
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
    /// The collectors of a list, for constants.
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
    /// Every namespace that any section names, so that a count of zero can be told from an unknown one.
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

    /// Every node pool that has a node or a live job.
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
