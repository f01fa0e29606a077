//! Outcomes of dead jobs.

use std::collections::BTreeMap;

use super::Sections;
use crate::terms::{ByTerm, JobType, Outcome, at};

/// Number of retained dead jobs by outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// By namespace.
    pub by_namespace: BTreeMap<String, ByTerm<JobType, ByTerm<Outcome, u64>>>,
}

impl Outcomes {
    /// Joins dead jobs with their allocations, which show the outcomes. If terminal allocations are not
    /// collected, the summaries of jobs are used. If they are collected but cannot be read, outcomes are
    /// unknown.
    pub(super) fn join(sections: &Sections, allocations_are_collected: bool) -> Option<Self> {
        let finished = sections.finished_jobs.as_ref()?;
        let ended = sections.finished_allocations.as_ref();
        if ended.is_none() && allocations_are_collected {
            return None;
        }
        let stopping = sections.allocations.as_ref().map(|allocations| &allocations.stopping);
        let mut outcomes = Self::default();
        for job in &finished.jobs {
            let outcome = match ended {
                _ if job.stopped => Outcome::Stopped,
                None => job.summarized,
                Some(ended) => match ended.ends.outcome(job.key, job.create_index, stopping) {
                    // Its allocations may be newer than those that were read.
                    _ if finished.unsettled.get(&job.key).is_some_and(|list| *list > ended.began_after) => {
                        continue;
                    }
                    None if finished.list > ended.began_after => continue,
                    outcome => outcome.unwrap_or(Outcome::Unknown),
                },
            };
            let Some(namespace) = finished.namespaces.get(job.namespace as usize) else { continue };
            at(&mut outcomes.by_namespace, namespace)[job.job_type][outcome] += 1;
        }
        Some(outcomes)
    }
}
