//! Preemption.

use std::collections::BTreeSet;

use crate::cluster::Cluster;
use crate::cluster::allocation::Allocation;
use crate::cluster::id::{AllocationId, NodeId};
use crate::cluster::job::JobKey;
use crate::cluster::node::Node;
use crate::cluster::resources::Resources;
use crate::cluster::spec::{JobSpec, JobType, TaskGroup};

/// Minimum difference in priority.
const PRIORITY_GAP: u32 = 10;

impl Cluster {
    /// Returns the node with the fewest allocations to preempt, and those allocations.
    pub(super) fn find_victims(
        &self,
        spec: &JobSpec,
        group: &TaskGroup,
    ) -> Option<(NodeId, Vec<AllocationId>)> {
        let nodes = self.candidates(spec).filter(|node| spec.allows(node));
        let possible = nodes.filter_map(|node| Some((node.id, self.victims_on(node, spec, group)?)));
        possible.min_by_key(|(_, victims)| victims.len())
    }

    /// Returns the allocations to preempt on a node, if that is allowed and helps.
    pub(super) fn victims_on(
        &self,
        node: &Node,
        spec: &JobSpec,
        group: &TaskGroup,
    ) -> Option<Vec<AllocationId>> {
        if !self.may_preempt(spec.job_type) {
            return None;
        }
        let wanted = group.total(node.spec.core_mhz());
        let there = || node.live.iter().filter_map(|id| self.allocations.get(id));
        // Preempted allocations will free their resources soon.
        let leaving: Resources = there().filter(|it| it.preempted_by.is_some()).map(|it| it.total).sum();
        let fits = |victims: &[&Allocation]| {
            let freed: Resources = victims.iter().map(|it| it.total).sum();
            let left = node.spec.allocatable() - (node.allocated - leaving - freed);
            left.lacks(wanted).is_none()
        };
        let mut candidates: Vec<&Allocation> =
            there().filter(|it| !it.stop && it.spec.priority + PRIORITY_GAP <= spec.priority).collect();
        candidates.sort_by_key(|it| (it.spec.priority, std::cmp::Reverse(it.create_index)));
        let enough = (1..=candidates.len()).find(|count| fits(&candidates[..*count]))?;
        let mut victims = candidates[..enough].to_vec();
        // Some of the first ones may no longer be needed.
        for victim in candidates[..enough].iter().rev() {
            let others: Vec<&Allocation> = victims.iter().filter(|it| it.id != victim.id).copied().collect();
            if fits(&others) {
                victims = others;
            }
        }
        Some(victims.iter().map(|it| it.id).collect())
    }

    fn may_preempt(&self, job_type: JobType) -> bool {
        let settings = self.settings.preemption;
        match job_type {
            JobType::Service => settings.service,
            JobType::Batch => settings.batch,
            JobType::System => settings.system,
            JobType::Sysbatch => settings.sysbatch,
        }
    }

    /// Preempts allocations, and evaluates their jobs.
    pub(super) fn evict(&mut self, victims: &[AllocationId], by: AllocationId) {
        let mut jobs: BTreeSet<JobKey> = BTreeSet::new();
        for victim in victims {
            self.stop_allocation(*victim, format!("Preempted by alloc ID {by}"));
            if let Some(allocation) = self.allocations.get_mut(victim) {
                allocation.preempted_by = Some(by);
                jobs.insert(allocation.job.clone());
            }
        }
        for job in jobs {
            self.create_evaluation(&job, "preemption", |_| {});
        }
    }
}
