//! Rows of `GET /v1/jobs`.

use std::time::SystemTime;

use serde::Deserialize;

use super::{Map, time};
use crate::terms::{JobKey, JobStatus, JobType, Outcome, TemplateKind};

/// A job in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Job {
    /// Unique within its namespace. Child jobs are named `<parent>/dispatch-…` and `<parent>/periodic-…`.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// Parent of a dispatched or periodic child, otherwise empty.
    #[serde(rename = "ParentID")]
    pub parent_id: Option<String>,
    pub(super) namespace: Option<String>,
    /// Its type.
    #[serde(rename = "Type")]
    pub job_type: JobType,
    /// Its status; see [`JobStatus`].
    pub status: JobStatus,
    /// Whether somebody stopped it.
    pub stop: Option<bool>,
    /// Whether it is periodic.
    pub periodic: Option<bool>,
    /// Whether it is parameterized.
    pub parameterized_job: Option<bool>,
    /// Since Nomad 1.6.
    pub node_pool: Option<String>,
    /// 1 to 100.
    pub priority: Option<i64>,
    /// Index of the first registration of this ID, or of the first one after a purge.
    pub create_index: Option<u64>,
    /// Increases with every version.
    pub job_modify_index: Option<u64>,
    /// Its metadata; only with `meta=true` (Nomad 1.4.3 and later).
    pub meta: Option<Map<String>>,
    pub(super) submit_time: Option<i64>,
    /// May be `null` up to Nomad 1.2.
    pub job_summary: Option<JobSummary>,
}

/// The job's own count of its allocations. It drifts: Complete and Failed only increase, and any number may
/// be negative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobSummary {
    namespace: Option<String>,
    /// By task group; includes groups that were removed from the job.
    pub summary: Option<Map<TaskGroupSummary>>,
    /// Raft index of the last change.
    pub modify_index: Option<u64>,
}

/// Number of allocations of one task group by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskGroupSummary {
    /// Desired but not placed, as of the last processed evaluation.
    pub queued: Option<i64>,
    /// Total ever completed.
    pub complete: Option<i64>,
    /// Total ever failed.
    pub failed: Option<i64>,
    /// Total lost with their client.
    pub lost: Option<i64>,
}

impl Job {
    /// Returns the namespace. Up to Nomad 1.0, some lists have it only in the summary.
    pub fn namespace(&self) -> &str {
        let of_summary = || self.job_summary.as_ref()?.namespace.as_deref();
        self.namespace.as_deref().filter(|name| !name.is_empty()).or_else(of_summary).unwrap_or_default()
    }

    /// Returns when this version was submitted.
    pub fn submitted(&self) -> Option<SystemTime> {
        time::from_nanos(self.submit_time)
    }

    /// Returns the parent of a dispatched or periodic child.
    pub fn parent(&self) -> Option<&str> {
        self.parent_id.as_deref().filter(|parent| !parent.is_empty())
    }

    /// Returns the parent of a periodic child, derived from its name.
    pub fn periodic_parent(&self) -> Option<&str> {
        let parent = self.parent()?;
        let rest = self.id.as_deref()?.strip_prefix(parent)?;
        rest.starts_with("/periodic-").then_some(parent)
    }

    /// Returns whether it is a periodic or parameterized parent, and which. Children are ordinary jobs.
    pub fn template(&self) -> Option<TemplateKind> {
        if self.parent().is_some() {
            return None;
        }
        if self.periodic == Some(true) {
            return Some(TemplateKind::Periodic);
        }
        (self.parameterized_job == Some(true)).then_some(TemplateKind::Parameterized)
    }

    /// Returns the outcome of a dead job according to its summary. The summary counts forever: an old failure
    /// stays, even if the job is registered again and succeeds. Its allocations are more accurate, as long as
    /// Nomad retains them.
    pub fn summarized_outcome(&self) -> Outcome {
        if self.stop == Some(true) {
            Outcome::Stopped
        } else if self.sum(|group| group.failed) > 0 {
            Outcome::Failed
        } else if self.sum(|group| group.lost) > 0 {
            Outcome::Lost
        } else {
            Outcome::Complete
        }
    }

    /// Returns its key.
    pub fn key(&self) -> JobKey {
        JobKey::new(self.namespace(), self.id.as_deref().unwrap_or_default())
    }

    /// Returns whether any of its allocations has ended before.
    pub fn ran_before(&self) -> bool {
        let ended =
            |group: &TaskGroupSummary| count(group.complete) + count(group.failed) + count(group.lost);
        self.groups().any(|(_, group)| ended(group) > 0)
    }

    /// Returns its task groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &TaskGroupSummary)> {
        let groups = self.job_summary.iter().filter_map(|summary| summary.summary.as_ref()).flatten();
        groups.filter_map(|(name, group)| Some((name.as_str(), group.as_ref()?)))
    }

    /// Sums one number over its task groups; negative numbers count as zero.
    pub fn sum(&self, number: impl Fn(&TaskGroupSummary) -> Option<i64>) -> u64 {
        self.groups().map(|(_, group)| count(number(group))).sum()
    }
}

/// Reads a count, or an amount in MHz or MiB. Absent, negative and implausibly large values become zero, so
/// that sums cannot overflow.
pub fn count(number: Option<i64>) -> u64 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_nulls_is_empty() {
        let job: Job = serde_json::from_str(
            r#"{"ID":null,"ParentID":null,"Namespace":null,"Type":null,"Status":null,"Stop":null,"SubmitTime":null,
                "JobSummary":{"Summary":{"group":null,"other":{"Queued":-4,"Failed":null}}},"Unknown":[1,{}]}"#,
        )
        .unwrap();
        assert_eq!((job.namespace(), job.submitted(), job.status), ("", None, JobStatus::Other));
        assert_eq!(job.sum(|group| group.queued), 0);
    }

    #[test]
    fn the_namespace_comes_from_the_summary_if_the_job_has_none() {
        let job: Job = serde_json::from_str(r#"{"JobSummary":{"Namespace":"ci"}}"#).unwrap();
        assert_eq!(job.namespace(), "ci");
    }
}
