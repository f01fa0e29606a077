//! Jobs in little memory.

use std::sync::Arc;

use super::{Common, Pack};
use crate::nomad::api::{Job, Map, TaskGroupSummary, count};

/// A job without its ID.
#[derive(Debug, PartialEq)]
pub struct PackedJob {
    /// The rest, the same for many jobs: their type, pool, priority, parent, and the names of their task groups.
    rest: Arc<Job>,
    create_index: Option<u64>,
    job_modify_index: Option<u64>,
    submit_time: i64,
    meta: Option<Box<Map<String>>>,
    summary_index: Option<u64>,
    /// Counts of each task group, in their order. All that read them use [`count`].
    groups: Box<[Counts]>,
}

/// Queued, complete, failed and lost allocations.
type Counts = [u32; 4];

impl Pack for Job {
    type Id = Box<str>;
    type Packed = PackedJob;

    fn pack(mut self, common: &mut Common<Self>) -> PackedJob {
        self.id = None;
        let groups = groups_mut(&mut self).map(|group| counts(&std::mem::take(group))).collect();
        PackedJob {
            create_index: self.create_index.take(),
            job_modify_index: self.job_modify_index.take(),
            submit_time: self.submit_time.take().unwrap_or_default(),
            meta: self.meta.take().map(Box::new),
            summary_index: self.job_summary.as_mut().and_then(|summary| summary.modify_index.take()),
            groups,
            rest: common.share(self),
        }
    }

    fn unpack(id: &Box<str>, packed: &PackedJob) -> Self {
        let PackedJob { rest, create_index, job_modify_index, submit_time, meta, summary_index, groups } =
            packed;
        let mut job = Self {
            id: Some(id.to_string()),
            create_index: *create_index,
            job_modify_index: *job_modify_index,
            submit_time: Some(*submit_time),
            meta: meta.as_deref().cloned(),
            ..Self::clone(rest)
        };
        for (group, counts) in groups_mut(&mut job).zip(groups) {
            let [queued, complete, failed, lost] = counts.map(|count| Some(count.into()));
            *group = TaskGroupSummary { queued, complete, failed, lost };
        }
        if let Some(summary) = &mut job.job_summary {
            summary.modify_index = *summary_index;
        }
        job
    }
}

fn groups_mut(job: &mut Job) -> impl Iterator<Item = &mut TaskGroupSummary> {
    let groups = job.job_summary.iter_mut().filter_map(|summary| summary.summary.as_mut());
    groups.flat_map(Map::iter_mut).filter_map(|(_, group)| group.as_mut())
}

fn counts(group: &TaskGroupSummary) -> Counts {
    let TaskGroupSummary { queued, complete, failed, lost } = group;
    [queued, complete, failed, lost].map(|number| u32::try_from(count(*number)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomad::api::packed::assert_returns;

    #[test]
    fn jobs_are_unpacked_as_they_were() {
        let mut common = Common::<Job>::default();
        for (id, json) in [
            (
                "build/dispatch-1",
                r#"{"ID":"build/dispatch-1","ParentID":"build","Namespace":"ci","Type":"batch","Status":"running",
                    "Stop":false,"Periodic":false,"ParameterizedJob":true,"NodePool":"gpu","Priority":70,"CreateIndex":5,
                    "JobModifyIndex":6,"Meta":{"owner":"ann","empty":null},"SubmitTime":1795700162260805494,
                    "JobSummary":{"Namespace":"ci","ModifyIndex":9,"Summary":{"gone":null,
                    "one":{"Queued":1,"Complete":2,"Failed":3,"Lost":4},
                    "two":{"Queued":5,"Complete":6,"Failed":7,"Lost":8}}}}"#,
            ),
            ("x", r#"{"ID":"x","SubmitTime":0}"#),
        ] {
            assert_returns(id, json, &mut common);
        }
    }

    #[test]
    fn counts_that_are_read_as_zero_are_zero() {
        let json =
            r#"{"ID":"x","JobSummary":{"Summary":{"one":{"Queued":-4,"Failed":null,"Lost":9999999999}}}}"#;
        let row = || serde_json::from_str::<Job>(json).unwrap();
        let unpacked = Job::unpack(&"x".into(), &row().pack(&mut Common::default()));
        type Number = fn(&TaskGroupSummary) -> Option<i64>;
        let numbers: [Number; 3] = [|group| group.queued, |group| group.failed, |group| group.lost];
        for number in numbers {
            assert_eq!((unpacked.sum(number), row().sum(number)), (0, 0));
        }
    }

    #[test]
    fn similar_jobs_share_most_of_their_data() {
        let mut common = Common::default();
        let mut pack = |json: &str| serde_json::from_str::<Job>(json).unwrap().pack(&mut common);
        let one =
            pack(r#"{"ID":"a","CreateIndex":5,"JobSummary":{"ModifyIndex":9,"Summary":{"g":{"Queued":1}}}}"#);
        let other =
            pack(r#"{"ID":"b","CreateIndex":6,"JobSummary":{"ModifyIndex":8,"Summary":{"g":{"Lost":1}}}}"#);
        assert!(one != other && Arc::ptr_eq(&one.rest, &other.rest));
    }
}
