//! Ledger: the true values of the cluster, counted from the model, which an observer of the API should
//! report.

mod history;
mod nodes;
mod outcome;

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::Cluster;
use super::allocation::ClientStatus;
use super::evaluation::{Evaluation, EvaluationStatus};
use super::id::{AllocationId, NodeId};
use super::job::{Job, JobKey, JobStatus};
use super::spec::{Cause, JobType};

pub(super) use history::History;
pub use history::{Completion, JobRecord, Start, TaskKey};
pub use nodes::{NodeLoad, NodeState};
pub use outcome::Outcome;

/// Current state of the cluster, and history of every job.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Time of the cluster's clock.
    pub time: SystemTime,
    /// Number of jobs by namespace, type and status, without parents.
    pub jobs: BTreeMap<(String, JobType, JobStatus), usize>,
    /// Number of periodic parents by namespace and status.
    pub periodic: BTreeMap<(String, JobStatus), usize>,
    /// Number of parameterized parents by namespace and status.
    pub parameterized: BTreeMap<(String, JobStatus), usize>,
    /// Number of nodes by state.
    pub nodes: BTreeMap<NodeState, usize>,
    /// Allocations and allocated resources of each node.
    pub loads: BTreeMap<NodeId, NodeLoad>,
    /// Queued allocations by job: of existing groups, while an evaluation waits for capacity or for a
    /// scheduler.
    pub queued: BTreeMap<JobKey, u32>,
    /// Number of retained allocations by namespace, type and client status.
    pub allocations: BTreeMap<(String, JobType, ClientStatus), usize>,
    /// Number of blocked evaluations by namespace and type.
    pub blocked_evaluations: BTreeMap<(String, JobType), usize>,
    /// Number of evaluations that wait for a scheduler, by namespace and type.
    pub pending_evaluations: BTreeMap<(String, JobType), usize>,
    /// Number of delayed evaluations by namespace and type.
    pub delayed_evaluations: BTreeMap<(String, JobType), usize>,
    /// Number of retained dead jobs by namespace, type and current outcome.
    pub finished: BTreeMap<(String, JobType, Outcome), usize>,
    /// Number of jobs that ever ended, by namespace, type and outcome at that time.
    pub ended: BTreeMap<(String, JobType, Outcome), usize>,
    /// Number of retained failed allocations by namespace, type and cause. Excludes those stopped by a drain
    /// or a preemption.
    pub failed_allocations: BTreeMap<(String, JobType, &'static str), usize>,
    /// The same for all allocations that ever failed.
    pub failures: BTreeMap<(String, JobType, &'static str), usize>,
    /// Number of task restarts.
    pub restarts: BTreeMap<TaskKey, usize>,
    /// Number of OOM kills.
    pub oom_kills: BTreeMap<TaskKey, usize>,
    /// Every allocation that ever started, in that order.
    pub starts: Vec<Start>,
    /// Every submitted job, in that order; includes children, excludes parents.
    pub history: Vec<JobRecord>,
}

/// State of an allocation.
#[derive(Clone, Debug)]
pub struct AllocationRecord {
    /// Its job.
    pub job: JobKey,
    /// Its node.
    pub node: NodeId,
    /// Status according to its client.
    pub client: ClientStatus,
    /// Its outcome, if it has ended or is stopping.
    pub outcome: Option<Outcome>,
    /// Cause of its failure.
    pub cause: Option<Cause>,
    /// Number of restarts of its tasks.
    pub restarts: u32,
    /// Number of OOM kills of its tasks.
    pub oom_kills: u32,
    /// Whether any of its tasks runs, whatever its status.
    pub has_running_tasks: bool,
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
            pending_evaluations: BTreeMap::new(),
            delayed_evaluations: BTreeMap::new(),
            finished: BTreeMap::new(),
            ended: BTreeMap::new(),
            failed_allocations: BTreeMap::new(),
            failures: self.history.failures.clone(),
            restarts: self.history.restarts.clone(),
            oom_kills: self.history.oom_kills.clone(),
            starts: self.history.starts.clone(),
            history: self.history.jobs.iter().filter(|record| !record.template).cloned().collect(),
        };
        for record in &ledger.history {
            if let Some(completion) = record.completion {
                let key = (record.key.namespace.clone(), record.job_type, completion.outcome);
                *ledger.ended.entry(key).or_default() += 1;
            }
        }
        for job in self.jobs.values() {
            let namespace = job.key.namespace.clone();
            let queued = self.queued(job);
            if queued > 0 {
                ledger.queued.insert(job.key.clone(), queued);
            }
            *if job.spec.periodic.is_some() {
                ledger.periodic.entry((namespace, job.status)).or_default()
            } else if job.spec.parameterized {
                ledger.parameterized.entry((namespace, job.status)).or_default()
            } else {
                if job.status == JobStatus::Dead {
                    let key = (namespace.clone(), job.spec.job_type, self.outcome_of(job));
                    *ledger.finished.entry(key).or_default() += 1;
                }
                ledger.jobs.entry((namespace, job.spec.job_type, job.status)).or_default()
            } += 1;
        }
        for node in self.nodes.values() {
            *ledger.nodes.entry(nodes::state(node)).or_default() += 1;
            ledger.loads.insert(node.id, NodeLoad::empty(node));
        }
        // Counted from the allocations themselves, not from the scheduler's data on nodes.
        for allocation in self.allocations.values() {
            let key = (allocation.job.namespace.clone(), allocation.spec.job_type, allocation.client);
            *ledger.allocations.entry(key).or_default() += 1;
            if let Some(key) = history::failure(allocation) {
                *ledger.failed_allocations.entry(key).or_default() += 1;
            }
            if let Some(load) = ledger.loads.get_mut(&allocation.node) {
                load.add(allocation, self.nodes.get(&allocation.node).and_then(|node| node.drain));
            }
        }
        for evaluation in self.evaluations.values().filter(|it| !it.status.is_terminal()) {
            let counts = if evaluation.status == EvaluationStatus::Blocked {
                &mut ledger.blocked_evaluations
            } else if self.is_delayed(evaluation) {
                &mut ledger.delayed_evaluations
            } else {
                &mut ledger.pending_evaluations
            };
            let key = (evaluation.job.namespace.clone(), evaluation.job_type);
            *counts.entry(key).or_default() += 1;
        }
        ledger
    }

    fn is_delayed(&self, evaluation: &Evaluation) -> bool {
        evaluation.wait_until.is_some_and(|until| until > self.now)
    }

    /// Returns the number of queued allocations of a job.
    fn queued(&self, job: &Job) -> u32 {
        let evaluations = job.evaluations.iter().filter_map(|id| self.evaluations.get(id));
        let mut waiting = evaluations.filter(|it| !it.status.is_terminal() && !self.is_delayed(it));
        if waiting.next().is_none() {
            return 0;
        }
        let present = job.summary.iter().filter(|(group, _)| job.spec.group(group).is_some());
        present.map(|(_, summary)| summary.queued).sum()
    }

    /// Returns the record of a retained allocation.
    pub fn allocation_record(&self, id: AllocationId) -> Option<AllocationRecord> {
        let allocation = self.allocations.get(&id)?;
        Some(AllocationRecord {
            job: allocation.job.clone(),
            node: allocation.node,
            client: allocation.client,
            outcome: allocation.is_terminal().then(|| Outcome::of(allocation)),
            cause: allocation.cause,
            restarts: allocation.tasks.iter().map(|task| task.restarts).sum(),
            oom_kills: allocation.tasks.iter().map(|task| task.oom_kills).sum(),
            has_running_tasks: allocation.has_running_tasks(),
        })
    }
}
