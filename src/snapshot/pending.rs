//! Pending jobs: since when each waits, and for what.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{Evaluations, LiveJobs, PendingJob, PendingJobs};
use crate::terms::{BlockReason, JobKey};

/// The pending jobs, of live jobs and evaluations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pending {
    /// How long they have waited, by namespace.
    pub by_namespace: BTreeMap<String, PendingJobs>,
    /// Those that have waited longest, oldest first, each with its reason if evaluations are known.
    pub oldest: Vec<(PendingJob, Option<BlockReason>)>,
}

impl Pending {
    /// Joins jobs with evaluations. A job that ran before waits since the creation of its oldest evaluation that is not
    /// terminal; if evaluations cannot be read, since its submission. One whose evaluation is not known is left out.
    pub(super) fn join(jobs: &LiveJobs, evaluations: Option<&Evaluations>) -> Self {
        let waits = jobs.by_namespace.iter();
        let mut by_namespace: BTreeMap<_, _> =
            waits.map(|(name, jobs)| (name.clone(), jobs.pending.clone())).collect();
        let mut oldest = jobs.oldest_pending.clone();
        for job in &jobs.pending_again {
            let since = match evaluations {
                Some(evaluations) => {
                    evaluations.of(JobKey::new(&job.namespace, &job.id)).and_then(|it| it.oldest)
                }
                None => Some(job.since),
            };
            let (Some(since), Some(now)) = (since, jobs.read_at) else { continue };
            by_namespace.entry(job.namespace.clone()).or_default().add(job.job_type, since, now);
            oldest.push(PendingJob { since, ..job.clone() });
        }
        oldest.sort_unstable();
        // Without an ID its series could not be told apart, and two rows of one job would be the same series twice.
        oldest.retain(|job| !job.id.is_empty());
        oldest.dedup_by(|second, first| (&second.namespace, &second.id) == (&first.namespace, &first.id));
        oldest.truncate(jobs.max_oldest);
        let reason = |job: &PendingJob| evaluations.map(|known| known.reason(&job.namespace, &job.id));
        let oldest = oldest.into_iter().map(|job| (job.clone(), reason(&job))).collect();
        Self { by_namespace, oldest }
    }

    /// Since when the oldest pending job of all has waited.
    pub fn oldest_since(&self) -> Option<SystemTime> {
        let by_type = self.by_namespace.values().flat_map(|jobs| jobs.oldest.iter());
        by_type.filter_map(|(_, since)| *since).min()
    }
}
