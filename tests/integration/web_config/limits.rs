//! Limits with TLS and HTTP/2. src/web/listener.rs tests those of plain connections.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{authority, serve};
use crate::support::https::Client;
use crate::support::process::{Exporter, SOON};
use crate::support::recordings;

const TLS: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n";
/// The start of a record that never ends.
const HALF_A_HELLO: &[u8] = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01];

async fn is_closed(mut stream: TcpStream) -> bool {
    let read = async { while stream.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {} };
    timeout(SOON, read).await.is_ok()
}

#[tokio::test]
async fn handshakes_have_a_timeout() {
    let authority = authority();
    let address = serve(authority.folder.path(), TLS, &["--web.header-timeout", "2s"]).await;
    for begin in [&b""[..], HALF_A_HELLO] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begin).await.unwrap();
        assert!(is_closed(stream).await);
    }
    // After the handshake, nothing.
    let mut silent = Client::new(&authority, None).connect(address).await.unwrap();
    assert!(timeout(SOON, silent.read(&mut [0; 64])).await.is_ok());
    assert_eq!(Client::new(&authority, None).get(address, "/metrics").await.unwrap().status, StatusCode::OK);
}

/// More half-open handshakes than connections are allowed.
#[tokio::test]
async fn half_open_handshakes_block_nobody() {
    let authority = authority();
    let limits = ["--web.max-connections", "8", "--web.header-timeout", "1h"];
    let address = serve(authority.folder.path(), TLS, &limits).await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(HALF_A_HELLO).await.unwrap();
        crowd.push(stream);
    }
    let client = Client::new(&authority, None);
    let answer =
        timeout(SOON, client.get(address, "/metrics")).await.expect("it must respond in time").unwrap();
    assert_eq!(answer.status, StatusCode::OK);
}

/// With HTTP/2, a client can reject bytes forever while the connection stays active.
#[tokio::test]
async fn an_unread_response_ends_its_connection() {
    let authority = authority();
    let limits = ["--web.response-timeout", "2s", "--web.max-requests", "1"];
    let address = serve(authority.folder.path(), TLS, &limits).await;
    let client = Client::new(&authority, None);
    let stream = client.connect(address).await.unwrap();
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("https://localhost/metrics").body(Empty::<Bytes>::new()).unwrap();
    let held = sender.send_request(request).await.unwrap();
    assert_eq!(client.get(address, "/metrics").await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client.get(address, "/-/healthy").await.unwrap().status, StatusCode::OK);
    assert!(timeout(SOON, connection).await.is_ok(), "the connection is still held");
    drop(held);
    assert_eq!(client.get(address, "/metrics").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_long_head_is_rejected_with_http2() {
    let authority = authority();
    let address = serve(authority.folder.path(), TLS, &["--web.max-header-bytes", "2048"]).await;
    let mut client = Client::new(&authority, None);
    client.headers.push(("x-long", "x".repeat(4_096)));
    for protocols in [vec!["h2"], vec!["http/1.1"]] {
        client.protocols = protocols;
        // With HTTP/2 the client knows the limit, and may reject the request itself.
        if let Ok(answer) = client.get(address, "/metrics").await {
            assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_does_not_delay_the_shutdown() {
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let authority = authority();
        let file = authority.path("web.yml");
        std::fs::write(&file, TLS).unwrap();
        let mut exporter = Exporter::start(&nomad, &["--web.config.file", file.to_str().unwrap()]);
        let address = exporter.url.trim_start_matches("http://").to_owned();
        let _half_open = std::net::TcpStream::connect(address).unwrap();
        exporter.signal("TERM");
        assert_eq!(exporter.wait(Duration::from_secs(5)).code(), Some(0));
        assert!(exporter.log().contains("message=stopped"));
    })
    .await
    .unwrap();
}
