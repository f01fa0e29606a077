//! Full jobs: the specification, and the fields that the servers add.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::cluster::{
    Allocation, Job, JobKey, JobSpec, JobType, Lifecycle, Reschedule, Restarts, Task, TaskGroup,
};
use crate::time::{duration_nanos, nanos};
use crate::version::{Version, since};

/// A job specification with the fields that the servers add.
struct Description<'a> {
    key: &'a JobKey,
    spec: &'a JobSpec,
    parent: &'a str,
    dispatched: bool,
    status: &'static str,
    stable: bool,
    stop: bool,
    version: u64,
    submitted: SystemTime,
    create_index: u64,
    modify_index: u64,
    job_modify_index: u64,
}

pub(crate) fn job(job: &Job, version: Version) -> Value {
    let description = Description {
        key: &job.key,
        spec: &job.spec,
        parent: job.parent.as_deref().unwrap_or_default(),
        dispatched: job.dispatched,
        status: job.status.as_str(),
        stable: job.stable,
        stop: job.stop,
        version: job.version,
        submitted: job.submitted,
        create_index: job.create_index,
        modify_index: job.modify_index,
        job_modify_index: job.job_modify_index,
    };
    description.written(version)
}

/// Returns an allocation's job as of the placement, when the job had no allocations yet.
pub(crate) fn job_of(allocation: &Allocation, version: Version) -> Value {
    let (job_modify_index, submitted) = allocation.job_submitted;
    let id = allocation.job.id.as_str();
    let dispatched = id.split_once("/dispatch-");
    let parent = dispatched.or_else(|| id.split_once("/periodic-")).map_or("", |(parent, _)| parent);
    let description = Description {
        key: &allocation.job,
        spec: &allocation.spec,
        parent,
        dispatched: dispatched.is_some(),
        status: "pending",
        stable: false,
        stop: false,
        version: allocation.version,
        submitted,
        create_index: allocation.job_created,
        modify_index: job_modify_index,
        job_modify_index,
    };
    description.written(version)
}

impl Description<'_> {
    fn written(&self, version: Version) -> Value {
        let spec = self.spec;
        let groups: Vec<Value> = spec.groups.iter().map(|group| task_group(spec, group, version)).collect();
        let mut full = json!({
            "ID": self.key.id,
            "Name": self.key.id,
            "Namespace": self.key.namespace,
            "ParentID": self.parent,
            "Region": "global",
            "Type": spec.job_type.as_str(),
            "Priority": spec.priority,
            "Datacenters": spec.datacenters,
            "AllAtOnce": false,
            "Constraints": constraints(spec),
            "Affinities": null,
            "Spreads": null,
            "TaskGroups": groups,
            "Update": update(rolls_out(spec)),
            "Multiregion": null,
            "Periodic": spec.periodic.map_or(Value::Null, |interval| periodic(interval, version)),
            "ParameterizedJob": if spec.parameterized { parameterized(version) } else { Value::Null },
            "Dispatched": self.dispatched,
            "DispatchIdempotencyToken": "",
            "Payload": null,
            "Meta": if spec.meta.is_empty() { Value::Null } else { json!(spec.meta) },
            "ConsulNamespace": "",
            "VaultNamespace": "",
            "NomadTokenID": "",
            "Status": self.status,
            "StatusDescription": "",
            "Stable": self.stable,
            "Stop": self.stop,
            "Version": self.version,
            "SubmitTime": nanos(self.submitted),
            "CreateIndex": self.create_index,
            "ModifyIndex": self.modify_index,
            "JobModifyIndex": self.job_modify_index,
        });
        if version >= since::NODE_POOLS {
            full["NodePool"] = json!(spec.node_pool);
        }
        if version >= since::V1_11 {
            full["UI"] = Value::Null;
            full["VersionTag"] = Value::Null;
        } else {
            full["ConsulToken"] = json!("");
            full["VaultToken"] = json!("");
        }
        full
    }
}

