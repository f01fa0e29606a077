//! Slow, silent or many scrapers. (One that never reads is tested in `web::listener`.)

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use super::driver::{BASE_SOCKETS, POOLED, SOON, Watched, blocking, is_well};
use super::figures::{Figures, mib};
use crate::support::process::wait_until;
use crate::support::recordings;
use crate::support::scrape::{metrics, try_metrics};

/// Opens as many connections as wanted, or as this process may open, each of which sends one byte. Retries if
/// the kernel's queue is full.
fn flood(address: &str, wanted: usize, connected: &Arc<AtomicUsize>) -> JoinSet<()> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limit = limit.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    let count = wanted.min(limit.saturating_sub(300));
    if count < wanted {
        eprintln!(
            "skipped: {} of {wanted} connections: this process can open only {limit} files",
            wanted - count
        );
    }
    let mut connections = JoinSet::new();
    for _ in 0..count {
        let (address, connected) = (address.to_owned(), connected.clone());
        connections.spawn(async move {
            // A connection that was replaced by another is closed at once.
            let Ok(mut connection) = tokio::net::TcpStream::connect(address).await else { return };
            if connection.write_all(b"G").await.is_ok() {
                connected.fetch_add(1, Ordering::Relaxed);
                std::future::pending().await
            }
        });
    }
    connections
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_slow_connections() {
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    let watched = blocking(move || Watched::start(&nomad, &[])).await;
    let address = watched.exporter.url.trim_start_matches("http://").to_owned();
    let connected = Arc::<AtomicUsize>::default();
    let mut flood = flood(&address, 10_000, &connected);
    simulator.clear_requests();
    let all = async {
        while simulator.requests().len() <= 30 || connected.load(Ordering::Relaxed) <= 256 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, all)
        .await
        .expect("requests to Nomad continue while many connections are open");
    // Connections open and close while descriptors are counted, so some may be counted twice.
    let counted = (0..10).map(|_| Figures::of(watched.exporter.id()));
    let meanwhile = counted.min_by_key(|figures| figures.sockets).unwrap();
    let (connected, tried) = (connected.load(Ordering::Relaxed), flood.len());
    flood.shutdown().await;
    blocking(move || {
        let (ended, before) = (Instant::now(), watched.before);
        // The kernel resets some of the connections that are made while the queue of the listener is full.
        let is_scraped = || try_metrics(&watched.exporter.url).is_ok_and(|shown| is_well(&shown));
        wait_until(SOON, "a scrape", is_scraped);
        let recovered = ended.elapsed();
        // One more was accepted and waits for its place.
        assert!(meanwhile.sockets <= BASE_SOCKETS + POOLED + 256 + 1, "{meanwhile:?}");
        assert!(meanwhile.resident < before.resident + (16 << 10), "{before:?} {meanwhile:?}");
        let warnings = watched.exporter.warnings();
        assert!(warnings.is_empty(), "{warnings:#?}");
        let after = watched.check_figures("slow connections");
        eprintln!(
            "| {tried} slow connections, {connected} of them open | scraped {recovered:.2?} after they ended | {:.1} → {:.1} → {:.1} MiB | {} → {} → {} descriptors |",
            mib(before.resident),
            mib(meanwhile.resident),
            mib(after.resident),
            before.descriptors(),
            meanwhile.descriptors(),
            after.descriptors(),
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections() {
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    blocking(move || {
        let watched = Watched::start(&nomad, &[]);
        let address = watched.exporter.url.trim_start_matches("http://").to_owned();
        let half = |number: usize| {
            let mut connection = TcpStream::connect(&address).unwrap();
            let head = ["", "GET /metrics HTT", "GET /metrics HTTP/1.1\r\nHost: a\r\n"][number % 3];
            connection.write_all(head.as_bytes()).unwrap();
            connection.shutdown(Shutdown::Write).unwrap();
            connection
        };
        let connections: Vec<_> = (0..120).map(half).collect();
        let began = Instant::now();
        wait_until(SOON, "others to be answered", || is_well(&metrics(&watched.exporter.url)));
        let answered = began.elapsed();
        // Still open on the client side; closed by the exporter.
        watched.check_figures("half-open connections");
        drop(connections);
        eprintln!("| 120 half-open connections | a scrape meanwhile took {answered:.2?} |");
    })
    .await;
}
