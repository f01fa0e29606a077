//! Answers that refuse.

use bytes::Bytes;
use nomad_simulator::{ConnectionFault, Fault};

use super::driver::{Trial, Trouble};
use crate::support::recordings;

fn status(code: u16, body: &str) -> Fault {
    Fault::Status { code, body: body.to_owned() }
}

fn everything(fault: Fault) -> Trouble {
    Trouble::Answers(vec![(String::new(), fault)])
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_everywhere() {
    let refused = everything(status(403, "Permission denied"));
    // Then it is unknown what the token may read, and nothing more.
    let mut trial = Trial::all("403 to everything", refused, "forbidden");
    trial.down = ALL_BUT_TOKEN;
    trial.run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_once() {
    Trial::one("403 to one list", status(403, "Permission denied"), "forbidden").run().await;
}

const TOO_MANY: &str = "Your IP is issuing too many concurrent connections, please rate limit your calls\n";

/// What Nomad writes as soon as it has accepted one connection too many, before it reads anything.
#[tokio::test(flavor = "multi_thread")]
async fn throttled_and_closed() {
    let raw = format!(
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{TOO_MANY}",
        TOO_MANY.len()
    );
    let raw = Trouble::Connections(ConnectionFault::Raw(Bytes::from(raw)));
    // The peer closes before it has read the request: who is faster sees the answer, who is slower a reset.
    Trial::all("429, raw, and closed", raw, "throttled").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled() {
    Trial::one("429 to one list", status(429, TOO_MANY), "throttled").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_leader() {
    let lost = everything(status(500, "rpc error: No cluster leader"));
    // Who leads is then known: nobody.
    let mut trial = Trial::all("500, no leader", lost, "http");
    trial.down = ALL_BUT_LEADER;
    trial.run().await;
}

/// Every collector but `token`, which a refusal tells that it is unknown what the token may read.
const ALL_BUT_TOKEN: &[&str] = &[
    "servers",
    "namespaces",
    "jobs",
    "nodes",
    "allocations",
    "evaluations",
    "specifications",
    "drains",
    "host_stats",
    "finished_jobs",
    "finished_allocations",
    "task_states",
    "deployments",
    "leader",
    "autopilot",
    "scheduler",
];

/// Every collector but `leader`, which takes that answer for what it says.
const ALL_BUT_LEADER: &[&str] = &[
    "servers",
    "namespaces",
    "token",
    "jobs",
    "nodes",
    "allocations",
    "evaluations",
    "specifications",
    "drains",
    "host_stats",
    "finished_jobs",
    "finished_allocations",
    "task_states",
    "deployments",
    "autopilot",
    "scheduler",
];

#[tokio::test(flavor = "multi_thread")]
async fn not_implemented() {
    Trial::one("501", status(501, "Nomad Enterprise only endpoint"), "http").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_found() {
    Trial::one("404", status(404, ""), "not_found").run().await;
}

/// The token must not go where a redirect points.
#[tokio::test(flavor = "multi_thread")]
async fn redirected_elsewhere() {
    let elsewhere = recordings::replay("2.0.5").await;
    let redirect = Fault::Redirect(format!("{}/v1/evaluations", elsewhere.url()));
    Trial::one("307 to another host", redirect, "http").run().await;
    assert_eq!(elsewhere.requests().len(), 0, "a redirect was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_disappears() {
    let gone = everything(status(500, "No path to region"));
    Trial::all("the region disappears", gone, "http").with(&["--nomad.region", "global"]).run().await;
}
