//! The truth about the cluster, counted from the model itself: what an observer of the API should arrive at.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::Cluster;
use super::allocation::{Allocation, ClientStatus};
use super::id::NodeId;
use super::job::{JobKey, JobStatus};
use super::node::{DrainStrategy, Node, NodeStatus};
use super::resources::Resources;
use super::spec::JobType;

/// What is true of the cluster now and what has become of every job it ever had.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// When this was true, by the cluster's clock.
    pub time: SystemTime,
    /// How many jobs there are, by namespace, type and status; templates are counted apart.
    pub jobs: BTreeMap<(String, JobType, JobStatus), usize>,
    /// How many templates there are, by namespace and status: periodic, then parameterized ones.
    pub periodic: BTreeMap<(String, JobStatus), usize>,
    /// See [`Ledger::periodic`].
    pub parameterized: BTreeMap<(String, JobStatus), usize>,
    /// How many nodes there are, by state.
    pub nodes: BTreeMap<NodeState, usize>,
    /// What lives on each node, and what is promised to it.
    pub loads: BTreeMap<NodeId, NodeLoad>,
    /// How many instances are left to place, of jobs that have any.
    pub queued: BTreeMap<JobKey, u32>,
    /// How many allocations are remembered, by namespace, type and client status.
    pub allocations: BTreeMap<(String, JobType, ClientStatus), usize>,
    /// How many evaluations are blocked, by namespace and type.
    pub blocked_evaluations: BTreeMap<(String, JobType), usize>,
    /// Every job that was ever submitted, in that order; templates left out, children not.
    pub history: Vec<JobRecord>,
}

/// The state of a node: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeState {
    /// It does not answer.
    Down,
    /// It does not answer, but may be waited for.
    Disconnected,
    /// It is ready, and being drained.
    Draining,
    /// It is ready, but nothing may be placed on it.
    Ineligible,
    /// It is ready and takes work.
    Active,
}

/// What a node carries.
#[derive(Clone, Debug)]
pub struct NodeLoad {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: NodeState,
    /// What jobs can have of it.
    pub allocatable: Resources,
    /// The sum over its live allocations: pending, running and unknown ones.
    pub allocated: Resources,
    /// How many they are by status.
    pub live: BTreeMap<ClientStatus, usize>,
    /// How many of them a drain of the node waits for, if it is being drained.
    pub drain_remaining: Option<usize>,
}

/// How a job ended: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Somebody stopped it.
    Stopped,
    /// An allocation of it failed.
    Failed,
    /// An allocation of it was lost.
    Lost,
    /// All went well.
    Complete,
}

/// When and how a job became dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// When.
    pub time: SystemTime,
    /// How.
    pub outcome: Outcome,
}

/// What became of one submission of a job.
#[derive(Clone, Debug)]
pub struct JobRecord {
    /// Which job.
    pub key: JobKey,
    /// Its type.
    pub job_type: JobType,
    /// The template it came from.
    pub parent: Option<String>,
    /// When it was submitted.
    pub submitted: SystemTime,
    /// When its first allocation was placed.
    pub first_placed: Option<SystemTime>,
    /// When it became dead, if it is. A purge is not an end.
    pub completion: Option<Completion>,
    /// Whether it is gone from the lists.
    pub purged: bool,
    /// How many of its allocations failed.
    pub failed_allocations: u32,
    /// How many of its allocations were lost.
    pub lost_allocations: u32,
    template: bool,
}

/// The records of all jobs ever.
#[derive(Debug, Default)]
pub(super) struct JobHistory(Vec<JobRecord>);

impl JobHistory {
    /// Opens a record and returns its place.
    pub(super) fn submitted(
        &mut self,
        key: &JobKey,
        job_type: JobType,
        parent: Option<&str>,
        template: bool,
        time: SystemTime,
    ) -> usize {
        self.0.push(JobRecord {
            key: key.clone(),
            job_type,
            parent: parent.map(str::to_owned),
            submitted: time,
            first_placed: None,
            completion: None,
            purged: false,
            failed_allocations: 0,
            lost_allocations: 0,
            template,
        });
        self.0.len() - 1
    }

    pub(super) fn placed(&mut self, record: usize, time: SystemTime) {
        if let Some(record) = self.0.get_mut(record) {
            record.first_placed.get_or_insert(time);
        }
    }

