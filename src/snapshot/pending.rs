//! Pending jobs, with their age and reason.

use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

use super::{Evaluations, LiveJobs, PendingJob, PendingJobs};
use crate::terms::{BlockReason, JobKey};

/// Pending jobs, from live jobs and evaluations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pending {
    /// Ages by namespace.
    pub by_namespace: BTreeMap<String, PendingJobs>,
    /// The jobs that have been pending longest, oldest first, each with its reason if evaluations are known.
    pub oldest: Vec<(PendingJob, Option<BlockReason>)>,
}

impl Pending {
    /// Joins jobs with evaluations. A job that ran before waits since the creation of its oldest waiting
    /// evaluation, or since its submission if evaluations cannot be read. It is excluded if its evaluation is
    /// unknown.
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
        // Jobs without an ID could not be distinguished, and two rows of one job would be duplicate series.
        let mut named = HashSet::new();
        oldest.retain(|job| !job.id.is_empty() && named.insert(JobKey::new(&job.namespace, &job.id)));
        oldest.truncate(jobs.max_oldest);
        let reason = |job: &PendingJob| evaluations.map(|known| known.reason(&job.namespace, &job.id));
        let oldest = oldest.into_iter().map(|job| (job.clone(), reason(&job))).collect();
        Self { by_namespace, oldest }
    }

    /// Returns since when the oldest pending job has been waiting.
    pub fn oldest_since(&self) -> Option<SystemTime> {
        let by_type = self.by_namespace.values().flat_map(|jobs| jobs.oldest.iter());
        by_type.filter_map(|(_, since)| *since).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::terms::JobType;

    #[test]
    fn a_job_that_a_list_repeats_is_shown_once() {
        let job = |id: &str, seconds| PendingJob {
            namespace: "ci".into(),
            id: id.into(),
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            job_type: JobType::Batch,
        };
        let list = vec![job("a", 1), job("b", 2), job("a", 3), job("", 4)];
        let jobs = LiveJobs { oldest_pending: list, max_oldest: 20, ..LiveJobs::default() };
        let shown: Vec<PendingJob> =
            Pending::join(&jobs, None).oldest.into_iter().map(|(job, _)| job).collect();
        assert_eq!(shown, [job("a", 1), job("b", 2)]);
    }
}
