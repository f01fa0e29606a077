//! Lifecycle of jobs.

use std::collections::BTreeMap;

use nomad_simulator::cluster::{JobKey, JobSpec, JobStatus, JobType, Outcome, Reschedule};
use serde_json::{Value, json};

use crate::world::{HOUR, World, build, empty, seconds};

/// Returns the status of a job that is the only one of its type.
fn status(world: &World, id: &str) -> Option<JobStatus> {
    let ledger = world.cluster.ledger();
    let record = ledger.history.iter().find(|record| record.key.id == id).expect("submitted");
    let mut counted = ledger.jobs.keys().filter(|(_, job_type, _)| *job_type == record.job_type);
    counted.next().map(|(_, _, status)| *status)
}

fn outcome(world: &World, id: &str) -> Option<Outcome> {
    let ledger = world.cluster.ledger();
    let record = ledger.history.iter().find(|record| record.key.id == id).expect("submitted");
    record.completion.map(|completion| completion.outcome)
}

#[test]
fn a_build_is_pending_then_running_then_dead() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("b").running_for(seconds(10)));
    assert_eq!(status(&world, "b"), Some(JobStatus::Pending));
    world.cluster.advance(std::time::Duration::from_millis(200));
    assert_eq!(
        status(&world, "b"),
        Some(JobStatus::Running),
        "a job with a placed allocation is running, started or not"
    );
    world.cluster.advance(seconds(15));
    assert_eq!(status(&world, "b"), Some(JobStatus::Dead));
    assert_eq!(outcome(&world, "b"), Some(Outcome::Complete));
}

#[test]
fn a_failed_build_is_dead_unless_it_is_tried_again() {
    let mut world = empty("2.0.5", 1);
    let job = build("b").running_for(seconds(5));
    world
        .cluster
        .submit(JobSpec { reschedule: Reschedule { attempts: Some(1), delay: seconds(10) }, ..job.clone() });
    world.cluster.fail_next_allocations("ci", "b", 1);
    world.cluster.advance(seconds(10));
    assert_eq!(status(&world, "b"), Some(JobStatus::Pending), "it waits to be rescheduled");
    world.cluster.advance(seconds(20));
    assert_eq!(status(&world, "b"), Some(JobStatus::Dead));
    assert_eq!(
        outcome(&world, "b"),
        Some(Outcome::Complete),
        "the replacement of the failed allocation counts"
    );
    let completion = world.cluster.ledger().history[0].completion.expect("it is dead");
    assert_eq!(completion.by_summary, Outcome::Failed, "the summary keeps the failure");

    world.cluster.submit(JobSpec { id: "once".to_owned(), ..job.failing(1.0) });
    world.cluster.advance(seconds(10));
    assert_eq!(outcome(&world, "once"), Some(Outcome::Failed));
}

#[tokio::test]
async fn a_failing_service_is_tried_later_and_later() {
    let mut world = empty("1.4.14", 1);
    world.cluster.submit(JobSpec::service("crashy").failing(1.0).running_for(seconds(1)));
    world.cluster.advance(seconds(120));
    assert_eq!(status(&world, "crashy"), Some(JobStatus::Pending), "1.4 does not keep the deployment");
    let served = world.serve().await;
    let rows = served.rows("/v1/job/crashy/allocations").await;
    assert_eq!(rows.len(), 3, "after 30 and 60 more seconds");
    let tries = |row: &Value| row["RescheduleTracker"]["Events"].as_array().map_or(0, Vec::len);
    let mut tried: Vec<_> = rows.iter().map(tries).collect();
    tried.sort_unstable();
    assert_eq!(tried, [0, 1, 2]);
    let waiting = served.rows("/v1/evaluations?namespace=*&status=pending").await;
    assert_eq!(waiting[0]["StatusDescription"], "created for delayed rescheduling");
    assert!(waiting[0]["WaitUntil"].is_string());
}