/// Returns the lifecycle of a task. Null for a main task.
pub(crate) fn lifecycle(task: &Task) -> Value {
    task.lifecycle.map_or(
        Value::Null,
        |lifecycle| json!({"Hook": lifecycle.hook(), "Sidecar": lifecycle == Lifecycle::Sidecar}),
    )
}

/// Adds the task resources that later versions have.
pub(crate) fn add_newer_resources(resources: &mut Value, version: Version) {
    if version >= since::PROCESSORS {
        resources["NUMA"] = Value::Null;
    }
    if version >= since::V1_11 {
        resources["SecretsMB"] = json!(0);
    }
}

fn rolls_out(spec: &JobSpec) -> bool {
    matches!(spec.job_type, JobType::Service | JobType::System)
}

fn constraints(spec: &JobSpec) -> Value {
    spec.constraint.as_ref().map_or(
        Value::Null,
        |constraint| json!([{"LTarget": constraint.attribute, "RTarget": constraint.value, "Operand": "="}]),
    )
}

fn periodic(interval: Duration, version: Version) -> Value {
    let minutes = (interval.as_secs() / 60).max(1);
    let mut periodic = json!({
        "Enabled": true, "ProhibitOverlap": false, "Spec": format!("*/{minutes} * * * *"), "SpecType": "cron",
        "TimeZone": "UTC",
    });
    if version >= since::WORKLOAD_IDENTITY {
        periodic["Specs"] = json!([]);
    }
    periodic
}

fn parameterized(version: Version) -> Value {
    let required = if version >= since::V1_3 { json!([]) } else { Value::Null };
    json!({"Payload": "optional", "MetaRequired": required, "MetaOptional": ["rev"]})
}

fn update(active: bool) -> Value {
    json!({
        "AutoPromote": false, "AutoRevert": false, "Canary": 0, "HealthCheck": "", "HealthyDeadline": 0,
        "MaxParallel": u8::from(active), "MinHealthyTime": 0, "ProgressDeadline": 0,
        "Stagger": if active { 30_000_000_000_u64 } else { 0 },
    })
}

fn task_group(spec: &JobSpec, group: &TaskGroup, version: Version) -> Value {
    let tasks: Vec<Value> = group.tasks.iter().map(|each| task(spec, each, version)).collect();
    let service = spec.job_type == JobType::Service;
    let mut row = json!({
        "Name": group.name,
        "Count": group.count,
        "Tasks": tasks,
        "EphemeralDisk": {"SizeMB": group.disk_mb, "Migrate": false, "Sticky": false},
        "RestartPolicy": restart_policy(spec.restarts, version),
        "ReschedulePolicy": reschedule_policy(spec),
        "Migrate": if service { json!({
            "HealthCheck": "checks", "HealthyDeadline": 300_000_000_000_u64, "MaxParallel": 1,
            "MinHealthyTime": 10_000_000_000_u64,
        }) } else { Value::Null },
        "Update": if service { group_update() } else { Value::Null },
        "Consul": if version >= since::WORKLOAD_IDENTITY { Value::Null } else { json!({"Namespace": ""}) },
        "StopAfterClientDisconnect": null,
        "ShutdownDelay": null,
        "Affinities": null, "Constraints": null, "Meta": null, "Networks": null, "Scaling": null,
        "Services": null, "Spreads": null, "Volumes": volumes(spec, version),
    });
    if version >= since::DISCONNECTED {
        row["MaxClientDisconnect"] = json!(group.max_client_disconnect.map(duration_nanos));
    }
    if version >= since::WORKLOAD_IDENTITY {
        row["PreventRescheduleOnLost"] = json!(false);
        row["Disconnect"] = Value::Null;
    }
    if version >= since::MAX_RUN_DURATION {
        row["MaxRunDuration"] = json!(spec.max_run_duration.map(duration_nanos));
    }
    row
}

