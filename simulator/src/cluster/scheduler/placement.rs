//! Placement of allocations, and reasons of failures.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cluster::Cluster;
use crate::cluster::allocation::{Allocation, ClientStatus, Fate, RescheduleEvent};
use crate::cluster::evaluation::AllocMetric;
use crate::cluster::events::{Message, Object};
use crate::cluster::id::{AllocationId, EvaluationId, NodeId};
use crate::cluster::job::JobKey;
use crate::cluster::node::Node;
use crate::cluster::spec::{JobSpec, TaskGroup};
use crate::cluster::task::TaskRun;
use crate::version::since;

use super::SchedulerOutcome;

/// An allocation to place.
#[derive(Clone, Debug)]
pub(super) struct NewAllocation {
    group: String,
    slot: u32,
    previous: Option<AllocationId>,
    rescheduled: Option<RescheduleEvent>,
}

impl NewAllocation {
    pub(super) fn new(group: &str, slot: u32, previous: Option<AllocationId>) -> NewAllocation {
        NewAllocation { group: group.to_owned(), slot, previous, rescheduled: None }
    }

    pub(super) fn rescheduled(self, event: Option<RescheduleEvent>) -> NewAllocation {
        NewAllocation { rescheduled: event, ..self }
    }
}

impl JobSpec {
    /// Returns whether a node meets the constraint and has the requested volumes and devices.
    pub(super) fn allows(&self, node: &Node) -> bool {
        let constraint = self.constraint.as_ref();
        !self.host_volume
            && (!self.wants_gpus() || node.spec.gpus != (0, 0))
            && constraint.is_none_or(|it| node.spec.attribute(&it.attribute) == Some(it.value.as_str()))
    }
}

impl AllocMetric {
    fn filtered(&mut self, node: &Node, spec: &JobSpec) {
        self.nodes_filtered += 1;
        *self.class_filtered.entry(node.spec.node_class.clone()).or_default() += 1;
        let constraint = spec.constraint.as_ref().map(|it| format!("{} = {}", it.attribute, it.value));
        let volume = spec.host_volume.then(|| "missing compatible host volumes".to_owned());
        let is_missing_gpus = spec.wants_gpus() && node.spec.gpus == (0, 0);
        let device = is_missing_gpus.then(|| "missing devices".to_owned());
        if let Some(reason) = volume.or(device).or(constraint) {
            *self.constraint_filtered.entry(reason).or_default() += 1;
        }
    }

    fn exhausted(&mut self, node: &Node, dimension: &'static str) {
        self.nodes_exhausted += 1;
        *self.class_exhausted.entry(node.spec.node_class.clone()).or_default() += 1;
        *self.dimension_exhausted.entry(dimension).or_default() += 1;
    }

    /// Adds the requested amounts of exhausted resources.
    fn wanted(&mut self, group: &TaskGroup) {
        if self.dimension_exhausted.is_empty() {
            return;
        }
        let lacks = |dimension| u64::from(self.dimension_exhausted.contains_key(dimension));
        let (cpu, memory) = (lacks("cpu"), lacks("memory"));
        for task in &group.tasks {
            let sums = self.resources_exhausted.entry(task.name.clone()).or_default();
            sums.0 += cpu * task.cpu;
            sums.1 += memory * task.memory_mb;
        }
    }
}

impl Cluster {
    /// Returns the schedulable nodes in a job's pool and datacenters. Before node pools existed, all nodes
    /// were in one.
    pub(super) fn candidates<'a>(&'a self, spec: &'a JobSpec) -> impl Iterator<Item = &'a Node> {
        let any_pool = spec.node_pool == "all" || self.version() < since::NODE_POOLS;
        let in_pool = move |node: &&Node| any_pool || node.spec.node_pool == spec.node_pool;
        let in_datacenter =
            |node: &&Node| spec.datacenters.iter().any(|dc| dc == "*" || *dc == node.spec.datacenter);
        self.nodes.values().filter(|node| node.is_schedulable()).filter(in_pool).filter(in_datacenter)
    }

    /// Places an allocation on the fullest node with room.
    pub(super) fn place_anywhere(
        &mut self,
        key: &JobKey,
        evaluation: EvaluationId,
        new: NewAllocation,
        outcome: &mut SchedulerOutcome,
    ) {
        let Some(spec) = self.jobs.get(key).map(|job| Arc::clone(&job.spec)) else { return };
        let Some(group) = spec.group(&new.group) else { return };
        // Further allocations of a group have the same failure.
        if let Some(metric) = outcome.failed.get_mut(&new.group) {
            metric.coalesced_failures += 1;
            metric.wanted(group);
            *outcome.queued.entry(new.group).or_default() += 1;
            return;
        }
        if let Some(node) = self.find_node(&spec, group) {
            self.create_allocation(key, evaluation, node, new, Vec::new());
        } else if let Some((node, victims)) = self.find_victims(&spec, group) {
            outcome.preempted(&new.group, &victims);
            self.create_allocation(key, evaluation, node, new, victims);
        } else {
            outcome.fail(&new.group, self.diagnose(&spec, group));
        }
    }

