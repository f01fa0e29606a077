//! Garbage collection. Only deleted jobs have events.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::list::Table;
use crate::version::since;

use super::events::Message;
use super::id::{AllocationId, EvaluationId};
use super::job::{JobKey, JobStatus};
use super::node::NodeStatus;
use super::settings::GcSettings;
use super::{Cluster, Deployment};

impl Cluster {
    /// Collects everything that has ended, whatever its age, like `nomad system gc`.
    pub fn garbage_collect(&mut self) {
        self.commit();
        self.collect_garbage(GcSettings {
            interval: Duration::ZERO,
            evaluation: Duration::ZERO,
            batch_evaluation: Duration::ZERO,
            job: Duration::ZERO,
            deployment: Duration::ZERO,
            node: Duration::ZERO,
        });
    }

    pub(super) fn collect_garbage(&mut self, ages: GcSettings) {
        self.together(Message::JobBatchDeregistered, |cluster| cluster.collect_jobs(ages));
        self.collect_evaluations(ages);
        self.collect_deployments(ages);
        self.collect_nodes(ages);
    }

    fn is_older(&self, time: SystemTime, age: Duration) -> bool {
        time + age <= self.now
    }

    /// Collects dead jobs with all their evaluations and allocations.
    fn collect_jobs(&mut self, ages: GcSettings) {
        let over = self.jobs.values().filter(|job| {
            let dead = job.status == JobStatus::Dead && (!job.is_template() || job.stop);
            let mut evaluations = job.evaluations.iter().filter_map(|id| self.evaluations.get(id));
            let mut allocations = job.allocations.iter().filter_map(|id| self.allocations.get(id));
            dead && self.is_older(job.modified, ages.job)
                && evaluations.all(|it| it.status.is_terminal())
                && allocations.all(|it| it.client.is_terminal())
        });
        for key in over.map(|job| job.key.clone()).collect::<Vec<JobKey>>() {
            let Some(job) = self.jobs.get(&key) else { continue };
            let (evaluations, allocations) = (job.evaluations.clone(), job.allocations.clone());
            self.forget_job(&key, Message::JobBatchDeregistered);
            for id in evaluations {
                self.evaluations.remove(&id);
            }
            for id in allocations {
                self.allocations.remove(&id);
            }
            self.write_deletions();
        }
    }

    /// Collects terminal evaluations whose allocations are terminal too, with those allocations.
    fn collect_evaluations(&mut self, ages: GcSettings) {
        let batch_lives_longer = self.version().has(since::BATCH_EVAL_GC);
        let over = self.evaluations.values().filter(|it| {
            let batch = it.job_type.completes();
            let age = if batch && batch_lives_longer { ages.batch_evaluation } else { ages.evaluation };
            // Allocations of a live batch job are kept, because it would run them again.
            let needed =
                batch && self.jobs.get(&it.job).is_some_and(|job| job.status != JobStatus::Dead && !job.stop);
            it.status.is_terminal() && !needed && self.is_older(it.modified, age)
        });
        let mut placed: BTreeMap<EvaluationId, Vec<AllocationId>> =
            over.map(|it| (it.id, Vec::new())).collect();
        for allocation in self.allocations.values() {
            if let Some(placed) = placed.get_mut(&allocation.evaluation) {
                placed.push(allocation.id);
            }
        }
        for (id, placed) in placed {
            if placed.iter().any(|id| self.is_needed(*id)) {
                continue;
            }
            let Some(evaluation) = self.evaluations.remove(&id) else { continue };
            for allocation in &placed {
                self.allocations.remove(allocation);
            }
            if let Some(job) = self.jobs.get_mut(&evaluation.job) {
                job.evaluations.remove(&id);
                job.allocations.retain(|allocation| !placed.contains(allocation));
            }
            self.write_deletions();
        }
    }

    /// Updates the index of both tables. Nomad deletes evaluations and their allocations in one Raft entry,
    /// which becomes the index of both tables even if there are no allocations.
    fn write_deletions(&mut self) {
        let index = self.write_unseen(Table::Evaluations);
        self.written(Table::Allocations, index);
    }

    /// Returns whether an allocation is non-terminal or waits to be rescheduled.
    fn is_needed(&self, id: AllocationId) -> bool {
        let Some(allocation) = self.allocations.get(&id) else { return false };
        let retried =
            allocation.next.is_none() && allocation.followup.is_some_and(|followup| self.waits(followup));
        !allocation.client.is_terminal() || retried
    }

    fn waits(&self, id: EvaluationId) -> bool {
        self.evaluations.get(&id).is_some_and(|it| !it.status.is_terminal())
    }

    /// Collects terminal deployments, except that of a job's current version, which shows that there was one.
    fn collect_deployments(&mut self, ages: GcSettings) {
        let current =
            |it: &Deployment| self.jobs.get(&it.job).is_some_and(|job| job.deployment == Some(it.id));
        let over = self.deployments.values();
        let over =
            over.filter(|it| !it.is_active() && self.is_older(it.modified, ages.deployment) && !current(it));
        for id in over.map(|it| it.id).collect::<Vec<_>>() {
            self.deployments.remove(&id);
            self.write_unseen(Table::Deployments);
        }
    }

    fn collect_nodes(&mut self, ages: GcSettings) {
        let over = self.nodes.values().filter(|node| {
            node.status == NodeStatus::Down
                && node.live.is_empty()
                && self.is_older(node.status_updated, ages.node)
        });
        for id in over.map(|node| node.id).collect::<Vec<_>>() {
            self.write_unseen(Table::Nodes);
            self.forget_node(id);
        }
    }
}
