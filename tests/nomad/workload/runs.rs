//! Running jobs: healthy and unhealthy services, system jobs, parents and their children.

use std::slice;
use std::time::Duration;

use serde_json::json;

use super::specification::{Does, Group, Job, Task};
use super::{Becomes, Workload};

/// Output of the job `logs` on stderr and stdout.
pub(crate) const LOG: [&str; 2] = ["first line\nsecond line\nthird line\n", "to stdout, and no end of line"];

/// Registers all of them.
pub(crate) fn register(workload: &mut Workload<'_>) {
    services(workload);
    let group = |does: Does| Group::of(workload.task(does));
    let (system, sysbatch) = (group(Does::Run), group(Does::Exit(1, 0)));
    // It also runs on client-b, which is in its own pool.
    let everywhere = |job: Job| if workload.cluster.has_pools() { job.set("NodePool", "all") } else { job };
    let system = everywhere(Job::new("system", "default", "on-every-client", &[system]));
    let sysbatch = everywhere(Job::new("sysbatch", "default", "once-on-every-client", &[sysbatch]));
    workload.add(system, Becomes::Running(4));
    workload.add(sysbatch, Becomes::Ended);

    let cron = json!({"Enabled": true, "SpecType": "cron", "Spec": "0 0 1 1 *", "TimeZone": "UTC"});
    let periodic = Job::batch("default", "yearly", Group::of(workload.task(Does::Exit(1, 0))));
    workload.add(periodic.set("Periodic", cron), Becomes::Running(0));
    let of_parameters = Job::batch("ci", "deploy", Group::of(workload.task(Does::Run)));
    workload.add(of_parameters.set("ParameterizedJob", json!({"Payload": "optional"})), Becomes::Running(0));
    let put = |path: &str| workload.cluster.api.put(path, &json!({}));
    put("/v1/job/yearly/periodic/force?namespace=default");
    let children = [(); 2].map(|()| put("/v1/job/deploy/dispatch?namespace=ci"));
    for child in children {
        workload.expect("ci", child["DispatchedJobID"].as_str().unwrap(), Becomes::Running(1));
    }

    let [stderr, stdout] = LOG;
    let script = format!("printf '%s' '{stderr}' >&2; printf '%s' '{stdout}'; exec sleep 86400");
    workload
        .add(Job::batch("ci", "logs", Group::of(Task::script(&script))).on("client-a"), Becomes::Running(1));
}

fn services(workload: &mut Workload<'_>) {
    let (run, fail) = (workload.task(Does::Run), workload.task(Does::Exit(1, 1)));
    let seconds = Duration::from_secs;
    // A task with every lifecycle, and memory oversubscription.
    let web = [
        workload.task(Does::Exit(1, 0)).named("setup").hooked("prestart", false).needs(300, 64),
        workload.task(Does::Run).named("proxy").hooked("prestart", true).needs(50, 32),
        run.clone().set("Resources", json!({"CPU": 100, "MemoryMB": 64, "MemoryMaxMB": 128})),
        workload.task(Does::Run).named("after").hooked("poststart", false).needs(30, 16),
        workload.task(Does::Exit(1, 0)).named("clean-up").hooked("poststop", false).needs(20, 16),
    ];
    let web = Group::new("web", &web).count(3);
    for namespace in ["default", "team-a"] {
        // Both have the same ID.
        workload.add(Job::new("service", namespace, "web", slice::from_ref(&web)), Becomes::Running(3));
    }
    let service = |id: &str, group: Group| Job::service("default", id, group);
    let crash_loop = Group::of(fail.clone()).restarted_after(seconds(15));
    workload.add(service("crash-loop", crash_loop).on("client-a"), Becomes::Restarting);
    let slowly = Group::of(fail.clone()).rescheduled_after(seconds(3600));
    workload.add(service("slow-crash-loop", slowly), Becomes::Delayed);
    workload.add(service("dead-service", Group::of(fail)), Becomes::Ended);
    workload.add(service("zero", Group::of(run.clone()).count(0)), Becomes::Ended);
    if workload.cluster.has_mock_driver {
        let never = json!({"run_for": "24h", "start_block_for": "24h"});
        let never = Group::of(Task::with_driver("mock_driver", never));
        workload.add(service("slow-start", never).on("client-a"), Becomes::Starting(1));
    } else {
        println!("  skipped: a task that never finishes starting (needs the mock driver)");
    }
    let of_old = Group::new("old", &[run.clone().needs(100_000, 16)]);
    let both = [Group::new("web", &[run]), of_old];
    workload.add(Job::new("service", "default", "removed-group", &both), Becomes::Blocked(1));
}

/// Removes the waiting group from its service.
pub(crate) fn change(workload: &mut Workload<'_>) {
    let left = Group::new("web", &[workload.task(Does::Run)]);
    workload.add(Job::new("service", "default", "removed-group", &[left]), Becomes::Running(1));
}
