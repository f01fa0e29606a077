//! Events of transactions, and changes without events.

use nomad_simulator::cluster::JobSpec;
use serde_json::{Value, json};

use crate::world::{build, empty, seconds};

use super::reader::{events, index, names};
use super::{EVERYTHING, idle};

/// Returns the object of the only event of this topic.
fn payload<'a>(line: &'a Value, topic: &str) -> &'a Value {
    let mut found = events(line).into_iter().filter(|event| event["Topic"] == topic);
    let event = found.next().unwrap_or_else(|| panic!("no {topic} in {line}"));
    assert!(found.next().is_none(), "{line}");
    &event["Payload"][topic]
}

#[tokio::test(start_paused = true)]
async fn events_report_a_build_from_its_submission_to_its_end() {
    let served = idle("2.0.5").await;
    let mut reader = served.subscribe(EVERYTHING).await;
    let before = reader.lines_so_far().await;
    served.cluster().submit(build("one").running_for(seconds(20)));
    served.cluster().advance(seconds(60));
    let lines = reader.lines_so_far().await;
    let kinds: Vec<_> = lines.iter().map(names).collect();
    let updated = ["Allocation/AllocationUpdated", "Node/AllocationUpdated"];
    let ended = ["Allocation/AllocationUpdated", "Node/AllocationUpdated", "Job/AllocationUpdated"];
    let expected: [&[&str]; 7] = [
        &["Job/JobRegistered"],
        &["Evaluation/JobRegistered"],
        &["Allocation/PlanResult", "Job/PlanResult"],
        &["Evaluation/EvaluationUpdated"],
        &updated,
        &updated,
        &ended,
    ];
    assert_eq!(kinds, expected);
    // A job and its evaluation are written by one message, but sent as two lines.
    assert_eq!(index(&lines[0]), index(&lines[1]));
    let indexes: Vec<u64> = before.iter().chain(&lines).map(index).collect();
    assert!(indexes.is_sorted(), "{indexes:?}");
    let status = |line: usize, topic, field: &str| payload(&lines[line], topic)[field].clone();
    assert_eq!([0, 2, 6].map(|line| status(line, "Job", "Status")), ["pending", "running", "dead"]);
    let clients = [2, 4, 5, 6].map(|line| status(line, "Allocation", "ClientStatus"));
    assert_eq!(clients, ["pending", "pending", "running", "complete"]);
    assert_eq!([1, 3].map(|line| status(line, "Evaluation", "Status")), ["pending", "complete"]);
    let allocation = events(&lines[2])[0];
    assert_eq!(allocation["FilterKeys"], json!(["one", ""]));
    assert_eq!((&allocation["Namespace"], &allocation["Index"]), (&json!("ci"), &lines[2]["Index"]));
    assert_eq!(allocation["Payload"]["Allocation"].get("Job"), None);
    assert_eq!(events(&lines[0])[0]["FilterKeys"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn payloads_equal_the_objects_that_the_api_returns() {
    let served = idle("2.0.5").await;
    served.cluster().submit(JobSpec::service("web").with_resources(100, 64));
    let mut reader = served.subscribe(EVERYTHING).await;
    served.cluster().advance(seconds(60));
    let lines = reader.lines_so_far().await;
    let newest = |topic: &str| -> Value {
        let all = lines.iter().rev().flat_map(events);
        all.filter(|event| event["Topic"] == topic)
            .map(|event| event["Payload"][topic].clone())
            .next()
            .expect(topic)
    };
    let (allocation, job, node) = (newest("Allocation"), newest("Job"), newest("Node"));
    let node_id = node["ID"].as_str().expect("an ID");
    let mut full = served.rows(&format!("/v1/node/{node_id}/allocations")).await.remove(0);
    full.as_object_mut().expect("an allocation").remove("Job");
    assert_eq!(allocation, full);
    assert_eq!(job, served.object("/v1/job/web").await);
    assert_eq!(node, served.object(&format!("/v1/node/{node_id}")).await);
    assert_eq!(newest("Evaluation"), served.rows("/v1/evaluations").await.pop().expect("an evaluation"));
    assert_eq!(newest("Deployment"), served.rows("/v1/deployments").await.remove(0));
}

#[tokio::test(start_paused = true)]
async fn deletions_are_reported_only_for_jobs() {
    let served = idle("2.0.5").await;
    served.cluster().submit(build("gone").running_for(seconds(5)));
    served.cluster().submit(build("purged"));
    served.cluster().advance(seconds(60));
    let mut reader = served.subscribe(EVERYTHING).await;
    reader.lines_so_far().await;
    served.cluster().garbage_collect();
    let lines = reader.lines_so_far().await;
    let kinds: Vec<_> = lines.iter().map(names).collect();
    assert_eq!(kinds, [["Job/JobBatchDeregistered"]]);
    assert_eq!(events(&lines[0])[0]["Payload"]["Deleted"], true);
    assert!(served.rows("/v1/allocations?namespace=ci").await.iter().all(|row| row["JobID"] == "purged"));
    served.cluster().stop_job("ci", "purged", true);
    let lines = reader.lines_so_far().await;
    let kinds: Vec<_> = lines.iter().map(names).collect();
    assert_eq!(kinds, [["Job/JobDeregistered"], ["Evaluation/JobDeregistered"]]);
    assert_eq!(events(&lines[0])[0]["Payload"]["Deleted"], true);
}

#[tokio::test(start_paused = true)]
async fn older_versions_do_not_report_that_a_job_was_deleted() {
    let served = idle("1.11.1").await;
    served.cluster().submit(build("purged"));
    served.cluster().advance(seconds(10));
    let mut reader = served.subscribe("namespace=*&topic=Job").await;
    reader.lines_so_far().await;
    served.cluster().stop_job("ci", "purged", true);
    let lines = reader.lines_so_far().await;
    let event = events(&lines[0])[0];
    assert_eq!((&event["Type"], event["Payload"].get("Deleted")), (&json!("JobDeregistered"), None));
    assert!(event["Payload"]["Job"]["ModifyIndex"].as_u64() < event["Index"].as_u64());
}

#[tokio::test(start_paused = true)]
async fn all_writes_of_a_plan_share_an_index() {
    let served = empty("2.0.5", 2).serve().await;
    let mut reader = served.subscribe("namespace=*&topic=Allocation&topic=Deployment").await;
    served.cluster().submit(JobSpec::service("web").with_count(3).with_resources(100, 64));
    served.cluster().advance(seconds(1));
    let lines = reader.lines_so_far().await;
    assert_eq!(events(&lines[0]).len(), 4, "{}", lines[0]);
    let rows = served.rows("/v1/allocations").await;
    assert!(rows.iter().all(|row| row["CreateIndex"] == lines[0]["Index"]));
}

#[tokio::test(start_paused = true)]
async fn a_drain_reports_its_node_and_the_allocations_to_migrate() {
    let served = empty("2.0.5", 2).serve().await;
    served.cluster().submit(JobSpec::service("web").with_resources(100, 64));
    served.cluster().advance(seconds(60));
    let node = served.rows("/v1/allocations").await[0]["NodeID"].as_str().expect("a node").to_owned();
    let mut reader = served.subscribe(EVERYTHING).await;
    reader.lines_so_far().await;
    served.cluster().drain(node.parse().expect("an ID"), Some(seconds(3600)), false);
    served.cluster().advance(seconds(1));
    let kinds: Vec<_> = reader.lines_so_far().await.iter().map(names).collect();
    assert_eq!(kinds[0], ["Node/NodeDrain"]);
    let desired = "AllocationUpdateDesiredStatus";
    assert_eq!(kinds[1], [format!("Allocation/{desired}"), format!("Evaluation/{desired}")]);
    let planned = kinds.iter().find(|kind| kind[0] == "Allocation/PlanResult").expect("a plan");
    assert_eq!(planned.len(), 2, "the old allocation and the new one: {planned:?}");
}