    /// Places an allocation on one node, if it fits.
    pub(super) fn place_on(
        &mut self,
        key: &JobKey,
        evaluation: EvaluationId,
        node: NodeId,
        new: NewAllocation,
        outcome: &mut SchedulerOutcome,
    ) {
        let Some(spec) = self.jobs.get(key).map(|job| Arc::clone(&job.spec)) else { return };
        let (Some(group), Some(there)) = (spec.group(&new.group), self.nodes.get(&node)) else { return };
        let Some(dimension) = lacks(there, group) else {
            self.create_allocation(key, evaluation, node, new, Vec::new());
            return;
        };
        if let Some(victims) = self.victims_on(there, &spec, group) {
            outcome.preempted(&new.group, &victims);
            self.create_allocation(key, evaluation, node, new, victims);
            return;
        }
        if !outcome.full_nodes.contains(&node) {
            outcome.full_nodes.push(node);
        }
        let mut metric = match outcome.failed.remove(&new.group) {
            Some(metric) => AllocMetric { coalesced_failures: metric.coalesced_failures + 1, ..metric },
            None => self.new_metric(&spec),
        };
        metric.nodes_evaluated += 1;
        metric.exhausted(there, dimension);
        metric.wanted(group);
        metric.class_eligibility.insert(there.class.clone(), true);
        outcome.fail(&new.group, metric);
    }

    fn new_metric(&self, spec: &JobSpec) -> AllocMetric {
        let mut metric = AllocMetric { node_pool: spec.node_pool.clone(), ..AllocMetric::default() };
        for node in self.candidates(spec) {
            metric.nodes_in_pool += 1;
            *metric.nodes_available.entry(node.spec.datacenter.clone()).or_default() += 1;
        }
        metric
    }

