//! Creation and completion of evaluations.

use std::collections::{BTreeMap, BTreeSet};

use super::Cluster;
use super::agenda::Event;
use super::evaluation::{Evaluation, EvaluationStatus};
use super::events::{Message, Object};
use super::id::EvaluationId;
use super::job::JobKey;
use super::spec::JobType;

impl Cluster {
    /// Creates an evaluation of a job; `adjust` sets additional fields.
    pub(super) fn create_evaluation(
        &mut self,
        key: &JobKey,
        triggered_by: &'static str,
        adjust: impl FnOnce(&mut Evaluation),
    ) -> Option<EvaluationId> {
        let job = self.jobs.get(key)?;
        // Nomad uses this trigger for every stopped job.
        let deregistered = triggered_by == "job-deregister";
        let job_type = if deregistered { JobType::Service } else { job.spec.job_type };
        let priority = job.spec.priority;
        // Only evaluations of a job change have its index.
        let job_modify_index = if triggered_by.starts_with("job-") { job.job_modify_index } else { 0 };
        let id = self.rng.id();
        let index = self.write_new_evaluation(key, id, triggered_by);
        let mut evaluation = Evaluation {
            id,
            job: key.clone(),
            job_type,
            priority,
            triggered_by,
            job_modify_index,
            node: None,
            deployment: None,
            status: EvaluationStatus::Pending,
            description: String::new(),
            wait_until: None,
            previous: None,
            next: None,
            blocked: None,
            failed: BTreeMap::new(),
            class_eligibility: BTreeMap::new(),
            queued: None,
            updates: BTreeMap::new(),
            snapshot_index: 0,
            create_index: index,
            modify_index: index,
            created: self.now,
            modified: self.now,
        };
        adjust(&mut evaluation);
        match evaluation.status {
            EvaluationStatus::Blocked => {
                self.blocked.insert(id);
            }
            _ => self.agenda.enter(
                evaluation.wait_until.unwrap_or(self.now + self.settings.scheduling),
                Event::Evaluate(id),
            ),
        }
        self.evaluations.insert(id, evaluation);
        if let Some(job) = self.jobs.get_mut(key) {
            job.evaluations.insert(id);
            job.evaluated = true;
        }
        self.refresh_status(key);
        Some(id)
    }

    /// Returns the index of a new evaluation. An evaluation that is written with its job has the index of the
    /// job.
    fn write_new_evaluation(&mut self, key: &JobKey, id: EvaluationId, triggered_by: &'static str) -> u64 {
        let object = Object::Evaluation(id);
        let message = match triggered_by {
            "job-register" => Message::JobRegistered,
            "job-deregister" => Message::JobDeregistered,
            "alloc-stop" | "node-drain" | "deployment-watcher" => Message::AllocationUpdateDesiredStatus,
            "preemption" => Message::PlanResult,
            _ => Message::EvaluationUpdated,
        };
        let with_job = matches!(message, Message::JobRegistered | Message::JobDeregistered);
        match self.jobs.get(key).filter(|_| with_job) {
            Some(job) => {
                let index = job.job_modify_index;
                self.written(object.table(), index);
                self.journal.write_second(index, message, object);
                index
            }
            None => self.write(message, object),
        }
    }

    /// Ends an evaluation.
    pub(super) fn end_evaluation(&mut self, id: EvaluationId, status: EvaluationStatus, description: &str) {
        let index = self.write(Message::EvaluationUpdated, Object::Evaluation(id));
        let now = self.now;
        let Some(evaluation) = self.evaluations.get_mut(&id) else { return };
        // A completed blocked evaluation keeps its original description.
        if !description.is_empty() || evaluation.status == EvaluationStatus::Blocked {
            evaluation.description = description.to_owned();
        }
        evaluation.status = status;
        evaluation.modify_index = index;
        evaluation.modified = now;
        let job = evaluation.job.clone();
        self.blocked.remove(&id);
        self.refresh_status(&job);
    }

    /// Returns the blocked evaluations of a job.
    pub(super) fn blocked_of(&self, key: &JobKey) -> Vec<EvaluationId> {
        let Some(job) = self.jobs.get(key) else { return Vec::new() };
        job.evaluations.iter().filter(|id| self.blocked.contains(id)).copied().collect()
    }

    /// Schedules a retry of the blocked evaluations, because capacity was freed.
    pub(super) fn capacity_freed(&mut self) {
        if !self.unblocking && !self.blocked.is_empty() {
            self.unblocking = true;
            self.enter_in(self.settings.scheduling, Event::Unblock);
        }
    }

    /// Retries the blocked evaluations by priority, then by age.
    pub(super) fn retry_blocked(&mut self) {
        self.unblocking = false;
        let waiting = self.blocked.iter().filter_map(|id| self.evaluations.get(id));
        let mut waiting: Vec<_> = waiting
            .filter(|evaluation| self.may_fit_now(evaluation))
            .map(|evaluation| {
                (std::cmp::Reverse(evaluation.priority), evaluation.create_index, evaluation.id)
            })
            .collect();
        waiting.sort();
        // A backlog consists mostly of similar jobs. If one does not fit, others with the same requests are
        // skipped.
        let mut in_vain = BTreeSet::new();
        for (_, _, id) in waiting {
            let demand = self.demand(id);
            if demand.is_some_and(|demand| in_vain.contains(&demand)) {
                continue;
            }
            self.evaluate(id);
            if self.blocked.contains(&id) {
                in_vain.extend(demand);
            }
        }
    }

    fn demand(&self, id: EvaluationId) -> Option<u64> {
        let job = self.jobs.get(&self.evaluations.get(&id)?.job)?;
        (!job.spec.job_type.is_per_node()).then_some(job.demand)
    }

    /// Returns whether any node may be of an eligible class.
    fn may_fit_now(&self, evaluation: &Evaluation) -> bool {
        let unfit = |class: &String| evaluation.class_eligibility.get(class) == Some(&false);
        self.nodes.values().any(|node| node.is_schedulable() && !unfit(&node.class))
    }
}
