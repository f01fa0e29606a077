//! Logs of tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use nomad_simulator::cluster::{Acl, AllocationId, LogStream, Policy};
use nomad_simulator::{Cluster, Fault, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{get, send};
use crate::world::{Served, World, build, empty, node, seconds};

/// Creates a node with a running build.
async fn busy() -> (Served, AllocationId) {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("build"));
    world.cluster.advance(seconds(20));
    let served = world.serve().await;
    let allocation = served.cluster().allocations_of("ci", "build")[0];
    (served, allocation)
}

fn target(allocation: AllocationId, rest: &str) -> String {
    format!("/v1/client/fs/logs/{allocation}?task=main&type=stderr&{rest}")
}

#[tokio::test]
async fn a_log_is_read_from_either_end() {
    let (served, allocation) = busy().await;
    served.cluster().write_log(allocation, "main", LogStream::Stderr, b"one\ntwo\n\xff\x00");
    let url = served.simulator.url();
    for (rest, expected) in [
        ("plain=true", &b"one\ntwo\n\xff\x00"[..]),
        ("plain=true&offset=4", b"two\n\xff\x00"),
        ("plain=true&origin=end&offset=2", b"\xff\x00"),
        ("plain=true&origin=end&offset=2000", b"one\ntwo\n\xff\x00"),
        ("plain=true&offset=2000", b""),
    ] {
        let reply = get(&url, &target(allocation, rest)).await;
        assert_eq!((reply.status, reply.body.as_slice()), (200, expected), "{rest}");
    }
    let frame = get(&url, &target(allocation, "")).await.json();
    let data = BASE64_STANDARD.decode(frame["Data"].as_str().expect("data")).expect("base64");
    assert_eq!(data, b"one\ntwo\n\xff\x00");
    assert_eq!(frame["File"], "alloc/logs/main.stderr.0");
}

#[tokio::test]
async fn a_task_says_something_by_itself() {
    let (served, allocation) = busy().await;
    let reply = get(&served.simulator.url(), &target(allocation, "plain=true")).await;
    assert!(reply.text().starts_with("build.group[0] main begins on client-a\n[     5s] step 1 done\n"));
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_refused_in_nomads_words() {
    let (served, allocation) = busy().await;
    let url = served.simulator.url();
    let nobody = "00000000-0000-0000-0000-000000000000";
    let of = |allocation: &str, query: &str| format!("/v1/client/fs/logs/{allocation}?{query}");
    let id = allocation.to_string();
    for (target, status, text) in [
        (of(nobody, "task=main&type=stderr"), 404, format!("Unknown allocation {nobody:?}")),
        (of(&id, "task=other&type=stderr"), 400, "unknown task name \"other\"".to_owned()),
        (of(&id, "type=stderr"), 400, "must provide task name".to_owned()),
        (of(&id, "task=main"), 400, "log type must be stdout or stderr".to_owned()),
    ] {
        let reply = get(&url, &target).await;
        assert_eq!((reply.status, reply.text()), (status, text.as_str()), "{target}");
    }
    served.cluster().node_down(served.nodes[0]);
    assert_eq!(get(&url, &target(allocation, "")).await.text(), "No path to node");
}

#[tokio::test]
async fn a_task_that_has_not_started_has_no_log() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("build"));
    world.cluster.advance(Duration::from_millis(200));
    let served = world.serve().await;
    let allocation = served.cluster().allocations_of("ci", "build")[0];
    let reply = get(&served.simulator.url(), &target(allocation, "")).await;
    let text = "task \"main\" not started yet. No logs available";
    assert_eq!((reply.status, reply.text()), (404, text));
}

#[tokio::test]
async fn logs_need_a_right_of_their_own() {
    let tokens = [("read", Policy::exporter()), ("logs", Policy::operator())];
    let acl = Acl::On(BTreeMap::from(tokens.map(|(token, policy)| (token.to_owned(), policy))));
    let mut cluster = Cluster::new(Settings { acl, ..Settings::default() });
    let nodes = vec![cluster.register_node(node(0))];
    cluster.submit(build("build"));
    cluster.advance(seconds(20));
    let served = World { cluster, nodes }.serve().await;
    let allocation = served.cluster().allocations_of("ci", "build")[0];
    for (token, status) in [("read", 403), ("logs", 200)] {
        let headers = [("X-Nomad-Token", token)];
        let reply = send(&served.simulator.url(), "GET", &target(allocation, ""), &headers).await;
        assert_eq!(reply.expect("an answer").status, status, "{token}");
    }
}

#[tokio::test]
async fn a_followed_log_goes_on_until_its_connection_breaks() {
    let (served, allocation) = busy().await;
    let address = served.simulator.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let target = target(allocation, "follow=true&plain=true&origin=end");
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.expect("sent");
    let mut raw = [0; 1000];
    let size = stream.read(&mut raw).await.expect("a head");
    assert!(raw[..size].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&raw[..size]));
    served.cluster().advance(seconds(5));
    let size = stream.read(&mut raw).await.expect("a line");
    assert!(String::from_utf8_lossy(&raw[..size]).contains("step"));
    served.simulator.faults().set("/v1/client/fs", Fault::Close);
    assert_eq!(stream.read(&mut raw).await.unwrap_or(0), 0);
}
