//! Data that a metric can see.

use std::collections::BTreeMap;

use super::family::Family;
use super::own::Own;
use crate::snapshot::{CollectorState, Joins, Sections, Snapshot};
use crate::terms::{ByTerm, JobType, TermSet};

/// Data that a metric can see: the part of a snapshot that comes from its collectors.
pub struct View<'a> {
    /// State of each collector.
    pub(super) collectors: &'a [CollectorState],
    /// The exporter's own metrics.
    pub(super) own: &'a Own,
    /// Whether Nomad responds.
    pub(super) is_up: bool,
    sections: Sections,
    joins: Joins,
}

impl<'a> View<'a> {
    /// Creates a view of a whole snapshot.
    pub fn new(snapshot: &'a Snapshot, own: &'a Own) -> Self {
        Self {
            collectors: &snapshot.collectors,
            own,
            is_up: snapshot.is_up(),
            sections: snapshot.sections.clone(),
            joins: snapshot.joins.clone(),
        }
    }

    /// Returns the part that a metric can see.
    pub fn of(&self, family: &Family) -> Self {
        let collectors = TermSet::of(family.collectors);
        Self { sections: self.sections.select(collectors), joins: self.joins.select(collectors), ..*self }
    }

    /// Returns the sections.
    pub(super) fn sections(&self) -> &Sections {
        &self.sections
    }

    /// Returns the joins.
    pub(super) fn joins(&self) -> &Joins {
        &self.joins
    }

    /// Returns every namespace that occurs in any section.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.joins.names.namespaces.iter().map(String::as_str)
    }

    /// Calls for every namespace and job type with its count, or the default if there is none.
    pub(super) fn each_job_type<T: Default + PartialEq>(
        &self,
        counts: &BTreeMap<String, ByTerm<JobType, T>>,
        mut call: impl FnMut(&str, JobType, &T),
    ) {
        let none = ByTerm::default();
        for namespace in self.namespaces() {
            for (job_type, value) in counts.get(namespace).unwrap_or(&none).shown() {
                call(namespace, job_type, value);
            }
        }
    }

    /// Calls for every namespace and node pool with its value, or with the default.
    pub(super) fn each_pool<T: Default>(
        &self,
        values: &BTreeMap<String, BTreeMap<String, T>>,
        mut call: impl FnMut(&str, &str, &T),
    ) {
        let none = T::default();
        for namespace in self.namespaces() {
            let by_pool = values.get(namespace);
            for pool in self.pools() {
                call(namespace, pool, by_pool.and_then(|pools| pools.get(pool)).unwrap_or(&none));
            }
        }
    }

    /// Returns every node pool with a node or a live job.
    pub(super) fn pools(&self) -> impl Iterator<Item = &str> {
        self.joins.names.pools.iter().map(String::as_str)
    }
}
