//! Jobs as lists show them.

use serde_json::{Map, Value, json};

use crate::cluster::{GroupSummary, Job};
use crate::time::nanos;
use crate::version::{Version, since};

pub(crate) fn job_stub(job: &Job, version: Version, meta: bool) -> Value {
    let spec = &job.spec;
    let mut stub = json!({
        "ID": job.key.id,
        "ParentID": job.parent.as_deref().unwrap_or_default(),
        "Name": job.key.id,
        "Namespace": job.key.namespace,
        "Datacenters": spec.datacenters,
        "Multiregion": null,
        "Type": spec.job_type.as_str(),
        "Priority": spec.priority,
        "Periodic": spec.periodic.is_some(),
        "ParameterizedJob": spec.parameterized,
        "Stop": job.stop,
        "Status": job.status.as_str(),
        "StatusDescription": "",
        "JobSummary": job_summary(job, version),
        "CreateIndex": job.create_index,
        "ModifyIndex": job.modify_index,
        "JobModifyIndex": job.job_modify_index,
        "SubmitTime": nanos(job.submitted),
    });
    if version >= since::NODE_POOLS {
        stub["NodePool"] = json!(spec.node_pool);
    }
    if meta && version.has(since::META_IN_LISTS) && !spec.meta.is_empty() {
        stub["Meta"] = json!(spec.meta);
    }
    stub
}

pub(crate) fn job_summary(job: &Job, version: Version) -> Value {
    let groups: Map<String, Value> =
        job.summary.iter().map(|(name, group)| (name.clone(), group_summary(group, version))).collect();
    json!({
        "JobID": job.key.id,
        "Namespace": job.key.namespace,
        "Summary": groups,
        "Children": {
            "Pending": job.children.pending,
            "Running": job.children.running,
            "Dead": job.children.dead,
        },
        "CreateIndex": job.create_index,
        "ModifyIndex": job.summary_index,
    })
}

fn group_summary(group: &GroupSummary, version: Version) -> Value {
    let mut summary = json!({
        "Queued": group.queued,
        "Complete": group.complete,
        "Failed": group.failed,
        "Running": group.running,
        "Starting": group.starting,
        "Lost": group.lost,
    });
    if version >= since::DISCONNECTED {
        summary["Unknown"] = json!(group.unknown);
    }
    summary
}
