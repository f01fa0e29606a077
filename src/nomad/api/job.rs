//! Rows of `GET /v1/jobs`.

use std::time::SystemTime;

use serde::Deserialize;

use super::{Map, time};
use crate::terms::{JobKey, JobStatus, JobType, Outcome, TemplateKind};

/// A job as the list shows it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Job {
    /// Unique within its namespace. Children are called `<parent>/dispatch-…` and `<parent>/periodic-…`.
    #[serde(rename = "ID")]
    pub id: Option<String>,
    /// The parent of a dispatched or periodic child, else empty.
    #[serde(rename = "ParentID")]
    pub parent_id: Option<String>,
    namespace: Option<String>,
    /// Its scheduler.
    #[serde(rename = "Type")]
    pub job_type: JobType,
    /// Its status, as [`JobStatus`] explains.
    pub status: JobStatus,
    /// Whether somebody stopped it.
    pub stop: Option<bool>,
    /// Whether it is started by the clock.
    pub periodic: Option<bool>,
    /// Whether it is started by dispatch.
    pub parameterized_job: Option<bool>,
    /// Since Nomad 1.6.
    pub node_pool: Option<String>,
    /// 1 to 100.
    pub priority: Option<i64>,
    /// Set when a job of this ID is first registered, and again when it was purged in between.
    pub create_index: Option<u64>,
    /// Grows with every version.
    pub job_modify_index: Option<u64>,
    /// Its metadata; only with `meta=true` (Nomad 1.4.3 and later).
    pub meta: Option<Map<String>>,
    submit_time: Option<i64>,
    /// May be `null` up to Nomad 1.2.
    pub job_summary: Option<JobSummary>,
}

/// A job's own account of its instances. It drifts: Complete and Failed only ever grow, and any number may come
/// out negative.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobSummary {
    namespace: Option<String>,
    /// By task group; groups that were removed from the job stay.
    pub summary: Option<Map<TaskGroupSummary>>,
    /// The Raft index of its last change.
    pub modify_index: Option<u64>,
}

/// The instances of one task group.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskGroupSummary {
    /// Wanted and not placed, as of the last processed evaluation.
    pub queued: Option<i64>,
    /// Ended well, ever.
    pub complete: Option<i64>,
    /// Ended in failure, ever.
    pub failed: Option<i64>,
    /// Lost with their client.
    pub lost: Option<i64>,
}

impl Job {
    /// The namespace. Up to Nomad 1.0 some lists name it only in the summary.
    pub fn namespace(&self) -> &str {
        let of_summary = || self.job_summary.as_ref()?.namespace.as_deref();
        self.namespace.as_deref().filter(|name| !name.is_empty()).or_else(of_summary).unwrap_or_default()
    }

    /// When this version of it was submitted.
    pub fn submitted(&self) -> Option<SystemTime> {
        time::from_nanos(self.submit_time)
    }

    /// Whether it was started from a parent, by dispatch or by the clock.
    pub fn parent(&self) -> Option<&str> {
        self.parent_id.as_deref().filter(|parent| !parent.is_empty())
    }

    /// The parent of a child that the clock started, by how Nomad names those.
    pub fn periodic_parent(&self) -> Option<&str> {
        let parent = self.parent()?;
        let rest = self.id.as_deref()?.strip_prefix(parent)?;
        rest.starts_with("/periodic-").then_some(parent)
    }

    /// What kind of template it is, if it is one. Children carry their parent's ID and are work.
    pub fn template(&self) -> Option<TemplateKind> {
        if self.parent().is_some() {
            return None;
        }
        if self.periodic == Some(true) {
            return Some(TemplateKind::Periodic);
        }
        (self.parameterized_job == Some(true)).then_some(TemplateKind::Parameterized)
    }

    /// How it ended by its own account, if it is dead. The account counts for ever: a failure of months ago stays, also if
    /// the job is registered again and succeeds. Its allocations know better, as long as Nomad retains them.
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

    /// Its key.
    pub fn key(&self) -> JobKey {
        JobKey::new(self.namespace(), self.id.as_deref().unwrap_or_default())
    }

    /// Whether allocations of it ended before.
    pub fn ran_before(&self) -> bool {
        let ended =
            |group: &TaskGroupSummary| count(group.complete) + count(group.failed) + count(group.lost);
        self.groups().any(|(_, group)| ended(group) > 0)
    }

    /// Its task groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &TaskGroupSummary)> {
        let groups = self.job_summary.iter().filter_map(|summary| summary.summary.as_ref()).flatten();
        groups.filter_map(|(name, group)| Some((name.as_str(), group.as_ref()?)))
    }

    /// Sums one number over its task groups; negative numbers count as none.
    pub fn sum(&self, number: impl Fn(&TaskGroupSummary) -> Option<i64>) -> u64 {
        self.groups().map(|(_, group)| count(number(group))).sum()
    }
}

/// A number of a summary, or an amount in MHz or MiB; one that is absent, drifted below zero, or is larger than
/// anything could be is none. So sums of them stay far from their limit.
pub fn count(number: Option<i64>) -> u64 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_nulls_reads_as_nothing() {
        let job: Job = serde_json::from_str(
            r#"{"ID":null,"ParentID":null,"Namespace":null,"Type":null,"Status":null,"Stop":null,"SubmitTime":null,
                "JobSummary":{"Summary":{"group":null,"other":{"Queued":-4,"Failed":null}}},"Unknown":[1,{}]}"#,
        )
        .unwrap();
        assert_eq!((job.namespace(), job.submitted(), job.status), ("", None, JobStatus::Other));
        assert_eq!(job.sum(|group| group.queued), 0);
    }

    #[test]
    fn the_summary_names_the_namespace_where_the_job_does_not() {
        let job: Job = serde_json::from_str(r#"{"JobSummary":{"Namespace":"ci"}}"#).unwrap();
        assert_eq!(job.namespace(), "ci");
    }
}
