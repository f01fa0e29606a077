//! Streams as servers send them.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::*;
use crate::nomad::{ClientSettings, Compression, Tls, Token};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";

/// A client of a server that does this with its first connection, once it was asked.
async fn client<F>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> Client
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(connection.read_u8().await.unwrap());
        }
        let asked = String::from_utf8(asked).unwrap();
        assert!(asked.starts_with("GET /v1/event/stream?namespace=*&topic=Job&topic=Allocation"), "{asked}");
        assert!(asked.contains("accept-encoding: identity"), "{asked}");
        serve(connection).await;
    });
    let settings = ClientSettings {
        addresses: vec![address.parse().unwrap()],
        token: Token::None,
        http_auth: None,
        tls: Tls::default(),
        region: None,
        timeout: Duration::from_secs(10),
        allow_stale: true,
        max_last_contact: None,
        max_connections: 1,
        compression: Compression::Gzip,
        max_list_bytes: 0,
        max_object_bytes: 0,
        max_compressed_bytes: 0,
    };
    Client::new(settings, Arc::new(|_| {})).unwrap()
}

/// A client of a server that sends this, and then closes the connection or keeps it open in silence.
async fn sends(parts: &'static [&'static str], closes: bool) -> Client {
    client(move |mut connection| async move {
        for part in parts {
            connection.write_all(part.as_bytes()).await.unwrap();
            connection.flush().await.unwrap();
            // So that each part comes alone.
            sleep(Duration::from_millis(5)).await;
        }
        if !closes {
            sleep(Duration::from_secs(3600)).await;
        }
    })
    .await
}

/// The indexes of what comes, 0 for a heartbeat, and how it ends.
async fn read(client: &Client) -> (Vec<u64>, StreamEnd) {
    let mut indexes = Vec::new();
    let mut stream = match client.events("*").await {
        Ok(stream) => stream,
        Err(end) => return (indexes, end),
    };
    loop {
        match stream.next().await {
            Ok(transaction) => indexes.push(transaction.map_or(0, |transaction| transaction.index)),
            Err(end) => return (indexes, end),
        }
    }
}

#[tokio::test]
async fn lines_are_read_however_they_are_cut() {
    let parts = &[
        HEAD,
        "{}\n{\"Index\":",
        "7,\"Events\":[{\"Topic\":\"Job\",\"Key\":\"a\",\"Namespace\":\"ci\",\"Payload\":null}]}\n\n{\"Ind",
        "ex\":7}\r\n{}\n",
        "{\"Index\":9,\"Events\":null}\n{\"Index\":10}",
    ];
    let (indexes, end) = read(&sends(parts, true).await).await;
    assert_eq!(indexes, [0, 7, 7, 0, 9]);
    assert!(matches!(end, StreamEnd::Closed { .. }), "the last line has no end: {end}");
    assert!(!end.is_rejection());
}

#[tokio::test]
async fn a_rejection_is_told_from_a_broken_stream() {
    const FORBIDDEN: &[&str] = &["HTTP/1.1 403 Forbidden\r\nContent-Length: 17\r\n\r\nPermission denied"];
    const OFF: &[&str] =
        &["HTTP/1.1 500 Internal Server Error\r\nContent-Length: 26\r\n\r\nEventBroker not configured"];
    for parts in [FORBIDDEN, OFF] {
        let (_, end) = read(&sends(parts, true).await).await;
        assert!(matches!(end, StreamEnd::Broken(Error::Status { .. })) && end.is_rejection(), "{end}");
    }
    let (_, end) = read(&client(|connection| async { drop(connection) }).await).await;
    assert!(matches!(end, StreamEnd::Broken(Error::Connect { .. })) && !end.is_rejection(), "{end}");
}

/// Nomad 1.11.2 and later say 200 to whoever may not subscribe.
#[tokio::test]
async fn silence_from_the_beginning_is_a_rejection() {
    let client = sends(&[HEAD], false).await;
    let mut stream = client.events("*").await.unwrap();
    tokio::time::pause();
    let end = stream.next().await.unwrap_err();
    assert!(matches!(end, StreamEnd::Silent { is_first: true, limit: FIRST_LINE, .. }), "{end}");
    assert!(end.is_rejection() && end.to_string().contains("may not be permitted"), "{end}");
}

#[tokio::test]
async fn a_stream_without_heartbeats_is_dead() {
    for drips in [false, true] {
        let client = client(move |mut connection| async move {
            connection.write_all(HEAD.as_bytes()).await.unwrap();
            connection.write_all(b"{}\n").await.unwrap();
            // What never becomes a line is as good as silence.
            while drips && connection.write_all(b" ").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
            sleep(Duration::from_secs(3600)).await;
        })
        .await;
        let mut stream = client.events("*").await.unwrap();
        assert_eq!(stream.next().await.unwrap(), None);
        tokio::time::pause();
        let end = stream.next().await.unwrap_err();
        tokio::time::resume();
        assert!(matches!(end, StreamEnd::Silent { is_first: false, limit: NEXT_LINE, .. }), "{end}");
        assert!(!end.is_rejection());
    }
}

#[tokio::test]
async fn what_is_no_event_ends_the_stream() {
    let parts = &[HEAD, "{}\n{\"Index\":5}\n<html>\n"];
    let (indexes, end) = read(&sends(parts, false).await).await;
    assert_eq!(indexes, [0, 5]);
    assert!(matches!(end, StreamEnd::Unreadable { .. }), "{end}");
    let parts = &[HEAD, "{}\n{\"Index\":5}\n{\"Index\":4}\n"];
    let (indexes, end) = read(&sends(parts, false).await).await;
    assert_eq!(indexes, [0, 5]);
    assert!(matches!(end, StreamEnd::Fell { previous: 5, index: 4, .. }), "{end}");
}

#[tokio::test]
async fn a_line_without_end_is_given_up() {
    let client = client(|mut connection| async move {
        connection.write_all(HEAD.as_bytes()).await.unwrap();
        while connection.write_all(&[b'a'; 64 << 10]).await.is_ok() {}
    })
    .await;
    let (_, end) = read(&client).await;
    assert!(end.to_string().ends_with("a line of more than 16 MiB"), "{end}");
}
