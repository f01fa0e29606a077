//! Nomad's task API: a Unix socket that requires a token from everybody, which Nomad writes to a file and
//! renews.

use std::collections::BTreeMap;
use std::path::Path;

use nomad_simulator::cluster::{Acl, Cluster, NodeSpec, Policy, Settings};
use nomad_simulator::{Fault, Simulator};
use tokio::net::{TcpStream, UnixListener};

use crate::support::collect::Collector;
use crate::support::recordings;

/// Returns a workload identity: signed, and longer than other tokens.
fn identity(serial: u32) -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{}.{serial}", "c2lnbmVk".repeat(100))
}

/// Forwards the connections of a socket to an address.
fn front(socket: &Path, address: &str) {
    let (listener, address) =
        (UnixListener::bind(socket).unwrap(), address.trim_start_matches("http://").to_owned());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let address = address.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(address).await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_works_with_a_renewed_identity() {
    let acl = Acl::On(BTreeMap::from([(identity(1), Policy::exporter()), (identity(2), Policy::exporter())]));
    let mut cluster = Cluster::new(Settings { acl, ..Settings::default() });
    cluster.register_node(NodeSpec::new("client"));
    let simulator = Simulator::start(cluster.into()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (socket, token) = (folder.path().join("api.sock"), folder.path().join("nomad_token"));
    front(&socket, &simulator.url());
    let url = format!("unix://{}", socket.display());

    let refused = Collector::new(&url, &[]);
    refused.refresh().await;
    let labels = [("endpoint", "nodes"), ("reason", "forbidden")];
    assert_eq!(refused.exposition().value("nomad_exporter_api_requests_total", &labels), Some(1.0));

    std::fs::write(&token, identity(1)).unwrap();
    let collector = Collector::new(&url, &["--nomad.token-file", token.to_str().unwrap()]);
    collector.refresh().await;
    assert_eq!(collector.exposition().value("nomad_up", &[]), Some(1.0));
    simulator.clear_requests();
    std::fs::write(&token, format!("{}\n", identity(2))).unwrap();
    collector.refresh().await;
    assert_eq!(collector.exposition().value("nomad_up", &[]), Some(1.0));
    let tokens: Vec<_> = simulator.requests().into_iter().map(|request| request.token).collect();
    assert!(!tokens.is_empty() && tokens.iter().all(|token| *token == Some(identity(2))), "{tokens:?}");
    assert!(!collector.text().contains("eyJ") && !format!("{:?}", collector.snapshot()).contains("eyJ"));
}

/// A missing socket (its client restarts) fails like any other address.
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_may_disappear_and_come_back() {
    let simulator = recordings::replay("2.0.5").await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("api.sock");
    let collector = Collector::new(&format!("unix://{}", socket.display()), &["--nomad.timeout", "1s"]);
    collector.refresh().await;
    let labels = [("endpoint", "nodes"), ("reason", "connect")];
    assert_eq!(collector.exposition().value("nomad_exporter_api_requests_total", &labels), Some(1.0));
    front(&socket, &simulator.url());
    collector.refresh().await;
    assert_eq!(collector.exposition().value("nomad_up", &[]), Some(1.0));
}

/// Sockets and other addresses can be combined.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_address_is_used_if_a_socket_fails() {
    let (local, server) = (recordings::replay("2.0.5").await, recordings::replay("2.0.5").await);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("api.sock");
    front(&socket, &local.url());
    local.faults().set("", Fault::Status { code: 500, body: "rpc error: No cluster leader".into() });
    let addresses = format!("unix://{},{}", socket.display(), server.url());
    let collector = Collector::new(&addresses, &["--nomad.region", "global"]);
    collector.refresh().await;
    assert_eq!(collector.exposition().value("nomad_up", &[]), Some(1.0));
    assert_eq!(local.requests().len(), 1);
    assert!(server.requests().iter().all(|request| request.query.contains("region=global")));
}