    /// Returns the fullest node with room.
    fn find_node(&self, spec: &JobSpec, group: &TaskGroup) -> Option<NodeId> {
        let fits = |node: &&Node| spec.allows(node) && lacks(node, group).is_none();
        let fitting = self.candidates(spec).filter(fits).map(|node| (fullness(node), node.id));
        // Among equals, the first in the order of nodes.
        let best = fitting.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, node)| node)
    }

    /// Returns why no node has room.
    fn diagnose(&self, spec: &JobSpec, group: &TaskGroup) -> AllocMetric {
        let mut metric = self.new_metric(spec);
        for node in self.candidates(spec) {
            metric.nodes_evaluated += 1;
            let allowed = spec.allows(node);
            // Volumes do not depend on classes.
            metric.class_eligibility.insert(node.class.clone(), allowed || spec.host_volume);
            if !allowed {
                metric.filtered(node, spec);
            } else if let Some(dimension) = lacks(node, group) {
                metric.exhausted(node, dimension);
            }
        }
        metric.wanted(group);
        metric
    }

    fn create_allocation(
        &mut self,
        key: &JobKey,
        evaluation: EvaluationId,
        node: NodeId,
        new: NewAllocation,
        preempted: Vec<AllocationId>,
    ) {
        let id = self.rng.id();
        let index = self.write(Message::PlanResult, Object::Allocation(id));
        let startup = self.rng.between(self.settings.startup.0, self.settings.startup.1);
        self.evict(&preempted, id);
        let fate = self.fate(key);
        let reserved_cores = self.free_cores(node);
        let gpus = self.free_gpus(node);
        let (Some(job), Some(there)) = (self.jobs.get_mut(key), self.nodes.get_mut(&node)) else { return };
        let spec = Arc::clone(&job.spec);
        let Some(group) = spec.group(&new.group) else { return };
        let total = group.total(there.spec.core_mhz());
        let deployment =
            job.deployment.filter(|id| self.deployments.get(id).is_some_and(|it| it.is_active()));
        let previous = new.previous.and_then(|id| self.allocations.get_mut(&id));
        let mut reschedules = Vec::new();
        if let (Some(previous), Some(event)) = (&previous, new.rescheduled) {
            reschedules.clone_from(&previous.reschedules);
            reschedules.push(event);
        }
        if let Some(previous) = previous {
            previous.next = Some(id);
            previous.modify_index = index;
        }
        let allocation = Allocation {
            id,
            job: key.clone(),
            version: job.version,
            group: new.group.clone(),
            slot: new.slot,
            evaluation,
            node,
            node_name: there.spec.name.clone(),
            core_mhz: there.spec.core_mhz(),
            reserved_cores: reserved_cores
                .into_iter()
                .take(usize::try_from(total.cores).unwrap_or(0))
                .collect(),
            gpus: gpus.into_iter().take(usize::try_from(total.gpus).unwrap_or(0)).collect(),
            total,
            stop: false,
            desired_description: "".into(),
            client: ClientStatus::Pending,
            client_description: "",
            migrate: false,
            by_hand: false,
            no_replacement: false,
            deployment,
            health: None,
            followup: None,
            previous: new.previous,
            next: None,
            reschedules,
            preempted,
            preempted_by: None,
            fate,
            startup: spec.start_time.unwrap_or(startup),
            tasks: group.tasks.iter().map(TaskRun::new).collect(),
            next_step: None,
            turn: 0,
            unreported: None,
            timed_out: false,
            cause: None,
            job_created: job.create_index,
            job_submitted: (job.job_modify_index, job.submitted),
            created: self.now,
            modified: self.now,
            started: None,
            finished: None,
            create_index: index,
            modify_index: index,
            written: Default::default(),
            spec,
        };
        there.live.insert(id);
        there.allocated = there.allocated + total;
        job.allocations.push(id);
        let created = job.create_index;
        let summary = job.summary.entry(new.group.clone()).or_default();
        summary.queued = summary.queued.saturating_sub(1);
        self.history.placed(job.record, self.now);
        self.allocations.insert(id, allocation);
        if let Some(previous) = new.previous {
            self.touch(Object::Allocation(previous));
        }
        self.count_in_summary(key, created, &new.group, None, ClientStatus::Pending);
        if let Some(deployment) = deployment {
            self.deployment_placed(deployment, &new.group);
        }
        self.refresh_status(key);
        self.send_to_client(id);
    }

    /// Decides how the next allocation of a job will end.
    fn fate(&mut self, key: &JobKey) -> Fate {
        let Some(job) = self.jobs.get_mut(key) else { return Fate::RunsOn };
        let spec = Arc::clone(&job.spec);
        let run_time = self.rng.between(spec.run_time.min, spec.run_time.max);
        let unlucky = self.rng.chance(spec.failure_probability);
        if job.failures_ordered > 0 {
            job.failures_ordered -= 1;
            Fate::Fails(run_time, spec.cause)
        } else if unlucky {
            Fate::Fails(run_time, spec.cause)
        } else if spec.job_type.completes() {
            Fate::Completes(run_time)
        } else {
            Fate::RunsOn
        }
    }

    /// Returns the cores of a node that no non-terminal allocation has reserved.
    fn free_cores(&self, node: NodeId) -> Vec<u16> {
        let Some(node) = self.nodes.get(&node) else { return Vec::new() };
        let live = node.live.iter().filter_map(|id| self.allocations.get(id));
        let taken: BTreeSet<u16> = live.flat_map(|allocation| allocation.reserved_cores.clone()).collect();
        node.spec.reservable_cores().filter(|core| !taken.contains(core)).collect()
    }

    /// Returns the healthy GPUs of a node that no non-terminal allocation has.
    fn free_gpus(&self, node: NodeId) -> Vec<u16> {
        let Some(node) = self.nodes.get(&node) else { return Vec::new() };
        let live = node.live.iter().filter_map(|id| self.allocations.get(id));
        let taken: BTreeSet<u16> = live.flat_map(|allocation| allocation.gpus.clone()).collect();
        let gpus = u16::try_from(node.spec.gpus.0).unwrap_or(u16::MAX);
        (0..gpus).filter(|gpu| !taken.contains(gpu)).collect()
    }
}

/// Returns the resource in which a node has no room for an allocation.
pub(super) fn lacks(node: &Node, group: &TaskGroup) -> Option<&'static str> {
    let limit = node.spec.max_allocations;
    if limit > 0 && node.live.len() >= limit {
        return Some("max allocation exceeded");
    }
    let left = node.spec.allocatable() - node.allocated;
    left.lacks(group.total(node.spec.core_mhz()))
}

/// Returns the bin packing score of a node.
fn fullness(node: &Node) -> f64 {
    let all = node.spec.allocatable();
    let part = |taken: u64, all: u64| taken as f64 / all.max(1) as f64;
    part(node.allocated.cpu, all.cpu) + part(node.allocated.memory_mb, all.memory_mb)
}
