//! The server itself: log, faults, compression.

use std::time::Duration;

use bytes::Bytes;
use nomad_simulator::{Fault, Recording, Simulator};
use tokio::time::timeout;

use crate::client::{get, send};
use crate::replay::folder;

async fn simulator() -> Simulator {
    let recording = Recording::load(&folder("2.0.5")).expect("a recording");
    Simulator::start(recording.into()).await.expect("a free port")
}

#[tokio::test]
async fn requests_are_logged_in_order() {
    let simulator = simulator().await;
    let url = simulator.url();
    get(&url, "/v1/jobs?namespace=*").await;
    let headers =
        [("X-Nomad-Token", "secret"), ("Authorization", "Bearer other"), ("Accept-Encoding", "gzip")];
    send(&url, "GET", "/v1/nodes", &headers).await.expect("an answer");
    send(&url, "GET", "/v1/regions", &headers[1..2]).await.expect("an answer");

    let log = simulator.requests();
    let targets: Vec<_> = log.iter().map(|request| (request.path.as_str(), request.query.as_str())).collect();
    assert_eq!(targets, [("/v1/jobs", "namespace=*"), ("/v1/nodes", ""), ("/v1/regions", "")]);
    let tokens: Vec<_> = log.iter().map(|request| request.token.as_deref()).collect();
    assert_eq!(tokens, [None, Some("secret"), Some("other")]);
    assert_eq!(log[1].accept_encoding.as_deref(), Some("gzip"));
    simulator.clear_requests();
    assert!(simulator.requests().is_empty());
}

#[tokio::test]
async fn the_longest_matching_fault_decides() {
    let simulator = simulator().await;
    let url = simulator.url();
    let faults = simulator.faults();
    faults.set("", Fault::Status { code: 500, body: "No cluster leader".to_owned() });
    faults.set("/v1/jobs", Fault::Body(Bytes::from_static(b"[{")));
    faults.set("/v1/jobs?namespace=ci", Fault::Status { code: 403, body: "Permission denied".to_owned() });
    assert_eq!(get(&url, "/v1/regions").await.text(), "No cluster leader");
    assert_eq!(get(&url, "/v1/jobs?namespace=*").await.text(), "[{");
    assert_eq!(get(&url, "/v1/jobs?namespace=ci").await.status, 403);
    faults.clear();
    assert_eq!(get(&url, "/v1/regions").await.text(), r#"["global"]"#);
}

#[tokio::test]
async fn answers_can_be_cut_closed_delayed_or_missing() {
    let simulator = simulator().await;
    let url = simulator.url();
    let faults = simulator.faults();
    faults.set("/v1/nodes", Fault::Truncate(100));
    assert!(send(&url, "GET", "/v1/nodes", &[]).await.is_err());
    faults.set("/v1/jobs", Fault::Close);
    assert!(send(&url, "GET", "/v1/jobs?namespace=*", &[]).await.is_err());
    faults.set("/v1/regions", Fault::Hang);
    assert!(timeout(Duration::from_millis(50), send(&url, "GET", "/v1/regions", &[])).await.is_err());
    faults.set("/v1/status", Fault::Delay(Duration::from_millis(20)));
    assert_eq!(get(&url, "/v1/status/leader").await.status, 200);
}

#[tokio::test]
async fn a_cut_answer_keeps_its_headers_and_first_bytes() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let simulator = simulator().await;
    simulator.faults().set("/v1/nodes", Fault::Truncate(10));
    let address = simulator.url().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    stream.write_all(b"GET /v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("a request");
    let mut raw = String::new();
    stream.read_to_string(&mut raw).await.expect("the response ends early but cleanly");
    let (head, body) = raw.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("X-Nomad-Index"), "{head}");
    assert_eq!(body.len(), 10);
}

#[tokio::test]
async fn age_and_leader_can_be_faked() {
    let simulator = simulator().await;
    let url = simulator.url();
    simulator.faults().set("/v1/nodes", Fault::LastContact(Duration::from_secs(42)));
    assert_eq!(get(&url, "/v1/nodes").await.header("x-nomad-lastcontact"), Some("42000"));
    simulator.faults().set("/v1/nodes", Fault::NoLeader);
    assert_eq!(get(&url, "/v1/nodes").await.header("x-nomad-knownleader"), Some("false"));
}

#[tokio::test]
async fn only_the_exact_token_gzip_compresses() {
    let simulator = simulator().await;
    let url = simulator.url();
    let plain = get(&url, "/v1/nodes").await;
    assert_eq!(plain.header("content-encoding"), None);
    for accepted in ["gzip", "deflate, gzip"] {
        let reply =
            send(&url, "GET", "/v1/nodes", &[("Accept-Encoding", accepted)]).await.expect("an answer");
        assert_eq!(reply.header("content-encoding"), Some("gzip"), "{accepted}");
        assert_eq!(reply.gunzipped(), plain.body);
    }
    let weighted =
        send(&url, "GET", "/v1/nodes", &[("Accept-Encoding", "gzip;q=1")]).await.expect("an answer");
    assert_eq!(weighted.header("content-encoding"), None);
}

#[tokio::test]
async fn a_stopped_server_is_gone() {
    let simulator = simulator().await;
    let url = simulator.url();
    get(&url, "/v1/regions").await;
    simulator.stop().await;
    assert!(send(&url, "GET", "/v1/regions", &[]).await.is_err());
}
