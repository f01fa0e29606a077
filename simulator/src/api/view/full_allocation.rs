//! Full allocations, without empty fields.

use serde_json::{Map, Value, json};

use crate::cluster::{Allocation, Cluster, NodeStatus, Task};
use crate::version::{Version, since};

use super::allocation::{allocated_resources, common};
use super::task_state::task_states;
use super::{specification, text, without_empty};

/// Nanoseconds that the scheduler spent on the placement. Any plausible value will do.
const ALLOCATION_TIME: u64 = 40_000;
/// ID of the key that signs workload identities.
const SIGNING_KEY: &str = "fe9c8dd3-b516-603c-b319-a33942d97256";

/// Returns the full allocation, with its job as of the placement.
pub(crate) fn allocation(allocation: &Allocation, cluster: &Cluster, version: Version) -> Value {
    let mut full = without_job(allocation, cluster, version);
    full["Job"] = specification::job_of(allocation, version);
    full
}

/// Returns the full allocation without its job, as in the event stream.
pub(crate) fn without_job(allocation: &Allocation, cluster: &Cluster, version: Version) -> Value {
    let mut full = common(allocation, version);
    let shared = Amount { disk_mb: allocation.total.disk_mb, ..Amount::default() };
    let tasks = || allocation.task_group().into_iter().flat_map(|group| &group.tasks);
    let per_task: Map<String, Value> =
        tasks().map(|task| (task.name.clone(), Amount::of(task).written(version))).collect();
    full["AllocatedResources"] = allocated_resources(allocation);
    full["TaskStates"] = task_states(allocation, version);
    full["DeploymentID"] = json!(text(allocation.deployment));
    full["PreviousAllocation"] = json!(text(allocation.previous));
    full["Metrics"] = metrics(allocation, cluster, version);
    full["Resources"] = tasks().map(Amount::of).fold(shared, Amount::and).written(version);
    full["SharedResources"] = shared.written(version);
    full["TaskResources"] = Value::Object(per_task);
    // Index of the last write by a server. Client updates do not change it.
    full["AllocModifyIndex"] = json!(allocation.create_index);
    if allocation.is_received() {
        let mut network = json!({"InterfaceName": "", "Address": "", "DNS": null});
        if version >= since::ALLOCATION_IPV6 {
            network["AddressIPv6"] = json!("");
        }
        full["NetworkStatus"] = network;
    }
    if version >= since::SIGNED_IDENTITIES {
        full["SigningKeyID"] = json!(SIGNING_KEY);
    }
    if let Some(fields) = full["DesiredTransition"].as_object()
        && fields.values().all(Value::is_null)
    {
        full["DesiredTransition"] = Value::Null;
    }
    without_empty(full)
}

/// Resources in the format that preceded `AllocatedResources`.
#[derive(Clone, Copy, Default)]
struct Amount {
    cpu: u64,
    cores: u64,
    memory_mb: u64,
    memory_max_mb: u64,
    disk_mb: u64,
}

impl Amount {
    fn of(task: &Task) -> Amount {
        let (cpu, memory_max_mb) = (task.cpu, task.memory_max_mb);
        Amount { cpu, cores: task.cores, memory_mb: task.memory_mb, memory_max_mb, disk_mb: 0 }
    }

    fn and(self, other: Amount) -> Amount {
        let max = if other.memory_max_mb > 0 { other.memory_max_mb } else { other.memory_mb };
        Amount {
            cpu: self.cpu + other.cpu,
            cores: self.cores + other.cores,
            memory_mb: self.memory_mb + other.memory_mb,
            memory_max_mb: self.memory_max_mb + max,
            disk_mb: self.disk_mb + other.disk_mb,
        }
    }

    fn written(self, version: Version) -> Value {
        let mut row = json!({
            "CPU": self.cpu, "Cores": self.cores, "MemoryMB": self.memory_mb, "MemoryMaxMB": self.memory_max_mb,
            "DiskMB": self.disk_mb, "IOPS": 0, "Networks": null, "Devices": null,
        });
        specification::add_newer_resources(&mut row, version);
        row
    }
}

/// Returns the placement metrics, as if the scheduler had evaluated the nodes that are ready now.
fn metrics(allocation: &Allocation, cluster: &Cluster, version: Version) -> Value {
    let mut available: Map<String, Value> = Map::new();
    let mut nodes = 0;
    for node in cluster.nodes.values().filter(|node| node.status == NodeStatus::Ready) {
        let count = available.entry(node.spec.datacenter.clone()).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or_default() + 1);
        nodes += 1;
    }
    let scores = json!({
        "binpack": 0.03, "job-anti-affinity": 0.0, "node-affinity": 0.0, "node-reschedule-penalty": 0.0,
    });
    let mut row = json!({
        "NodesEvaluated": nodes,
        "NodesFiltered": 0,
        "NodesAvailable": available,
        "ClassFiltered": null,
        "ConstraintFiltered": null,
        "NodesExhausted": 0,
        "ClassExhausted": null,
        "DimensionExhausted": null,
        "QuotaExhausted": null,
        "ResourcesExhausted": null,
        "Scores": null,
        "ScoreMetaData": [{"NodeID": allocation.node.to_string(), "NormScore": 0.03, "Scores": scores}],
        "AllocationTime": ALLOCATION_TIME,
        "CoalescedFailures": 0,
    });
    if version >= since::NODE_POOLS {
        row["NodesInPool"] = json!(nodes);
        row["NodePool"] = json!(allocation.spec.node_pool);
    }
    row
}
