//! Allocations.

use serde_json::{Map, Value, json};

use crate::cluster::{Allocation, Cluster};
use crate::request::Query;
use crate::time::{duration_nanos, nanos, rfc3339};
use crate::version::{Version, since};

use super::task_state::task_states;
use super::{specification, text};

pub(crate) fn allocation_stub(
    allocation: &Allocation,
    version: Version,
    resources: bool,
    states: bool,
) -> Value {
    let mut stub = common(allocation, version);
    stub["JobType"] = json!(allocation.spec.job_type.as_str());
    stub["JobVersion"] = json!(allocation.version);
    stub["TaskStates"] = if states { task_states(allocation, version) } else { Value::Null };
    if resources {
        stub["AllocatedResources"] = allocated_resources(allocation);
    }
    stub
}

/// Fields of the full allocation that lists omit but filters can use.
const HIDDEN: [&str; 3] = ["Job", "DeploymentID", "PreviousAllocation"];

/// A list row with all fields that its filter uses, even those that the list omits: Nomad filters full
/// allocations.
pub(crate) fn filterable_allocation(allocation: &Allocation, cluster: &Cluster, query: &Query) -> Value {
    let filter = query.get("filter").unwrap_or_default();
    let requested = OptionalFields::by(query);
    let resources = requested.resources || filter.contains("AllocatedResources");
    let states = requested.task_states || filter.contains("TaskStates");
    let version = cluster.version();
    let mut row = allocation_stub(allocation, version, resources, states);
    for field in HIDDEN.into_iter().filter(|field| filter.contains(field)) {
        row[field] = match field {
            "Job" => specification::job_of(allocation, version),
            "DeploymentID" => json!(text(allocation.deployment)),
            _ => json!(text(allocation.previous)),
        };
    }
    row
}

/// Removes the fields that were not requested from a row of the allocation list.
pub(crate) fn without_unrequested(row: &mut Value, query: &Query) {
    let requested = OptionalFields::by(query);
    let Some(fields) = row.as_object_mut() else { return };
    for field in HIDDEN {
        fields.remove(field);
    }
    if !requested.resources {
        fields.remove("AllocatedResources");
    }
    if !requested.task_states {
        fields.insert("TaskStates".to_owned(), Value::Null);
    }
}

/// Optional fields of an allocation list that were requested.
struct OptionalFields {
    resources: bool,
    task_states: bool,
}

impl OptionalFields {
    fn by(query: &Query) -> OptionalFields {
        OptionalFields {
            resources: query.is_true("resources"),
            task_states: query.get("task_states").is_none() || query.is_true("task_states"),
        }
    }
}

/// Returns the fields that list rows and full allocations have in common.
pub(super) fn common(allocation: &Allocation, version: Version) -> Value {
    let reschedules: Vec<Value> = allocation
        .reschedules
        .iter()
        .map(|event| {
            json!({
                "RescheduleTime": nanos(event.time),
                "PrevAllocID": event.previous.to_string(),
                "PrevNodeID": event.previous_node.to_string(),
                "Delay": duration_nanos(event.delay),
            })
        })
        .collect();
    let mut tracker = if reschedules.is_empty() { Value::Null } else { json!({"Events": reschedules}) };
    if version >= since::WORKLOAD_IDENTITY && tracker.is_object() {
        tracker["LastReschedule"] = json!("ok");
    }
    let mut row = json!({
        "ID": allocation.id.to_string(),
        "EvalID": allocation.evaluation.to_string(),
        "Name": allocation.name(),
        "Namespace": allocation.job.namespace,
        "NodeID": allocation.node.to_string(),
        "NodeName": allocation.node_name,
        "JobID": allocation.job.id,
        "TaskGroup": allocation.group,
        "DesiredStatus": desired_status(allocation),
        "DesiredDescription": allocation.desired_description,
        "ClientStatus": allocation.client.as_str(),
        "ClientDescription": allocation.client_description,
        "DesiredTransition": desired_transition(allocation, version),
        "DeploymentStatus": deployment_status(allocation),
        "FollowupEvalID": text(allocation.followup),
        "RescheduleTracker": tracker,
        "PreemptedAllocations": preempted_allocations(allocation),
        "PreemptedByAllocation": text(allocation.preempted_by),
        "CreateIndex": allocation.create_index,
        "ModifyIndex": allocation.modify_index,
        "CreateTime": nanos(allocation.created),
        "ModifyTime": nanos(allocation.modified),
    });
    if version >= since::NEXT_ALLOCATION {
        row["NextAllocation"] = json!(text(allocation.next));
    }
    row
}

