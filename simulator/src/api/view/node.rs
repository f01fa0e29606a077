//! Nodes.

use serde_json::{Map, Value, json};

use crate::cluster::{DrainStrategy, LastDrain, Node, NodeEvent};
use crate::time::{duration_nanos, rfc3339, rfc3339_seconds, seconds};
use crate::version::{Version, since};

/// Address of all clients.
const HOST: &str = "127.0.0.1";

pub(crate) fn node_stub(node: &Node, version: Version, resources: bool) -> Value {
    let mut stub = common(node, version);
    stub["Address"] = json!(HOST);
    stub["Version"] = json!(version.to_string());
    if resources {
        stub["NodeResources"] = node_resources(node, version);
        stub["ReservedResources"] = reserved_resources(node);
    }
    stub
}

pub(crate) fn node(node: &Node, version: Version) -> Value {
    let mut full = common(node, version);
    let empty = if version >= since::V1_3 { json!({}) } else { Value::Null };
    full["Attributes"] = attributes(node, version);
    full["CSIControllerPlugins"] = empty.clone();
    full["CSINodePlugins"] = empty.clone();
    full["ComputedClass"] = json!(node.class);
    full["DrainStrategy"] = node.drain.as_ref().map_or(Value::Null, drain_strategy);
    full["Events"] = node.events.iter().map(event).collect();
    full["HTTPAddr"] = json!(format!("{HOST}:{}", node.http_port));
    full["Links"] = empty;
    full["Meta"] = json!({"connect.log_level": "info", "connect.proxy_concurrency": "1"});
    for (key, value) in &node.spec.meta {
        full["Meta"][key] = json!(value);
    }
    full["NodeResources"] = node_resources(node, version);
    full["ReservedResources"] = reserved_resources(node);
    full["SecretID"] = json!("");
    full["StatusUpdatedAt"] = json!(seconds(node.status_updated));
    full["TLSEnabled"] = json!(false);
    if version < since::V1_3 && full["LastDrain"].is_object() {
        full["LastDrain"]["Meta"] = Value::Null;
    }
    if version >= since::V1_3 {
        full["CgroupParent"] = json!("nomad.slice");
        full["HostNetworks"] = Value::Null;
    }
    if version.has(since::BATCH_EVAL_GC) {
        full["LastAllocUpdateIndex"] = json!(node.last_allocation_index);
        full["LastMissedHeartbeatIndex"] = json!(node.last_missed_heartbeat_index);
    }
    if version >= since::NODE_MAX_ALLOCS {
        full["NodeMaxAllocs"] = json!(node.spec.max_allocations);
    }
    if version >= since::V1_11 {
        full["GCVolumesOnNodeGC"] = json!(false);
        full["IdentitySigningKeyID"] = json!("");
    } else {
        full["Resources"] =
            legacy_resources(node.spec.cpu, node.spec.memory_mb, node.spec.disk_mb, networks(version));
        let reserved = node.spec.reserved;
        full["Reserved"] = legacy_resources(reserved.cpu, reserved.memory_mb, reserved.disk_mb, Value::Null);
    }
    full
}

/// Returns the fields that list rows and single nodes have in common.
fn common(node: &Node, version: Version) -> Value {
    let spec = &node.spec;
    let mut row = json!({
        "ID": node.id.to_string(),
        "Name": spec.name,
        "Datacenter": spec.datacenter,
        "NodeClass": spec.node_class,
        "Drain": node.drain.is_some(),
        "SchedulingEligibility": if node.eligible { "eligible" } else { "ineligible" },
        "Status": node.status.as_str(),
        "StatusDescription": "",
        "Drivers": drivers(node, version),
        "HostVolumes": if version >= since::HOST_VOLUMES { json!({}) } else { Value::Null },
        "CreateIndex": node.create_index,
        "ModifyIndex": node.modify_index,
    });
    if version >= since::DRAIN_HISTORY {
        row["LastDrain"] = node.last_drain.as_ref().map_or(Value::Null, last_drain);
    }
    if version >= since::NODE_POOLS {
        row["NodePool"] = json!(spec.node_pool);
    }
    row
}

fn drivers(node: &Node, version: Version) -> Value {
    let none = if version >= since::V1_3 { json!({}) } else { Value::Null };
    let driver = |name: &str, detected: bool| {
        json!({
            "Attributes": if detected { json!({format!("driver.{name}"): "true"}) } else { none.clone() },
            "Detected": detected,
            "Healthy": detected,
            "HealthDescription": if detected { "Healthy" } else { "" },
            "UpdateTime": rfc3339(node.registered),
        })
    };
    json!({
        "docker": driver("docker", true),
        "exec": driver("exec", true),
        "raw_exec": driver("raw_exec", true),
        "qemu": driver("qemu", false),
    })
}

/// Node attributes (fingerprints). Lists can be filtered by them but do not contain them.
pub(crate) fn attributes(node: &Node, version: Version) -> Value {
    let spec = &node.spec;
    let mut all = json!({
        "cpu.arch": "amd64",
        "cpu.numcores": spec.cores.to_string(),
        "cpu.totalcompute": spec.cpu.to_string(),
        "kernel.name": "linux",
        "memory.totalbytes": (spec.memory_mb * 1024 * 1024).to_string(),
        "nomad.version": version.to_string(),
        "os.name": "debian",
        "unique.hostname": spec.name,
        "unique.storage.volume": "/dev/vda",
    });
    for (name, value) in &spec.attributes {
        all[name] = json!(value);
    }
    all
}

