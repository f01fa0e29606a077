//! What a family's function sees.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::family::Family;
use super::own::Own;
use crate::snapshot::{CollectorState, Demand, Sections, Snapshot};

/// What a family's function sees: one moment, as far as the family's collectors told of it.
pub struct View<'a> {
    /// How each collector stands.
    pub(super) collectors: &'a [CollectorState],
    /// How the exporter itself stands.
    pub(super) own: &'a Own,
    /// Whether Nomad answers.
    pub(super) is_up: bool,
    inputs: Inputs,
    demand: Option<Arc<Demand>>,
}

/// What the samples of a family are made of. While it is the same, so are they.
#[derive(Clone)]
pub struct Inputs {
    sections: Sections,
    names: Arc<Names>,
}

/// Names that any collector told, so that a count of zero can be told from an unknown one.
#[derive(PartialEq)]
struct Names {
    namespaces: BTreeSet<String>,
    pools: BTreeSet<String>,
}

impl<'a> View<'a> {
    /// A view of one whole moment.
    pub fn new(snapshot: &'a Snapshot, own: &'a Own) -> Self {
        let sections = snapshot.sections.clone();
        let both = sections.jobs.as_ref().zip(sections.specifications.as_ref());
        let demand = both.map(|(jobs, specifications)| Demand::new(&jobs.queue, specifications).into());
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        let names =
            Names { namespaces: owned(sections.known_namespaces()), pools: owned(sections.known_pools()) };
        let inputs = Inputs { sections, names: names.into() };
        Self { collectors: &snapshot.collectors, own, is_up: snapshot.is_up(), inputs, demand }
    }

    /// What this family may see of it.
    pub fn of(&self, family: &Family) -> Self {
        let sections = self.inputs.sections.of_collectors(family.collectors);
        let needs_demand = sections.jobs.is_some() && sections.specifications.is_some();
        let demand = self.demand.clone().filter(|_| needs_demand);
        Self { inputs: Inputs { sections, names: self.inputs.names.clone() }, demand, ..*self }
    }

    /// What samples are made of it; `None` where they are made of how the exporter itself stands.
    pub fn inputs(&self, family: &Family) -> Option<Inputs> {
        (!family.collectors.is_empty()).then(|| self.inputs.clone())
    }

    /// What the collectors told.
    pub(super) fn sections(&self) -> &Sections {
        &self.inputs.sections
    }

    /// What the queued instances ask for, where both their number and their specifications are known.
    pub(super) fn demand(&self) -> Option<&Demand> {
        self.demand.as_deref()
    }

    /// Every namespace that any collector names.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.inputs.names.namespaces.iter().map(String::as_str)
    }

    /// Every node pool that has a node or a live job.
    pub(super) fn pools(&self) -> impl Iterator<Item = &str> {
        self.inputs.names.pools.iter().map(String::as_str)
    }
}

impl Inputs {
    /// Whether the same samples are made of it.
    pub fn is_same(&self, other: &Self) -> bool {
        self.names == other.names && self.sections.is_same(&other.sections)
    }
}
