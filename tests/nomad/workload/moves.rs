//! Jobs that move when clients are drained or lost.

use std::time::Duration;

use serde_json::json;

use super::specification::{Does, Group, Job, Task, nanos};
use super::{Becomes, Workload};
use crate::programs::Version;

const CI: &str = "ci";

/// Registers jobs on client-d, which will be drained: the first ends before the deadline of
/// [`DRAIN_DEADLINE`], the second is killed, and the third takes time to stop.
pub(crate) fn register(workload: &mut Workload<'_>) {
    for (id, does) in [
        ("finishes-in-drain", Does::Exit(8, 0)),
        ("drained-away", Does::Run),
        ("stops-slowly", Does::Linger(LINGERS.as_secs())),
    ] {
        let job = Job::batch(CI, id, Group::of(workload.task(does)));
        workload.add(job.on("client-d"), Becomes::Running(1));
    }
    // Nomad's own drain does not wait for it, because its allocation has failed by then.
    let upload = format!("until test -e {}; do sleep 0.2; done", workload.cluster.upload_ends().display());
    let upload = Task::script(&upload).named("upload").hooked("poststop", false);
    let build = workload.task(Does::Exit(1, 1));
    let job = Job::batch(CI, "uploads-in-drain", Group::new("build", &[build, upload]));
    workload.add(job.on("client-d"), Becomes::FailedAndRunning);
}

/// Deadline of the drain of client-d.
pub(crate) const DRAIN_DEADLINE: Duration = Duration::from_secs(14);
/// Time that `stops-slowly` takes to stop.
pub(crate) const LINGERS: Duration = Duration::from_secs(8);

/// Registers jobs on client-b, which will be lost for a while, and on client-c, which will be lost
/// permanently.
pub(crate) fn register_lost(workload: &mut Workload<'_>) {
    let hour = nanos(Duration::from_secs(3600));
    let survives = Group::of(workload.task(Does::Run));
    let survives = if workload.cluster.server.version >= Version(1, 8, 0) {
        survives.set("Disconnect", json!({"LostAfter": hour}))
    } else {
        survives.set("MaxClientDisconnect", hour)
    };
    workload.add(Job::service(CI, "survives", survives).on("client-b"), Becomes::Running(1));
    let lost = Job::batch(CI, "lost", Group::of(workload.task(Does::Run)));
    workload.add(lost.on("client-c"), Becomes::Running(1));
}
