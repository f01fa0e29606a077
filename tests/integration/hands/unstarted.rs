//! Logs of tasks that never started, with data of a real Nomad.

use nomad_simulator::{Fault, Simulator};
use serde_json::{Value, json};

use super::{Ended, command, ended};
use crate::support::{read, recordings};

const RECORDING: &str = "2.0.5-outcomes";

/// The recorded cluster.
struct World {
    simulator: Simulator,
    job: &'static str,
}

impl World {
    /// The job endpoints of most jobs were not recorded; their responses are derived from the list of
    /// allocations.
    async fn new(job: &'static str) -> Self {
        let world = Self { simulator: recordings::replay(RECORDING).await, job };
        let rows = recordings::rows(RECORDING, "allocations-namespace.json");
        let rows: Vec<Value> = rows.into_iter().filter(|row| row["JobID"] == job).collect();
        let tasks = rows[0]["TaskStates"].as_object().unwrap().keys();
        let task = |name: &String| match name.as_str() {
            "setup" => json!({"Name": name, "Lifecycle": {"Hook": "prestart"}}),
            _ => json!({"Name": name}),
        };
        let group = json!({"Name": rows[0]["TaskGroup"], "Tasks": tasks.map(task).collect::<Vec<_>>()});
        world.answers("?", &json!({"TaskGroups": [group]}));
        world.answers("/allocations", &rows.into());
        let refusal = read(&format!("tests/fixtures/recordings/{RECORDING}/logs-{job}-build-agent.txt"));
        world.simulator.faults().set("/v1/client/fs/logs/", Fault::Status { code: 404, body: refusal });
        world
    }

    fn answers(&self, part: &str, body: &Value) {
        let body = Fault::Body(body.to_string().into());
        self.simulator.faults().set(&format!("/v1/job/{}{part}", self.job), body);
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        ended(command(&self.simulator, &[&["logs", self.job], arguments].concat()).spawn().unwrap()).await
    }

    /// Returns the message after the title, which is the same with --follow.
    async fn says(&self) -> String {
        let mut said = Vec::new();
        for arguments in [&[][..], &["--follow"], &["--tail", "5", "--follow"]] {
            let ended = self.run(arguments).await;
            assert_eq!((ended.code, &ended.stdout[..]), (Some(1), &b""[..]), "{}", ended.stderr);
            let (title, rest) = ended.stderr.split_once('\n').unwrap();
            assert!(title.starts_with(&format!("{}: stderr of task build-agent, ", self.job)), "{title}");
            said.push(rest.to_owned());
        }
        said.dedup();
        assert_eq!(said.len(), 1, "{said:?}");
        said.remove(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_failed_before_it_started_is_explained() {
    for (job, allocation, event) in [
        (
            "driver-failure",
            "e7b3c202",
            "2026-11-25 21:25:53 UTC  Driver Failure: failed to launch command with executor: rpc error: code = Unknown \
             desc = binary \"/no/such/program\" could not be found",
        ),
        (
            "bad-config",
            "2016fc71",
            "2026-11-25 21:25:52 UTC  Failed Validation: 2 errors occurred: * failed to parse config: * Incorrect \
             attribute value type: Inappropriate value for attribute \"exit_code\": number required, but have bool.",
        ),
    ] {
        let time = &event[..23];
        let expected = format!(
            "nomad-exporter: task `build-agent` of allocation {allocation} on client-b failed before it started, so \
             it has no log; its last events\n  {event}\n  {time}  Not Restarting: Policy allows no restarts\n"
        );
        assert_eq!(World::new(job).await.says().await, expected);
    }
    let said = World::new("artifact").await.says().await;
    assert!(
        said.contains("\n  2026-11-25 21:25:52 UTC  Failed Artifact Download: failed to download"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_waits_for_a_failed_one_is_explained() {
    let world = World::new("prestart-fails").await;
    let expected = "nomad-exporter: task `build-agent` of allocation 6c70d436 on client-b did not start because task \
                    `setup` failed, so it has no log; see --task setup; the last events of `setup`\n  2026-11-25 \
                    21:25:53 UTC  Terminated: Exit Code: 3\n  2026-11-25 21:25:53 UTC  Not Restarting: Policy allows \
                    no restarts\n";
    assert_eq!(world.says().await, expected);
}

/// The command waits for a task as long as it may start: its restart policy may allow another attempt.
#[tokio::test(flavor = "multi_thread")]
async fn follow_ends_when_its_task_will_never_start() {
    let world = World::new("driver-failure").await;
    let mut rows = recordings::rows(RECORDING, "allocations-namespace.json");
    rows.retain(|row| row["JobID"] == world.job);
    let failed = Value::from(rows);
    let mut waits = failed.clone();
    waits[0]["ClientStatus"] = "pending".into();
    let task = &mut waits[0]["TaskStates"]["build-agent"];
    (task["State"], task["Failed"]) = ("pending".into(), false.into());
    world.answers("/allocations", &waits);

    let once = world.run(&[]).await;
    assert_eq!(once.code, Some(1));
    let said = "has not started yet, so it has no log; give --follow to wait for it; its last events\n  2026-11-25 21:25:53 \
                UTC  Driver Failure: ";
    assert!(once.stderr.contains(said), "{}", once.stderr);

    let following = command(&world.simulator, &["logs", world.job, "--follow"]).spawn().unwrap();
    let logs =
        || world.simulator.requests().iter().filter(|it| it.path.starts_with("/v1/client/fs/")).count();
    let before = logs();
    while logs() < before + 3 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    world.answers("/allocations", &failed);
    let ended = ended(following).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let note = "\nwaiting for the task to start; its last event: 2026-11-25 21:25:53 UTC  Not Restarting: ";
    assert_eq!(ended.stderr.matches(note).count(), 1, "once: {}", ended.stderr);
    assert!(
        ended.stderr.contains(" failed before it started, so it has no log; its last events\n"),
        "{}",
        ended.stderr
    );
}