fn drain_strategy(drain: &DrainStrategy) -> Value {
    json!({
        "Deadline": drain.deadline.map_or(0, duration_nanos),
        "IgnoreSystemJobs": drain.ignore_system_jobs,
        "ForceDeadline": drain.force_deadline.map(rfc3339),
        "StartedAt": rfc3339(drain.started),
    })
}

fn last_drain(last: &LastDrain) -> Value {
    json!({
        "StartedAt": rfc3339_seconds(last.started),
        "UpdatedAt": rfc3339_seconds(last.updated),
        "Status": last.status,
        "AccessorID": "",
        "Meta": {},
    })
}

fn event(event: &NodeEvent) -> Value {
    json!({
        "Message": event.message,
        "Subsystem": event.subsystem,
        "Details": if event.deadline_reached { json!({"deadline_reached": "true"}) } else { Value::Null },
        "Timestamp": rfc3339(event.time),
        "CreateIndex": event.create_index,
    })
}

fn node_resources(node: &Node, version: Version) -> Value {
    let spec = &node.spec;
    // Since 1.7, cores reserved for the system are excluded.
    let cores: Vec<u16> = match version >= since::PROCESSORS {
        true => spec.reservable_cores().collect(),
        false => (0..spec.reservable_cores().end).collect(),
    };
    let mut row = json!({
        "Cpu": {"CpuShares": spec.cpu, "TotalCpuCores": spec.cores, "ReservableCpuCores": cores},
        "Memory": {"MemoryMB": spec.memory_mb},
        "Disk": {"DiskMB": spec.disk_mb},
        "Devices": devices(node),
        "Networks": networks(version),
        "NodeNetworks": [{
            "Mode": "host", "Device": "eth0", "MacAddress": "02:fc:00:00:00:01", "Speed": 1000,
            "Addresses": [{
                "Alias": "default", "Address": "192.0.2.2", "Family": "ipv4", "Gateway": "", "ReservedPorts": "",
            }],
        }],
        "MinDynamicPort": 20000,
        "MaxDynamicPort": 32000,
    });
    if version >= since::PROCESSORS {
        row["Processors"] = processors(node);
    }
    row
}

fn devices(node: &Node) -> Value {
    let (working, broken) = node.spec.gpus;
    if working + broken == 0 {
        return Value::Null;
    }
    let instance = |number: u64| {
        let healthy = number < working;
        let description = if healthy { "" } else { "Xid 79" };
        json!({"ID": gpu_id(number), "Healthy": healthy, "HealthDescription": description, "Locality": null})
    };
    let instances: Vec<Value> = (0..working + broken).map(instance).collect();
    let [vendor, device_type, name] = GPU;
    json!([{"Vendor": vendor, "Type": device_type, "Name": name, "Instances": instances, "Attributes": null}])
}

/// Vendor, type and name of the GPUs, the only devices of the model.
pub(super) const GPU: [&str; 3] = ["nvidia", "gpu", "Tesla T4"];

pub(super) fn gpu_id(number: impl std::fmt::Display) -> String {
    format!("GPU-{number}")
}

fn processors(node: &Node) -> Value {
    let core = |id: u64| {
        json!({
            "SocketID": 0, "NodeID": 0, "ID": id, "Grade": true, "Disable": id < node.spec.reserved.cores,
            "BaseSpeed": node.spec.core_mhz(), "MaxSpeed": 0, "GuessSpeed": 0,
        })
    };
    let cores: Vec<Value> = (0..node.spec.cores).map(core).collect();
    json!({"Topology": {
        "Nodes": [0],
        "Distances": null,
        "Cores": cores,
        "OverrideTotalCompute": 0,
        "OverrideWitholdCompute": 0,
    }})
}

fn networks(version: Version) -> Value {
    let mut network =
        json!({"Mode": "host", "Device": "eth0", "CIDR": "192.0.2.2/32", "IP": "192.0.2.2", "MBits": 1000});
    if version >= since::COMPACT_NETWORKS {
        return json!([{"Mode": "bridge"}, network]);
    }
    for empty in ["DNS", "DynamicPorts", "ReservedPorts"] {
        network[empty] = Value::Null;
    }
    json!([network])
}

fn reserved_resources(node: &Node) -> Value {
    let reserved = node.spec.reserved;
    let cores: Vec<u64> = (0..reserved.cores).collect();
    let cores = if cores.is_empty() { Value::Null } else { json!(cores) };
    json!({
        "Cpu": {"CpuShares": reserved.cpu, "ReservedCpuCores": cores},
        "Memory": {"MemoryMB": reserved.memory_mb},
        "Disk": {"DiskMB": reserved.disk_mb},
        "Networks": {"ReservedHostPorts": ""},
    })
}

fn legacy_resources(cpu: u64, memory_mb: u64, disk_mb: u64, networks: Value) -> Value {
    let fields: Map<String, Value> = [
        ("CPU", json!(cpu)),
        ("MemoryMB", json!(memory_mb)),
        ("DiskMB", json!(disk_mb)),
        ("Networks", networks),
        ("Cores", json!(0)),
        ("MemoryMaxMB", json!(0)),
        ("IOPS", json!(0)),
        ("Devices", Value::Null),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    Value::Object(fields)
}
