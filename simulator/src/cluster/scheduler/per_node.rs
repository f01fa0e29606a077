//! Scheduling of system and sysbatch jobs: one allocation per group on every eligible node.

use std::collections::BTreeMap;

use crate::cluster::allocation::{ClientStatus, TAINTED};
use crate::cluster::id::{AllocationId, EvaluationId, NodeId};
use crate::cluster::job::JobKey;
use crate::cluster::{Cluster, DesiredUpdates};
use crate::version::since;

use super::SchedulerOutcome;
use super::placement::NewAllocation;

impl Cluster {
    pub(super) fn reconcile_nodes(&mut self, key: &JobKey, evaluation: EvaluationId) -> SchedulerOutcome {
        let mut outcome = SchedulerOutcome::default();
        let Some(job) = self.jobs.get(key) else { return outcome };
        let spec = job.spec.clone();
        self.stop_tainted(key, &mut outcome);
        let nodes: Vec<NodeId> =
            self.candidates(&spec).filter(|node| spec.allows(node)).map(|node| node.id).collect();
        let mut missing = Vec::new();
        for group in &spec.groups {
            outcome.queued.entry(group.name.clone()).or_default();
            outcome.updates.entry(group.name.clone()).or_default();
            let latest = self.latest_by_node(key, &group.name);
            for node in &nodes {
                match latest.get(node) {
                    Some(id) if self.serves(*id) => count(&mut outcome, &group.name).ignore += 1,
                    previous => missing.push((*node, group.name.clone(), previous.copied())),
                }
            }
        }
        let deployed = !spec.job_type.completes() && self.version() >= since::V1_11;
        if deployed && !missing.is_empty() {
            let wanted = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
            let desired = spec.groups.iter().map(|group| (group.name.clone(), wanted)).collect();
            let deployment = self.start_deployment(key, &desired);
            if let Some(evaluation) = self.evaluations.get_mut(&evaluation) {
                evaluation.deployment = deployment;
            }
        }
        for (node, group, previous) in missing {
            count(&mut outcome, &group).place += 1;
            self.place_on(key, evaluation, node, NewAllocation::new(&group, 0, previous), &mut outcome);
        }
        outcome
    }

    /// Stops allocations on draining nodes.
    fn stop_tainted(&mut self, key: &JobKey, outcome: &mut SchedulerOutcome) {
        let allocations =
            self.allocations.values().filter(|it| it.job == *key && it.migrate && !it.is_terminal());
        for (id, group) in allocations.map(|it| (it.id, it.group.clone())).collect::<Vec<_>>() {
            count(outcome, &group).migrate += 1;
            self.stop_allocation(id, TAINTED);
        }
    }

    fn latest_by_node(&self, key: &JobKey, group: &str) -> BTreeMap<NodeId, AllocationId> {
        let Some(job) = self.jobs.get(key) else { return BTreeMap::new() };
        let allocations = job.allocations.iter().filter_map(|id| self.allocations.get(id));
        allocations
            .filter(|it| it.group == group)
            .map(|allocation| (allocation.node, allocation.id))
            .collect()
    }

    /// Returns whether an allocation needs no replacement: it is non-terminal, or has completed.
    fn serves(&mut self, id: AllocationId) -> bool {
        let Some(allocation) = self.allocations.get(&id) else { return false };
        let Some(job) = self.jobs.get(&allocation.job) else { return false };
        let ended = allocation.client.is_terminal();
        let unchanged = allocation.spec.runs_on_as(&job.spec, &allocation.group);
        let mut current = allocation.version == job.version;
        if !current && unchanged && !allocation.is_terminal() {
            self.update_in_place(id);
            current = true;
        }
        let Some(allocation) = self.allocations.get(&id) else { return false };
        let Some(job) = self.jobs.get(&allocation.job) else { return false };
        if !current && !allocation.is_terminal() {
            self.stop_allocation(id, "alloc is being updated due to job update");
            return false;
        }
        let done = ended && job.spec.job_type.completes() && allocation.client != ClientStatus::Lost;
        current && ((!ended && !allocation.stop) || done)
    }
}

fn count<'a>(outcome: &'a mut SchedulerOutcome, group: &str) -> &'a mut DesiredUpdates {
    outcome.updates.entry(group.to_owned()).or_default()
}
