//! Jobs that end in every way.

use std::time::Duration;

use serde_json::json;

use super::specification::{Does, Group, Job, Task, nanos};
use super::{Becomes, Workload};
use crate::programs::Version;

const CI: &str = "ci";

/// Registers jobs that end by themselves.
pub(crate) fn register(workload: &mut Workload<'_>) {
    for (id, does) in [
        ("finished-1", Does::Exit(1, 0)),
        ("finished-2", Does::Exit(1, 0)),
        ("exit-1", Does::Exit(1, 1)),
        ("signal-9", Does::Die(1)),
        ("driver-fails", Does::FailToStart),
    ] {
        let group = Group::of(workload.task(does));
        workload.add(Job::batch(CI, id, group), Becomes::Ended);
    }
    let ends = |id: &str, group: Group| (Job::batch(CI, id, group), Becomes::Ended);
    let run = || workload.task(Does::Run);

    // Nothing listens on port 1.
    let artifact = json!([{"GetterSource": "http://127.0.0.1:1/nothing.tar.gz", "RelativeDest": "local/"}]);
    let no_artifact = ends("artifact-fails", Group::of(run().set("Artifacts", artifact)));
    let unknown_setting = Task::with_driver("raw_exec", json!({"no_such_setting": true}));
    let not_valid = ends("validation-fails", Group::of(unknown_setting));
    // A template outside of the task's folder is rejected during the setup of the task.
    let template = json!([{"SourcePath": "/nowhere/template", "DestPath": "local/file"}]);
    let no_setup = ends("setup-fails", Group::of(run().set("Templates", template)));
    let helper = run().named("helper");
    let fails = workload.task(Does::Exit(2, 1));
    let sibling = ends("sibling-fails", Group::new("build", &[fails.clone(), helper]));
    let prestart = workload.task(Does::Exit(1, 1)).named("setup").hooked("prestart", false);
    let never_started = ends("prestart-fails", Group::new("build", &[prestart, run()]));
    // It fails the first time, and succeeds the second time, because of its file.
    let mark = workload.cluster.folder.join("client-a/retried");
    let mark = format!("test -e {0} && exit 0; touch {0}; exit 1", mark.display());
    let retried = Group::of(Task::script(&mark)).rescheduled_after(Duration::from_secs(5));
    let retried = (Job::batch(CI, "retried", retried).on("client-a"), Becomes::Ended);
    for (job, becomes) in [no_artifact, not_valid, no_setup, sibling, never_started, retried] {
        workload.add(job, becomes);
    }

    let later = Group::of(workload.task(Does::Exit(1, 1))).rescheduled_after(Duration::from_secs(3600));
    workload.add(Job::batch(CI, "waits-to-be-retried", later), Becomes::Delayed);
    let upload = workload.task(Does::Run).named("upload").hooked("poststop", false);
    let build = workload.task(Does::Exit(1, 1));
    let job = Job::batch(CI, "still-uploading", Group::new("build", &[build, upload]));
    workload.add(job.on("client-b"), Becomes::FailedAndRunning);
    if workload.cluster.is_at_least(Version(2, 0, 3)) {
        // The start time counts too.
        let limit = nanos(Duration::from_secs(8));
        let group = Group::of(workload.task(Does::Run)).set("MaxRunDuration", limit);
        workload.add(Job::batch(CI, "too-long", group), Becomes::Ended);
    } else {
        println!("  skipped: a job that exceeds its max_run_duration (needs Nomad 2.0.3)");
    }

    // Jobs that are ended or registered again later.
    for (id, client) in [("stopped", "client-a"), ("preempted", "client-b")] {
        let cpu = if id == "preempted" { 2500 } else { 20 };
        let job = Job::batch(CI, id, Group::of(workload.task(Does::Run).needs(cpu, 16)));
        workload.add(job.on(client).set("Priority", 10), Becomes::Running(1));
    }
    let lingers = Job::batch(CI, "dies-slowly", Group::of(workload.task(Does::Linger(1200))));
    workload.add(lingers.on("client-a"), Becomes::Running(1));
    let nightly = Job::batch("default", "nightly-run", Group::of(workload.task(Does::Exit(1, 1))));
    workload.add(nightly, Becomes::Ended);
}

/// Ends jobs, and registers failed ones again.
pub(crate) fn change(workload: &mut Workload<'_>) {
    workload.stop(CI, "stopped");
    workload.expect(CI, "stopped", Becomes::Ended);
    workload.stop(CI, "dies-slowly");
    workload.expect(CI, "dies-slowly", Becomes::Stopping);

    // Not before: if the batch scheduler preempts, Nomad no longer reports which constraint a waiting job
    // fails.
    workload.cluster.configure_scheduler(&json!({"BatchSchedulerEnabled": true}), false);
    let urgent = Job::batch(CI, "preempts", Group::of(workload.task(Does::Run).needs(2500, 16)));
    workload.add(urgent.on("client-b").set("Priority", 90), Becomes::Running(1));
    workload.expect(CI, "preempted", Becomes::Blocked(0));

    let nightly = Job::batch("default", "nightly-run", Group::of(workload.task(Does::Exit(1, 0))));
    workload.add(nightly, Becomes::Ended);
}