fn desired_status(allocation: &Allocation) -> &'static str {
    match (allocation.preempted_by, allocation.stop) {
        (Some(_), _) => "evict",
        (None, true) => "stop",
        (None, false) => "run",
    }
}

fn preempted_allocations(allocation: &Allocation) -> Value {
    let ids: Vec<String> = allocation.preempted.iter().map(ToString::to_string).collect();
    if ids.is_empty() { Value::Null } else { json!(ids) }
}

fn desired_transition(allocation: &Allocation, version: Version) -> Value {
    let flag = |set: bool| if set { Value::Bool(true) } else { Value::Null };
    // The deployment watcher requests a replacement if the job allows rescheduling.
    let retried = allocation.spec.reschedule.attempts != Some(0);
    let failed = retried && allocation.health.is_some_and(|health| !health.healthy);
    let mut row = json!({
        "Migrate": flag(allocation.migrate),
        "Reschedule": flag(failed),
        "ForceReschedule": null,
    });
    if version >= since::V1_3 {
        // Nomad sets this only if the allocation is stopped manually.
        row["NoShutdownDelay"] = if allocation.by_hand { Value::Bool(false) } else { Value::Null };
    }
    if version >= since::V1_11 && allocation.by_hand && !failed {
        row["Reschedule"] = Value::Bool(false);
    }
    if version >= since::V1_11 {
        row["MigrateDisablePlacement"] = flag(allocation.no_replacement);
    }
    row
}

fn deployment_status(allocation: &Allocation) -> Value {
    allocation.health.map_or(Value::Null, |health| {
        json!({
            "Healthy": health.healthy,
            "Timestamp": rfc3339(health.time),
            "Canary": false,
            "ModifyIndex": health.index,
        })
    })
}

pub(super) fn allocated_resources(allocation: &Allocation) -> Value {
    let mut tasks = Map::new();
    let mut lifecycles = Map::new();
    let mut reserved = allocation.reserved_cores.iter();
    let mut gpus = allocation.gpus.iter();
    for task in allocation.task_group().into_iter().flat_map(|group| &group.tasks) {
        let count = usize::try_from(task.cores).unwrap_or(usize::MAX);
        let cores: Vec<u16> = reserved.by_ref().take(count).copied().collect();
        let shares = if cores.is_empty() { task.cpu } else { task.cores * allocation.core_mhz };
        let cores = if cores.is_empty() { Value::Null } else { json!(cores) };
        tasks.insert(
            task.name.clone(),
            json!({
                "Cpu": {"CpuShares": shares, "ReservedCores": cores},
                "Memory": {"MemoryMB": task.memory_mb, "MemoryMaxMB": task.memory_max_mb},
                "Networks": null,
                "Devices": devices(gpus.by_ref().take(usize::try_from(task.gpus).unwrap_or(usize::MAX))),
            }),
        );
        lifecycles.insert(task.name.clone(), specification::lifecycle(task));
    }
    let disk = allocation.total.disk_mb;
    let shared = json!({"Networks": null, "DiskMB": disk, "Ports": null});
    json!({"Tasks": tasks, "TaskLifecycles": lifecycles, "Shared": shared})
}

/// Returns the GPUs allocated to a task.
fn devices<'a>(gpus: impl Iterator<Item = &'a u16>) -> Value {
    let ids: Vec<String> = gpus.map(super::node::gpu_id).collect();
    if ids.is_empty() {
        return Value::Null;
    }
    let [vendor, device_type, name] = super::node::GPU;
    json!([{"Vendor": vendor, "Type": device_type, "Name": name, "DeviceIDs": ids}])
}