fn volumes(spec: &JobSpec, version: Version) -> Value {
    if !spec.host_volume {
        return Value::Null;
    }
    let mut volume = json!({
        "Name": "v", "Type": "host", "Source": "nowhere", "ReadOnly": false, "AccessMode": "",
        "AttachmentMode": "", "MountOptions": null, "PerAlloc": false,
    });
    if version >= since::HOST_VOLUMES {
        volume["Sticky"] = json!(false);
    }
    json!({"v": volume})
}

fn group_update() -> Value {
    let mut row = update(true);
    row["HealthCheck"] = json!("checks");
    row["HealthyDeadline"] = json!(300_000_000_000_u64);
    row["MinHealthyTime"] = json!(10_000_000_000_u64);
    row["ProgressDeadline"] = json!(600_000_000_000_u64);
    row
}

fn restart_policy(restarts: Restarts, version: Version) -> Value {
    let mut policy = json!({
        "Attempts": restarts.attempts.unwrap_or(1),
        "Delay": duration_nanos(restarts.delay),
        "Interval": 60_000_000_000_u64,
        "Mode": if restarts.attempts.is_some() { "fail" } else { "delay" },
    });
    if version >= since::WORKLOAD_IDENTITY {
        policy["RenderTemplates"] = json!(false);
    }
    policy
}

fn reschedule_policy(spec: &JobSpec) -> Value {
    if spec.job_type == JobType::System {
        return Value::Null;
    }
    let Reschedule { attempts, delay } = spec.reschedule;
    json!({
        "Attempts": attempts.unwrap_or_default(),
        "Delay": duration_nanos(delay),
        "DelayFunction": if attempts.is_none() { "exponential" } else { "constant" },
        "Interval": if attempts.is_none() { 0 } else { 86_400_000_000_000_u64 },
        "MaxDelay": if attempts.is_none() { 3_600_000_000_000_u64 } else { 0 },
        "Unlimited": attempts.is_none(),
    })
}

fn task(spec: &JobSpec, task: &Task, version: Version) -> Value {
    let mut resources = json!({
        "CPU": task.cpu, "Cores": task.cores, "MemoryMB": task.memory_mb, "MemoryMaxMB": task.memory_max_mb,
        "DiskMB": 0, "IOPS": 0, "Networks": null, "Devices": devices(task),
    });
    add_newer_resources(&mut resources, version);
    let run_for = format!("{}s", spec.run_time.max.as_secs());
    let mut row = json!({
        "Name": task.name,
        "Driver": "docker",
        "Config": {"image": "build", "run_for": run_for},
        "Resources": resources,
        "Lifecycle": lifecycle(task),
        "RestartPolicy": restart_policy(spec.restarts, version),
        "LogConfig": {"MaxFiles": 10, "MaxFileSizeMB": 10},
        "KillTimeout": duration_nanos(spec.kill_timeout()),
        "KillSignal": "", "Kind": "", "User": "", "Leader": false, "ShutdownDelay": 0,
        "Affinities": null, "Artifacts": null, "CSIPluginConfig": null, "Constraints": null,
        "DispatchPayload": null, "Env": null, "Meta": null, "ScalingPolicies": null, "Services": null,
        "Templates": null, "Vault": null, "VolumeMounts": null,
    });
    if version >= since::WORKLOAD_IDENTITY {
        row["LogConfig"]["Disabled"] = json!(false);
        row["Identity"] = identity();
        for newer in ["Actions", "Consul", "Identities"] {
            row[newer] = Value::Null;
        }
    }
    if version >= since::V1_11 {
        row["Schedule"] = Value::Null;
        row["Secrets"] = Value::Null;
    }
    row
}

fn devices(task: &Task) -> Value {
    match task.gpus {
        0 => Value::Null,
        count => json!([{"Name": "nvidia/gpu", "Count": count, "Constraints": null, "Affinities": null}]),
    }
}

fn identity() -> Value {
    json!({
        "Name": "default", "Audience": ["nomadproject.io"], "ChangeMode": "", "ChangeSignal": "",
        "Env": false, "File": false, "Filepath": "", "ServiceName": "", "TTL": 0, "ExtraClaims": null,
    })
}