#[tokio::test]
async fn deployments_succeed_or_fail() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(JobSpec::service("web").with_count(2));
    world.cluster.submit(JobSpec::service("crashy").failing(1.0).running_for(seconds(1)));
    world.cluster.advance(seconds(5));
    let served = world.serve().await;
    let statuses = async || {
        let rows = served.rows("/v1/deployments?namespace=*").await;
        let pairs = rows.iter().map(|row| (row["JobID"].clone(), row["Status"].clone()));
        pairs.map(|(job, status)| (job.to_string(), status.to_string())).collect::<BTreeMap<_, _>>()
    };
    let pairs = |web: &str, crashy: &str| {
        let quoted = |text: &str| format!("{text:?}");
        BTreeMap::from([(quoted("web"), quoted(web)), (quoted("crashy"), quoted(crashy))])
    };
    assert_eq!(statuses().await, pairs("running", "running"));
    served.cluster().advance(seconds(20));
    assert_eq!(statuses().await, pairs("successful", "running"));
    served.cluster().advance(seconds(600));
    assert_eq!(statuses().await, pairs("successful", "failed"));
}

#[tokio::test]
async fn a_stopped_job_is_dead_and_its_allocations_stop() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(JobSpec::service("web").with_count(2));
    world.cluster.advance(seconds(20));
    world.cluster.stop_job("default", "web", false);
    world.cluster.advance(seconds(1));
    assert_eq!(status(&world, "web"), Some(JobStatus::Dead), "although its allocations still stop");
    assert_eq!(outcome(&world, "web"), Some(Outcome::Stopped));
    world.cluster.advance(seconds(10));
    let served = world.serve().await;
    let rows = served.rows("/v1/allocations").await;
    assert!(rows.iter().all(|row| row["DesiredStatus"] == "stop" && row["ClientStatus"] == "complete"));
    let job = served.rows("/v1/jobs").await.remove(0);
    assert_eq!((&job["Stop"], &job["Status"]), (&json!(true), &json!("dead")));
    let summary = &job["JobSummary"]["Summary"]["group"];
    assert_eq!((&summary["Complete"], &summary["Running"]), (&json!(2), &json!(0)));
}

#[test]
fn a_purge_is_not_a_completion() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("b"));
    world.cluster.advance(seconds(5));
    world.cluster.stop_job("ci", "b", true);
    let ledger = world.cluster.ledger();
    assert!(ledger.jobs.is_empty() && ledger.history[0].purged);
    assert_eq!(ledger.history[0].completion, None);
    world.cluster.advance(seconds(10));
    assert!(world.cluster.ledger().loads[&world.nodes[0]].live.is_empty(), "its allocation has stopped");
}

#[tokio::test]
async fn templates_run_and_their_children_work() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(JobSpec::batch("nightly").every(seconds(60)).running_for(seconds(20)));
    world.cluster.submit(JobSpec::batch("deploy").dispatched().running_for(HOUR));
    assert_eq!(world.cluster.dispatch(&JobKey::new("default", "nightly")), None, "not a parameterized job");
    let child = world.cluster.dispatch(&JobKey::new("default", "deploy")).expect("a child");
    let shape = child
        .strip_prefix("deploy/dispatch-")
        .and_then(|rest| rest.split_once('-'))
        .expect("as Nomad has it");
    assert!(shape.0.parse::<u64>().is_ok() && shape.1.len() == 8, "{child}");
    world.cluster.advance(seconds(150));
    let ledger = world.cluster.ledger();
    let running = BTreeMap::from([(("default".to_owned(), JobStatus::Running), 1)]);
    assert_eq!((ledger.periodic, ledger.parameterized), (running.clone(), running));
    assert_eq!(ledger.history.len(), 3, "two launches and one dispatch, without their parents");

    let served = world.serve().await;
    let rows = served.rows("/v1/jobs?filter=ParentID+!=+%60%60").await;
    assert!(rows[0]["ID"].as_str().is_some_and(|id| id == child) && rows[0]["ParentID"] == "deploy");
    assert!(rows[1]["ID"].as_str().is_some_and(|id| id.starts_with("nightly/periodic-")));
    let summary = served.object("/v1/job/nightly/summary").await;
    assert_eq!(summary["Children"], json!({"Pending": 0, "Running": 0, "Dead": 2}));
    for spelled in [child.clone(), child.replace('/', "%2F")] {
        let job = served.object(&format!("/v1/job/{spelled}")).await;
        assert_eq!((&job["ID"], &job["ParentID"]), (&json!(child), &json!("deploy")));
        assert_eq!(served.rows(&format!("/v1/job/{spelled}/allocations")).await.len(), 1);
    }
}

