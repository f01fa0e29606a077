//! Connections that fail, hang, are slow or break.

use std::time::Duration;

use bytes::Bytes;
use nomad_simulator::{ConnectionFault, Fault};

use super::driver::{Trial, Trouble};

/// Short, because the tests wait for several of them, but longer than other requests take on a busy machine: without the
/// fault, nothing may fail. Data expires after a request and its retries.
const IMPATIENT: [&str; 4] = ["--nomad.timeout", "2s", "--collect.max-age-intervals", "16"];

fn everything(fault: Fault) -> Trouble {
    Trouble::Answers(vec![(String::new(), fault)])
}

#[tokio::test(flavor = "multi_thread")]
async fn nomad_dies_and_comes_back() {
    Trial::all("Nomad dies; connections are refused", Trouble::Death, "connect").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_closed_at_once() {
    let closed = ConnectionFault::Raw(Bytes::new());
    Trial::all("closes every connection", Trouble::Connections(closed), "connect").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_accepted_and_never_read() {
    let silent = Trouble::Connections(ConnectionFault::Silent);
    Trial::all("accepts and never reads", silent, "timeout").with(&IMPATIENT).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_get_no_response() {
    Trial::all("reads and never answers", everything(Fault::Hang), "timeout").with(&IMPATIENT).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_list_gets_no_response() {
    Trial::one("never answers one list", Fault::Hang, "timeout").with(&IMPATIENT).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_a_second() {
    let drip = Fault::Drip(Duration::from_secs(1));
    Trial::one("one byte a second", drip, "timeout").with(&IMPATIENT).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body() {
    let drip = Fault::Drip(Duration::from_millis(50));
    Trial::one("a byte every 50 ms", drip, "timeout").with(&IMPATIENT).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_cut_in_the_middle() {
    Trial::one("cuts the body in the middle", Fault::Truncate(200), "connect").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_closed_without_a_response() {
    Trial::one("closes instead of an answer", Fault::Close, "connect").run().await;
}
