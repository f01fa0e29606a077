//! Shutdown of the exporter during other work, and hanging handshakes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nomad_simulator::Fault;

use super::driver::{QUICK, SOON, blocking};
use super::figures::Figures;
use crate::support::process::{Exporter, wait_until};
use crate::support::recordings;
use crate::support::scrape::{metrics, status};

/// Stops the exporter, and prints how long it took.
fn end(mut exporter: Exporter, what: &str) {
    let told = Instant::now();
    exporter.signal("TERM");
    assert_eq!(exporter.wait(SOON).code(), Some(0), "{what}");
    let log = exporter.log();
    assert!(log.contains("message=stopping") && log.contains("message=stopped"), "{what}: {log}");
    assert!(!log.contains("level=error") && !log.contains("panicked"), "{what}: {log}");
    assert!(told.elapsed() < Duration::from_secs(5), "{what}: it took {:?}", told.elapsed());
    eprintln!("| SIGTERM {what} | exit code 0 after {:.2?} |", told.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_during_a_refresh() {
    for (what, fault) in [
        ("while Nomad does not answer", Fault::Hang),
        ("while an answer drips", Fault::Drip(Duration::from_millis(50))),
    ] {
        let simulator = recordings::replay("2.0.5").await;
        simulator.faults().set("", fault);
        let nomad = simulator.url();
        let exporter = blocking(move || Exporter::start(&nomad, &QUICK)).await;
        while simulator.requests().len() < 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        blocking(move || end(exporter, what)).await;
    }
}

/// A scraper that has started to read receives the whole response.
#[tokio::test(flavor = "multi_thread")]
async fn shutdown_during_a_scrape() {
    let simulator = recordings::replay("2.0.5").await;
    // More text than the buffers of a connection hold.
    let node = |number: usize| format!(r#"{{"ID":"{number}-{}","Status":"ready"}}"#, "x".repeat(200));
    let nodes = format!("[{}]", (0..4_000).map(node).collect::<Vec<_>>().join(","));
    simulator.faults().set("/v1/nodes", Fault::Body(Bytes::from(nodes)));
    let nomad = simulator.url();
    blocking(move || {
        // One refresh is enough.
        let slow =
            ["--collect.interval", "1h", "--collect.history-interval", "1h", "--no-collector.host_stats"];
        let mut exporter = Exporter::start(&nomad, &slow);
        wait_until(SOON, "all nodes", || {
            metrics(&exporter.url).find("nomad_node_info", &[]).count() == 4_000
        });
        let mut scraper = TcpStream::connect(exporter.url.trim_start_matches("http://")).unwrap();
        scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = vec![0; 1_000];
        scraper.read_exact(&mut answer).unwrap();
        exporter.signal("TERM");
        exporter.wait_for_log("message=stopping", SOON);
        std::thread::sleep(Duration::from_millis(300));
        scraper.read_to_end(&mut answer).unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length =
            head.to_lowercase().split("content-length: ").nth(1).unwrap().lines().next().unwrap().to_owned();
        assert_eq!(length.parse::<usize>().unwrap(), body.len());
        assert_eq!(exporter.wait(SOON).code(), Some(0));
        assert!(exporter.log().contains("message=stopped"));
        eprintln!("| SIGTERM during a scrape | all {} bytes arrived, exit code 0 |", body.len());
    })
    .await;
}

/// Returns a peer that accepts connections and never completes a handshake.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_during_a_handshake() {
    blocking(|| {
        let (listener, nomad) = silent();
        let exporter = Exporter::start(&nomad, &[&QUICK[..], &["--nomad.tls-skip-verify"]].concat());
        let (mut handshake, _) = listener.accept().unwrap();
        handshake.read_exact(&mut [0; 5]).unwrap();
        end(exporter, "during a TLS handshake");
    })
    .await;
}

/// Each attempt times out, and leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_never_end() {
    blocking(|| {
        let (_listener, nomad) = silent();
        let arguments = ["--nomad.timeout", "200ms", "--nomad.tls-skip-verify"];
        let exporter = Exporter::start(&nomad, &[&QUICK[..], &arguments].concat());
        let timed_out = || {
            let labels = [("endpoint", "jobs"), ("reason", "timeout")];
            metrics(&exporter.url).value("nomad_exporter_api_requests_total", &labels).unwrap_or_default()
        };
        wait_until(SOON, "the first tries", || timed_out() >= 2.0);
        let before = Figures::of(exporter.id());
        wait_until(SOON, "several tries", || timed_out() >= 12.0);
        assert_eq!(status(&exporter.url, "/-/ready"), "503");
        assert_eq!(status(&exporter.url, "/-/healthy"), "200");
        let log = exporter.log();
        assert_eq!(log.matches("Nomad cannot be reached\" reason=timeout").count(), 1, "{log}");
        assert!(!log.contains("collector is down"), "{log}");
        // The maximum number of concurrent handshakes.
        let after = Figures::of(exporter.id());
        assert!(after.descriptors() <= 16 + 16, "{before:?} {after:?}");
        assert!(after.resident < before.resident + (8 << 10), "{before:?} {after:?}");
        end(exporter, "after handshakes that never ended");
    })
    .await;
}
