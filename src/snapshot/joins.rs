//! Joins: values calculated from several sections, once per snapshot, and shared by metrics, status page and
//! commands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::drains::{DrainState, drain_states};
use super::pool_capacity::{PoolCapacity, capacity};
use super::pools::{Pool, pools};
use super::{CollectorId, Demand, NamespaceCoverage, Outcomes, Pending, Placing, Sections};
use crate::terms::TermSet;

/// All joins; a join is absent if a section that it needs is absent.
#[derive(Clone, Debug, Default)]
pub struct Joins {
    /// Queued allocations and their requests, from jobs, evaluations and specifications.
    pub demand: Option<Arc<Demand>>,
    /// State of drains, from nodes, allocations and drains.
    pub drains: Option<Arc<Vec<DrainState>>>,
    /// Clients that the backlog needs, and unplaceable allocations, from nodes, allocations, jobs,
    /// evaluations and specifications.
    pub placing: Option<Arc<Placing>>,
    /// Capacity of node pools by name, from nodes and allocations.
    pub capacity: Option<Arc<BTreeMap<String, PoolCapacity>>>,
    /// Node pools by name, from nodes, allocations, jobs and specifications.
    pub pools: Option<Arc<BTreeMap<String, Pool>>>,
    /// Pending jobs, from jobs and evaluations.
    pub pending: Option<Arc<Pending>>,
    /// Outcomes of dead jobs, from finished jobs and allocations.
    pub outcomes: Option<Arc<Outcomes>>,
    /// Whether all namespaces are read, from the settings and the token.
    pub coverage: NamespaceCoverage,
    /// Names from all sections.
    pub names: Arc<Names>,
}

/// Names that occur in any section, so that a count of zero differs from an unknown one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Namespaces.
    pub namespaces: BTreeSet<String>,
    /// Node pools with a node or a live job.
    pub pools: BTreeSet<String>,
}

impl Joins {
    /// Creates the joins of these sections and collectors.
    pub fn new(sections: &Sections, collectors: TermSet<CollectorId>, coverage: NamespaceCoverage) -> Self {
        let (jobs, evaluations) = (sections.jobs.as_deref(), sections.evaluations.as_deref());
        let specifications = sections.specifications.as_deref();
        let demand = jobs.map(|jobs| Arc::new(Demand::join(&jobs.queue, evaluations, specifications)));
        let loads = sections.node_loads.as_deref();
        let known = sections.nodes.as_deref().zip(demand.as_deref());
        let placing = known.and_then(|(nodes, demand)| Placing::join(nodes, loads, demand)).map(Arc::new);
        let capacity = capacity(sections).map(Arc::new);
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        let allocations_are_collected = collectors.contains(CollectorId::FinishedAllocations);
        Self {
            drains: drain_states(sections).map(Arc::new),
            pools: capacity
                .as_deref()
                .map(|capacity| Arc::new(pools(capacity, demand.as_deref(), placing.as_deref()))),
            capacity,
            pending: jobs.map(|jobs| Arc::new(Pending::join(jobs, evaluations))),
            outcomes: Outcomes::join(sections, allocations_are_collected).map(Arc::new),
            coverage,
            names: Arc::new(Names {
                namespaces: owned(sections.known_namespaces()),
                pools: owned(sections.known_pools()),
            }),
            demand,
            placing,
        }
    }

    /// Returns the joins that use only sections of these collectors. Always includes names, and whether all
    /// namespaces are read.
    pub fn select(&self, collectors: TermSet<CollectorId>) -> Self {
        use CollectorId::{
            Allocations, Drains, Evaluations, FinishedAllocations, FinishedJobs, Jobs, Nodes, Specifications,
        };
        let made_of = |ids: &[CollectorId]| collectors.contains_all(TermSet::of(ids));
        Self {
            demand: self.demand.clone().filter(|_| made_of(&[Jobs, Evaluations, Specifications])),
            drains: self.drains.clone().filter(|_| made_of(&[Nodes, Allocations, Drains])),
            placing: self
                .placing
                .clone()
                .filter(|_| made_of(&[Nodes, Allocations, Jobs, Evaluations, Specifications])),
            capacity: self.capacity.clone().filter(|_| made_of(&[Nodes, Allocations])),
            pools: self
                .pools
                .clone()
                .filter(|_| made_of(&[Nodes, Allocations, Jobs, Evaluations, Specifications])),
            pending: self.pending.clone().filter(|_| made_of(&[Jobs, Evaluations])),
            outcomes: self
                .outcomes
                .clone()
                .filter(|_| made_of(&[FinishedJobs, FinishedAllocations, Allocations])),
            coverage: self.coverage.clone(),
            names: self.names.clone(),
        }
    }
}