    pub(super) fn count(&mut self, record: usize, failed: u32, lost: u32) {
        if let Some(record) = self.0.get_mut(record) {
            record.failed_allocations = failed;
            record.lost_allocations = lost;
        }
    }

    pub(super) fn status_changed(
        &mut self,
        record: usize,
        status: JobStatus,
        stopped: bool,
        time: SystemTime,
    ) {
        let Some(record) = self.0.get_mut(record) else { return };
        let outcome = match (stopped, record.failed_allocations, record.lost_allocations) {
            (true, ..) => Outcome::Stopped,
            (false, 1.., _) => Outcome::Failed,
            (false, 0, 1..) => Outcome::Lost,
            (false, 0, 0) => Outcome::Complete,
        };
        record.completion = (status == JobStatus::Dead).then_some(Completion { time, outcome });
    }

    pub(super) fn purged(&mut self, record: usize) {
        if let Some(record) = self.0.get_mut(record) {
            record.purged = true;
        }
    }
}

impl Cluster {
    /// Counts the cluster from its own records.
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger {
            time: self.now,
            jobs: BTreeMap::new(),
            periodic: BTreeMap::new(),
            parameterized: BTreeMap::new(),
            nodes: BTreeMap::new(),
            loads: BTreeMap::new(),
            queued: BTreeMap::new(),
            allocations: BTreeMap::new(),
            blocked_evaluations: BTreeMap::new(),
            history: self.history.0.iter().filter(|record| !record.template).cloned().collect(),
        };
        for job in self.jobs.values() {
            let namespace = job.key.namespace.clone();
            let queued: u32 = job.summary.values().map(|summary| summary.queued).sum();
            if queued > 0 {
                ledger.queued.insert(job.key.clone(), queued);
            }
            *if job.spec.periodic.is_some() {
                ledger.periodic.entry((namespace, job.status)).or_default()
            } else if job.spec.parameterized {
                ledger.parameterized.entry((namespace, job.status)).or_default()
            } else {
                ledger.jobs.entry((namespace, job.spec.job_type, job.status)).or_default()
            } += 1;
        }
        for node in self.nodes.values() {
            *ledger.nodes.entry(state(node)).or_default() += 1;
            ledger.loads.insert(node.id, NodeLoad::empty(node));
        }
        // From the allocations themselves, not from what the scheduler keeps on the nodes.
        for allocation in self.allocations.values() {
            let key = (allocation.job.namespace.clone(), allocation.spec.job_type, allocation.client);
            *ledger.allocations.entry(key).or_default() += 1;
            let load = ledger.loads.get_mut(&allocation.node).filter(|_| !allocation.client.is_terminal());
            if let Some(load) = load {
                load.add(allocation, self.nodes.get(&allocation.node).and_then(|node| node.drain));
            }
        }
        for evaluation in self.blocked.iter().filter_map(|id| self.evaluations.get(id)) {
            let key = (evaluation.job.namespace.clone(), evaluation.job_type);
            *ledger.blocked_evaluations.entry(key).or_default() += 1;
        }
        ledger
    }
}

impl NodeLoad {
    fn empty(node: &Node) -> NodeLoad {
        NodeLoad {
            name: node.spec.name.clone(),
            state: state(node),
            allocatable: node.spec.allocatable(),
            allocated: Resources::default(),
            live: BTreeMap::new(),
            drain_remaining: node.drain.map(|_| 0),
        }
    }

    fn add(&mut self, allocation: &Allocation, drain: Option<DrainStrategy>) {
        self.allocated = self.allocated + allocation.total;
        *self.live.entry(allocation.client).or_default() += 1;
        let ignored =
            |drain: DrainStrategy| drain.ignore_system_jobs && allocation.spec.job_type == JobType::System;
        if let (Some(remaining), Some(drain)) = (&mut self.drain_remaining, drain) {
            *remaining += usize::from(!ignored(drain));
        }
    }
}

fn state(node: &Node) -> NodeState {
    match node.status {
        NodeStatus::Down => NodeState::Down,
        NodeStatus::Disconnected => NodeState::Disconnected,
        NodeStatus::Ready if node.drain.is_some() => NodeState::Draining,
        NodeStatus::Ready if !node.eligible => NodeState::Ineligible,
        NodeStatus::Ready => NodeState::Active,
    }
}
