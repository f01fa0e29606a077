//! Evaluations, with empty fields omitted, and placement failures.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::cluster::{AllocMetric, DesiredUpdates, Evaluation, EvaluationStatus};
use crate::time::{nanos, rfc3339};
use crate::version::{Version, since};

use super::{nil_map, text, without_empty};

/// Nanoseconds that the scheduler spent before the placement failed. Any plausible value will do.
const ALLOCATION_TIME: u64 = 40_000;

pub(crate) fn evaluation(evaluation: &Evaluation, version: Version) -> Value {
    let (node, node_modify_index) = evaluation.node.unzip();
    let failed: Map<String, Value> = evaluation
        .failed
        .iter()
        .map(|(group, metric)| (group.clone(), alloc_metric(metric, version)))
        .collect();
    let mut row = json!({
        "ID": evaluation.id.to_string(),
        "Namespace": evaluation.job.namespace,
        "Priority": evaluation.priority,
        "Type": evaluation.job_type.as_str(),
        "TriggeredBy": evaluation.triggered_by,
        "JobID": evaluation.job.id,
        "JobModifyIndex": evaluation.job_modify_index,
        "NodeID": text(node),
        "NodeModifyIndex": node_modify_index,
        "DeploymentID": text(evaluation.deployment),
        "Status": evaluation.status.as_str(),
        "StatusDescription": evaluation.description,
        "WaitUntil": evaluation.wait_until.map(rfc3339),
        "PreviousEval": text(evaluation.previous),
        "BlockedEval": text(evaluation.blocked),
        "FailedTGAllocs": failed,
        "ClassEligibility": evaluation.class_eligibility,
        "QueuedAllocations": evaluation.queued,
        "SnapshotIndex": evaluation.snapshot_index,
        "CreateIndex": evaluation.create_index,
        "ModifyIndex": evaluation.modify_index,
        "CreateTime": nanos(evaluation.created),
        "ModifyTime": nanos(evaluation.modified),
    });
    if version < since::DRAIN_HISTORY && evaluation.status == EvaluationStatus::Blocked {
        row["FailedTGAllocs"] = Value::Null;
    }
    if version >= since::V1_11 {
        row["NextEval"] = json!(text(evaluation.next));
        row["PlanAnnotations"] = annotations(&evaluation.updates);
    }
    without_empty(row)
}

fn alloc_metric(metric: &AllocMetric, version: Version) -> Value {
    let mut row = json!({
        "NodesEvaluated": metric.nodes_evaluated,
        "NodesFiltered": metric.nodes_filtered,
        "NodesAvailable": metric.nodes_available,
        "ClassFiltered": counts(&metric.class_filtered),
        "ConstraintFiltered": counts(&metric.constraint_filtered),
        "NodesExhausted": metric.nodes_exhausted,
        "ClassExhausted": counts(&metric.class_exhausted),
        "DimensionExhausted": counts(&metric.dimension_exhausted),
        "QuotaExhausted": null,
        "ResourcesExhausted": resources_exhausted(metric, version),
        "Scores": null,
        "ScoreMetaData": null,
        "AllocationTime": ALLOCATION_TIME,
        "CoalescedFailures": metric.coalesced_failures,
    });
    if version >= since::NODE_POOLS {
        row["NodesInPool"] = json!(metric.nodes_in_pool);
        row["NodePool"] = json!(metric.node_pool);
    }
    row
}

fn counts<Key: ToString>(counts: &BTreeMap<Key, u32>) -> Value {
    nil_map(counts.iter().map(|(key, count)| (key.to_string(), json!(count))).collect())
}

fn resources_exhausted(metric: &AllocMetric, version: Version) -> Value {
    let row = |(cpu, memory_mb): (u64, u64)| {
        let mut row = json!({
            "CPU": cpu, "Cores": 0, "MemoryMB": memory_mb, "MemoryMaxMB": 0, "DiskMB": 0, "IOPS": 0,
            "Networks": null, "Devices": null,
        });
        super::specification::add_newer_resources(&mut row, version);
        row
    };
    nil_map(metric.resources_exhausted.iter().map(|(task, sums)| (task.clone(), row(*sums))).collect())
}

fn annotations(updates: &BTreeMap<String, DesiredUpdates>) -> Value {
    if updates.is_empty() {
        return Value::Null;
    }
    let row = |updates: &DesiredUpdates| {
        json!({
            "Ignore": updates.ignore,
            "Place": updates.place,
            "Migrate": updates.migrate,
            "Stop": updates.stop,
            "DestructiveUpdate": updates.destructive_update,
            "RescheduleNow": updates.reschedule_now,
            "RescheduleLater": updates.reschedule_later,
            "InPlaceUpdate": updates.in_place_update,
            "Preemptions": updates.preemptions,
            "Canary": 0, "Disconnect": 0, "Reconnect": 0,
        })
    };
    let groups: Map<String, Value> =
        updates.iter().map(|(group, updates)| (group.clone(), row(updates))).collect();
    json!({"DesiredTGUpdates": groups, "PreemptedAllocs": null})
}
