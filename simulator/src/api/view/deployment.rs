//! Deployments.

use serde_json::{Map, Value, json};

use crate::cluster::{Deployment, GroupState};
use crate::time::{duration_nanos, nanos, rfc3339};
use crate::version::{Version, since};

pub(crate) fn deployment(deployment: &Deployment, version: Version) -> Value {
    let groups: Map<String, Value> =
        deployment.groups.iter().map(|(name, state)| (name.clone(), group(state))).collect();
    let mut row = json!({
        "ID": deployment.id.to_string(),
        "Namespace": deployment.job.namespace,
        "JobID": deployment.job.id,
        "JobVersion": deployment.job_version,
        "JobModifyIndex": deployment.job_modify_index,
        "JobSpecModifyIndex": deployment.job_modify_index,
        "JobCreateIndex": deployment.job_create_index,
        "IsMultiregion": false,
        "TaskGroups": groups,
        "Status": deployment.status.as_str(),
        "StatusDescription": deployment.description,
        "CreateIndex": deployment.create_index,
        "ModifyIndex": deployment.modify_index,
    });
    if version >= since::V1_3 {
        row["EvalPriority"] = json!(deployment.priority);
    }
    if version >= since::DEPLOYMENT_TIMES {
        row["CreateTime"] = json!(nanos(deployment.created));
        row["ModifyTime"] = json!(nanos(deployment.modified));
    }
    row
}

fn group(state: &GroupState) -> Value {
    json!({
        "AutoRevert": false,
        "AutoPromote": false,
        "ProgressDeadline": duration_nanos(state.progress_deadline),
        "RequireProgressBy": state.require_progress_by.map(rfc3339),
        "Promoted": false,
        "PlacedCanaries": null,
        "DesiredCanaries": 0,
        "DesiredTotal": state.desired,
        "PlacedAllocs": state.placed,
        "HealthyAllocs": state.healthy,
        "UnhealthyAllocs": state.unhealthy,
    })
}
