//! What a family's function sees.

use std::collections::BTreeMap;

use super::family::Family;
use super::own::Own;
use crate::snapshot::{CollectorState, Joins, Sections, Snapshot};
use crate::terms::{ByTerm, JobType, TermSet};

/// What a family's function sees: one moment, as far as it is made of what the family's collectors read.
pub struct View<'a> {
    /// How each collector stands.
    pub(super) collectors: &'a [CollectorState],
    /// How the exporter itself stands.
    pub(super) own: &'a Own,
    /// Whether Nomad answers.
    pub(super) is_up: bool,
    sections: Sections,
    joins: Joins,
}

impl<'a> View<'a> {
    /// A view of one whole moment.
    pub fn new(snapshot: &'a Snapshot, own: &'a Own) -> Self {
        Self {
            collectors: &snapshot.collectors,
            own,
            is_up: snapshot.is_up(),
            sections: snapshot.sections.clone(),
            joins: snapshot.joins.clone(),
        }
    }

    /// What this family may see of it.
    pub fn of(&self, family: &Family) -> Self {
        let collectors = TermSet::of(family.collectors);
        Self { sections: self.sections.select(collectors), joins: self.joins.select(collectors), ..*self }
    }

    /// What the collectors read.
    pub(super) fn sections(&self) -> &Sections {
        &self.sections
    }

    /// What is made of several sections.
    pub(super) fn joins(&self) -> &Joins {
        &self.joins
    }

    /// Every namespace that any collector names.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.joins.names.namespaces.iter().map(String::as_str)
    }

    /// Calls for every namespace and job type with what is counted there; where nothing was, with nothing.
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

    /// Every node pool that has a node or a live job.
    pub(super) fn pools(&self) -> impl Iterator<Item = &str> {
        self.joins.names.pools.iter().map(String::as_str)
    }
}