#[tokio::test]
async fn a_job_submitted_again_is_a_new_version() {
    let mut world = empty("2.0.5", 1);
    let nightly = JobSpec::batch("nightly").every(seconds(60)).running_for(seconds(20));
    for _ in 0..2 {
        world.cluster.submit(nightly.clone());
        world.cluster.submit(JobSpec::service("web").with_resources(50, 50));
        world.cluster.advance(seconds(20));
    }
    world.cluster.advance(seconds(130));
    let launches = world.cluster.ledger().history.iter().filter(|record| record.parent.is_some()).count();
    assert_eq!(launches, 2, "one series of launches");
    let served = world.serve().await;
    assert_eq!(served.object("/v1/job/web").await["Version"], 1);
    let rows = served.rows("/v1/job/web/allocations").await;
    let running: Vec<_> = rows.iter().filter(|row| row["ClientStatus"] == "running").collect();
    assert_eq!((rows.len(), running.len(), &running[0]["JobVersion"]), (2, 1, &json!(1)));
}

#[test]
fn garbage_is_collected_by_age() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("b").running_for(seconds(10)));
    world.cluster.advance(3 * HOUR);
    assert_eq!(world.cluster.ledger().jobs.len(), 1, "dead jobs stay four hours");
    world.cluster.advance(2 * HOUR);
    let ledger = world.cluster.ledger();
    assert!(ledger.jobs.is_empty() && ledger.allocations.is_empty());
    assert!(
        ledger.history[0].purged && ledger.history[0].completion.is_some(),
        "the history keeps everything"
    );
}

#[tokio::test]
async fn garbage_is_collected_on_demand() {
    let mut world = empty("2.0.5", 2);
    world.cluster.submit(build("done").running_for(seconds(10)));
    world.cluster.submit(build("blocked").with_resources(90_000, 1));
    world.cluster.submit(JobSpec::service("web"));
    world.cluster.advance(seconds(60));
    world.cluster.garbage_collect();
    let served = world.serve().await;
    let ids: Vec<_> =
        served.rows("/v1/jobs?namespace=*").await.iter().map(|row| row["ID"].to_string()).collect();
    assert_eq!(ids, ["\"blocked\"", "\"web\""]);
    assert_eq!(served.rows("/v1/evaluations?namespace=*&status=blocked").await.len(), 1, "never collected");
    assert_eq!(served.rows("/v1/allocations?namespace=*").await.len(), 1, "running allocations stay");
    served.cluster().advance(seconds(60));
    assert_eq!(served.rows("/v1/allocations?namespace=*").await.len(), 1, "and are not replaced");
}

#[test]
fn a_dead_child_stays_counted_when_it_is_collected() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(JobSpec::batch("deploy").dispatched().running_for(seconds(5)));
    world.cluster.dispatch(&JobKey::new("default", "deploy")).expect("a child");
    world.cluster.advance(seconds(20));
    world.cluster.garbage_collect();
    let ledger = world.cluster.ledger();
    assert!(ledger.jobs.is_empty() && ledger.history[0].purged);
    assert_eq!(ledger.history[0].job_type, JobType::Batch);
}
