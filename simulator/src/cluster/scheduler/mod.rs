//! The scheduler: processes evaluations into placements, or blocks them.

mod groups;
mod per_node;
mod placement;
mod preemption;

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::version::since;

use super::Cluster;
use super::allocation::ClientStatus;
use super::evaluation::{AllocMetric, DesiredUpdates, EvaluationStatus};
use super::events::{Message, Object};
use super::id::{AllocationId, EvaluationId, NodeId};
use super::job::JobKey;
use super::node::NodeStatus;

/// Result of processing an evaluation.
#[derive(Debug, Default)]
struct SchedulerOutcome {
    /// Why allocations of a group could not be placed.
    failed: BTreeMap<String, AllocMetric>,
    /// Queued allocations by group.
    queued: BTreeMap<String, u32>,
    updates: BTreeMap<String, DesiredUpdates>,
    /// Nodes without capacity for a system job.
    full_nodes: Vec<NodeId>,
}

impl SchedulerOutcome {
    /// Counts an allocation that could not be placed. The first of a group determines the reason.
    fn fail(&mut self, group: &str, metric: AllocMetric) {
        *self.queued.entry(group.to_owned()).or_default() += 1;
        self.failed.insert(group.to_owned(), metric);
    }

    /// Counts the allocations that are preempted.
    fn preempted(&mut self, group: &str, victims: &[AllocationId]) {
        self.updates.entry(group.to_owned()).or_default().preemptions +=
            u32::try_from(victims.len()).unwrap_or(u32::MAX);
    }
}

impl Cluster {
    /// Processes an evaluation.
    pub(super) fn evaluate(&mut self, id: EvaluationId) {
        let Some(evaluation) = self.evaluations.get(&id).filter(|it| !it.status.is_terminal()) else {
            return;
        };
        let key = evaluation.job.clone();
        let snapshot = self.index;
        if let Some(evaluation) = self.evaluations.get_mut(&id) {
            evaluation.snapshot_index = snapshot;
        }
        let outcome = self.together(Message::PlanResult, |cluster| cluster.plan_job(&key, id));
        self.conclude(id, outcome);
    }

    /// What the scheduler plans for a job, and does at once.
    fn plan_job(&mut self, key: &JobKey, evaluation: EvaluationId) -> SchedulerOutcome {
        self.lose_allocations(key, evaluation);
        match self.jobs.get(key) {
            Some(job) if !job.stop && !job.is_template() => {
                if job.spec.job_type.is_per_node() {
                    self.reconcile_nodes(key, evaluation)
                } else {
                    self.reconcile_groups(key, evaluation)
                }
            }
            _ => self.stop_everything(key),
        }
    }

    /// Stops all allocations of a stopped or removed job.
    fn stop_everything(&mut self, key: &JobKey) -> SchedulerOutcome {
        let mut outcome = SchedulerOutcome::default();
        let mut stopping = Vec::new();
        for group in self.jobs.get(key).iter().flat_map(|job| &job.spec.groups) {
            outcome.queued.insert(group.name.clone(), 0);
        }
        for allocation in self.allocations.values().filter(|it| it.job == *key && !it.is_terminal()) {
            outcome.updates.entry(allocation.group.clone()).or_default().stop += 1;
            stopping.push(allocation.id);
        }
        for id in stopping {
            self.stop_allocation(id, "alloc not needed due to job update");
        }
        outcome
    }

    /// Marks allocations on unresponsive nodes as lost, or as unknown if their group tolerates it.
    fn lose_allocations(&mut self, key: &JobKey, evaluation: EvaluationId) {
        let away = self.nodes.values().filter(|node| node.status != NodeStatus::Ready);
        let away = away.flat_map(|node| &node.live).filter_map(|id| self.allocations.get(id));
        let away: Vec<(AllocationId, NodeId)> =
            away.filter(|it| it.job == *key).map(|it| (it.id, it.node)).collect();
        for (id, node) in away {
            match self.patience(id) {
                Some(until) if until > self.now => self.wait_for(id, evaluation, until),
                _ => {
                    self.lose_allocation(id);
                    self.give_up(node);
                }
            }
        }
    }

    /// Returns the time until which to wait for an allocation on a disconnected node.
    fn patience(&self, id: AllocationId) -> Option<SystemTime> {
        let allocation = self.allocations.get(&id).filter(|allocation| !allocation.stop)?;
        let node = self.nodes.get(&allocation.node).filter(|node| node.status == NodeStatus::Disconnected)?;
        Some(node.status_updated + allocation.task_group()?.max_client_disconnect?)
    }

