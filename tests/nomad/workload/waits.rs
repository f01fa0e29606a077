//! Waiting jobs, with every reason.

use serde_json::json;

use super::specification::{Does, Group, Job};
use super::{Becomes, Workload};
use crate::cluster::RESERVED_PORT;

const CI: &str = "ci";

/// Registers jobs that wait for each reason that is possible with four clients.
pub(crate) fn register(workload: &mut Workload<'_>) {
    let run = || workload.task(Does::Run);
    let resources = |resources| Group::of(run().set("Resources", resources));
    let waits = [
        Job::batch(CI, "wants-cpu", Group::of(run().needs(100_000, 16))),
        Job::batch(CI, "wants-memory", Group::of(run().needs(20, 100_000))),
        Job::batch(CI, "wants-disk", Group::of(run()).set("EphemeralDisk", json!({"SizeMB": 1_000_000_000}))),
        Job::batch(CI, "wants-cores", resources(json!({"Cores": 1000, "MemoryMB": 16}))),
        Job::batch(
            CI,
            "wants-device",
            resources(json!({"CPU": 20, "MemoryMB": 16, "Devices": [{"Name": "gpu", "Count": 1}]})),
        ),
        Job::batch(
            CI,
            "wants-volume",
            Group::of(run())
                .set("Volumes", json!({"cache": {"Name": "cache", "Type": "host", "Source": "cache"}})),
        ),
        Job::batch(CI, "wants-constraint", Group::of(run())).constrained("${attr.kernel.name}", "plan9"),
        Job::batch(CI, "wants-nodes", Group::of(run())).set("Datacenters", json!(["nowhere"])),
    ];
    let part = Job::batch("team-a", "waits-for-room", Group::of(run().needs(1000, 64)).count(6));
    // The clients reserve this port.
    let port = json!([{"Mode": "host", "ReservedPorts": [{"Label": "http", "Value": RESERVED_PORT}]}]);
    let port = Job::service("team-a", "wants-port", Group::of(run()).set("Networks", port));
    for job in waits {
        workload.add(job, Becomes::Blocked(0));
    }
    workload.add(part.on("client-c"), Becomes::Blocked(3));
    workload.add(port.on("client-a"), Becomes::Blocked(0));
}

/// Registers a job that no scheduler processes, because scheduling is paused, and evaluates a finished one
/// again.
pub(crate) fn register_unseen(workload: &mut Workload<'_>) {
    let job = Job::batch(CI, "wants-a-scheduler", Group::of(workload.task(Does::Run)));
    workload.add(job, Becomes::Unseen);
    let path = "/v1/job/finished-1/evaluate?namespace=ci";
    workload.cluster.api.put(path, &json!({"JobID": "finished-1", "Namespace": CI}));
    workload.expect(CI, "finished-1", Becomes::Unseen);
}

/// Sets the expected states of both after scheduling is resumed.
pub(crate) fn see(workload: &mut Workload<'_>) {
    workload.expect(CI, "wants-a-scheduler", Becomes::Running(1));
    workload.expect(CI, "finished-1", Becomes::Ended);
}
