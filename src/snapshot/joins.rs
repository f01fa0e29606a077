//! Joins: what is made of several sections, computed once for each snapshot and shared by metrics, status page and
//! commands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::CollectorId;
use super::Sections;
use super::demand::Demand;
use super::drains::{DrainState, drain_states};
use super::pools::{Pool, pools};
use crate::terms::{BlockReason, TermSet};

/// Everything that is made of several sections; a join is absent while a section that it needs is.
#[derive(Clone, Debug, Default)]
pub struct Joins {
    /// What the queued allocations request, of jobs and specifications.
    pub demand: Option<Arc<Demand>>,
    /// How drains stand, of nodes, allocations and drains.
    pub drains: Option<Arc<Vec<DrainState>>>,
    /// The node pools by name, of nodes, allocations, jobs and specifications.
    pub pools: Option<Arc<BTreeMap<String, Pool>>>,
    /// Why each of the oldest pending jobs waits, in their order, of jobs and evaluations.
    pub pending_reasons: Option<Arc<Vec<BlockReason>>>,
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
    /// Joins these sections.
    pub fn new(sections: &Sections) -> Self {
        let jobs = sections.jobs.as_ref();
        let demand = jobs.zip(sections.specifications.as_ref());
        let demand = demand.map(|(jobs, specifications)| Arc::new(Demand::new(&jobs.queue, specifications)));
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        Self {
            drains: drain_states(sections).map(Arc::new),
            pools: pools(sections, demand.as_deref()).map(Arc::new),
            pending_reasons: jobs.zip(sections.evaluations.as_ref()).map(|(jobs, evaluations)| {
                let reason = |job: &super::PendingJob| evaluations.reason(&job.namespace, &job.id);
                Arc::new(jobs.oldest_pending.iter().map(reason).collect())
            }),
            names: Arc::new(Names {
                namespaces: owned(sections.known_namespaces()),
                pools: owned(sections.known_pools()),
            }),
            demand,
        }
    }

    /// The joins that are made of these collectors' sections alone. Names are told to everybody.
    pub fn select(&self, collectors: TermSet<CollectorId>) -> Self {
        use CollectorId::{Allocations, Drains, Evaluations, Jobs, Nodes, Specifications};
        let made_of = |ids: &[CollectorId]| collectors.contains_all(TermSet::of(ids));
        Self {
            demand: self.demand.clone().filter(|_| made_of(&[Jobs, Specifications])),
            drains: self.drains.clone().filter(|_| made_of(&[Nodes, Allocations, Drains])),
            pools: self.pools.clone().filter(|_| made_of(&[Nodes, Allocations, Jobs, Specifications])),
            pending_reasons: self.pending_reasons.clone().filter(|_| made_of(&[Jobs, Evaluations])),
            names: self.names.clone(),
        }
    }
}