    fn wait_for(&mut self, id: AllocationId, evaluation: EvaluationId, until: SystemTime) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        if allocation.client == ClientStatus::Unknown {
            return;
        }
        let key = allocation.job.clone();
        let snapshot = self.index;
        let followup = self.create_evaluation(&key, "max-disconnect-timeout", |it| {
            it.snapshot_index = snapshot;
            it.wait_until = Some(until);
            it.previous = Some(evaluation);
            it.description = "created for delayed disconnect timeout".to_owned();
        });
        if let Some(allocation) = self.allocations.get_mut(&id) {
            allocation.followup = followup;
        }
        self.set_client_status(id, ClientStatus::Unknown, "alloc is unknown since its node is disconnected");
    }

    /// Completes an evaluation, and blocks another one for queued allocations.
    fn conclude(&mut self, id: EvaluationId, outcome: SchedulerOutcome) {
        let Some(evaluation) = self.evaluations.get(&id) else { return };
        let (key, blocked) = (evaluation.job.clone(), evaluation.status == EvaluationStatus::Blocked);
        let per_node = self.jobs.get(&key).is_some_and(|job| job.spec.job_type.is_per_node());
        let still_full =
            |node: Option<(NodeId, u64)>| node.is_some_and(|(node, _)| outcome.full_nodes.contains(&node));
        if blocked && !outcome.failed.is_empty() && (!per_node || still_full(evaluation.node)) {
            self.reblock(id, &outcome);
            return;
        }
        let followup = if per_node {
            self.block_nodes(id, &outcome)
        } else if outcome.failed.is_empty() {
            self.unblock(&key, id);
            None
        } else {
            self.block(id, &outcome, None)
        };
        if let Some(evaluation) = self.evaluations.get_mut(&id) {
            evaluation.blocked = followup;
            evaluation.queued = Some(outcome.queued.clone());
            evaluation.class_eligibility = BTreeMap::new();
            evaluation.failed = outcome.failed;
            evaluation.updates = outcome.updates;
        }
        self.end_evaluation(id, EvaluationStatus::Complete, "");
        for (group, queued) in &outcome.queued {
            self.count_queued(&key, group, *queued);
        }
    }

    /// Blocks an evaluation again that was retried without success. It keeps its first failure.
    fn reblock(&mut self, id: EvaluationId, outcome: &SchedulerOutcome) {
        let index = self.write(Message::EvaluationUpdated, Object::Evaluation(id));
        let now = self.now;
        if let Some(evaluation) = self.evaluations.get_mut(&id) {
            let classes = outcome.failed.values().flat_map(|metric| metric.class_eligibility.clone());
            evaluation.class_eligibility.extend(classes);
            evaluation.modify_index = index;
            evaluation.modified = now;
        }
    }

    /// Creates a blocked evaluation; it replaces an older one of the same job and node.
    fn block(
        &mut self,
        previous: EvaluationId,
        outcome: &SchedulerOutcome,
        node: Option<NodeId>,
    ) -> Option<EvaluationId> {
        let evaluation = self.evaluations.get(&previous)?;
        let (key, snapshot) = (evaluation.job.clone(), evaluation.snapshot_index);
        let job_modify_index = evaluation.job_modify_index;
        let node = node.map(|node| (node, self.nodes.get(&node).map_or(0, |node| node.modify_index)));
        let same_node = |id: &EvaluationId| {
            let other = self.evaluations.get(id).and_then(|it| it.node);
            other.map(|(node, _)| node) == node.map(|(node, _)| node)
        };
        let superseded: Vec<_> = self.blocked_of(&key).into_iter().filter(same_node).collect();
        let failed = outcome.failed.clone();
        let created = self.create_evaluation(&key, "queued-allocs", |it| {
            it.status = EvaluationStatus::Blocked;
            it.description = "created to place remaining allocations".to_owned();
            it.previous = Some(previous);
            it.job_modify_index = job_modify_index;
            it.node = node;
            it.snapshot_index = snapshot;
            it.class_eligibility =
                failed.values().flat_map(|metric| metric.class_eligibility.clone()).collect();
            it.failed = failed;
        });
        let description = format!("existing blocked evaluation exists for job {:?}", key.id);
        for id in superseded {
            self.end_evaluation(id, EvaluationStatus::Canceled, &description);
        }
        created
    }

    /// Creates a blocked evaluation for each node without capacity.
    fn block_nodes(&mut self, id: EvaluationId, outcome: &SchedulerOutcome) -> Option<EvaluationId> {
        let key = self.evaluations.get(&id)?.job.clone();
        let mut covered = Vec::new();
        for blocked in self.blocked_of(&key) {
            let node = self.evaluations.get(&blocked).and_then(|it| it.node).map(|(node, _)| node);
            match node.filter(|node| outcome.full_nodes.contains(node)) {
                Some(node) => covered.push(node),
                None if blocked != id => {
                    self.end_evaluation(blocked, EvaluationStatus::Canceled, &successful(id))
                }
                None => {}
            }
        }
        let mut last = None;
        for node in outcome.full_nodes.iter().filter(|node| !covered.contains(node)) {
            last = self.block(id, outcome, Some(*node)).or(last);
        }
        last
    }

    /// Cancels the blocked evaluations of a job, because all its allocations are placed.
    fn unblock(&mut self, key: &JobKey, by: EvaluationId) {
        for id in self.blocked_of(key) {
            if id != by {
                self.end_evaluation(id, EvaluationStatus::Canceled, &successful(by));
            }
        }
    }

    /// Returns the trigger of the follow-up evaluation of a failed allocation.
    fn reschedule_trigger(&self) -> &'static str {
        if self.version() >= since::ALLOC_RESCHEDULE { "alloc-reschedule" } else { "alloc-failure" }
    }
}

fn successful(by: EvaluationId) -> String {
    format!("evaluation {:?} successful", by.to_string())
}
