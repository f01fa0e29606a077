//! Joins: what is made of several sections, computed once for each snapshot and shared by metrics, status page and
//! commands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::drains::{DrainState, drain_states};
use super::pools::{Pool, pools};
use super::{CollectorId, Demand, Outcomes, Pending, Placing, Reach, Sections};
use crate::terms::TermSet;

/// Everything that is made of several sections; a join is absent while a section that it needs is.
#[derive(Clone, Debug, Default)]
pub struct Joins {
    /// What is queued and what it requests, of jobs, evaluations and specifications.
    pub demand: Option<Arc<Demand>>,
    /// How drains stand, of nodes, allocations and drains.
    pub drains: Option<Arc<Vec<DrainState>>>,
    /// What of the backlog more clients would take, of nodes, allocations, jobs, evaluations and specifications.
    pub placing: Option<Arc<Placing>>,
    /// The node pools by name, of nodes, allocations, jobs and specifications.
    pub pools: Option<Arc<BTreeMap<String, Pool>>>,
    /// The pending jobs, of jobs and evaluations.
    pub pending: Option<Arc<Pending>>,
    /// How dead jobs ended, of finished jobs and of allocations.
    pub outcomes: Option<Arc<Outcomes>>,
    /// Whether all namespaces are read, of the settings and the token.
    pub reach: Reach,
    /// Names that any section tells, of all sections.
    pub names: Arc<Names>,
}

/// Names that any section tells, so that a count of zero can be told from an unknown one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Namespaces.
    pub namespaces: BTreeSet<String>,
    /// Node pools that have a node or a live job.
    pub pools: BTreeSet<String>,
}

impl Joins {
    /// Joins these sections, of these collectors, of which so much is read.
    pub fn new(sections: &Sections, collectors: TermSet<CollectorId>, reach: Reach) -> Self {
        let (jobs, evaluations) = (sections.jobs.as_deref(), sections.evaluations.as_deref());
        let specifications = sections.specifications.as_deref();
        let demand = jobs.map(|jobs| Arc::new(Demand::join(&jobs.queue, evaluations, specifications)));
        let loads = sections.node_loads.as_deref();
        let known = sections.nodes.as_deref().zip(demand.as_deref());
        let placing = known.and_then(|(nodes, demand)| Placing::join(nodes, loads, demand)).map(Arc::new);
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        let allocations_are_collected = collectors.contains(CollectorId::FinishedAllocations);
        Self {
            drains: drain_states(sections).map(Arc::new),
            pools: pools(sections, demand.as_deref(), placing.as_deref()).map(Arc::new),
            pending: jobs.map(|jobs| Arc::new(Pending::join(jobs, evaluations))),
            outcomes: Outcomes::join(sections, allocations_are_collected).map(Arc::new),
            reach,
            names: Arc::new(Names {
                namespaces: owned(sections.known_namespaces()),
                pools: owned(sections.known_pools()),
            }),
            demand,
            placing,
        }
    }

    /// The joins that are made of these collectors' sections alone. Names, and whether all namespaces are
    /// read, are told to everybody.
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
            pools: self
                .pools
                .clone()
                .filter(|_| made_of(&[Nodes, Allocations, Jobs, Evaluations, Specifications])),
            pending: self.pending.clone().filter(|_| made_of(&[Jobs, Evaluations])),
            outcomes: self
                .outcomes
                .clone()
                .filter(|_| made_of(&[FinishedJobs, FinishedAllocations, Allocations])),
            reach: self.reach.clone(),
            names: self.names.clone(),
        }
    }
}
