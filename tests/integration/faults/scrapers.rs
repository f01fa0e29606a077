//! Scrapers that are slow, silent or many. (One that never reads: `web::listener`'s own test.)

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::driver::{SOON, Watched, blocking, is_well};
use super::figures::{Figures, mib};
use crate::support::process::wait_until;
use crate::support::recordings;
use crate::support::scrape::metrics;

/// Connections that send a byte and then nothing: as many as wanted, or as this process may open.
fn slow(address: &str, wanted: usize) -> Vec<TcpStream> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limit = limit.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    let count = wanted.min(limit.saturating_sub(300));
    if count < wanted {
        eprintln!("skipped: {} of {wanted} connections: this process may open {limit} files", wanted - count);
    }
    let connect = |_| {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(b"G").unwrap();
        connection
    };
    (0..count).map(connect).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_connections() {
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    let watched = blocking(move || Watched::start(&nomad, &[])).await;
    let address = watched.exporter.url.trim_start_matches("http://").to_owned();
    let connections = blocking(move || slow(&address, 1_000)).await;
    simulator.clear_requests();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(simulator.requests().len() > 30, "Nomad is asked as before");
    blocking(move || {
        let (id, before) = (watched.exporter.id(), watched.before);
        let meanwhile = Figures::of(id);
        assert!(meanwhile.sockets <= before.sockets + 256 + 16, "{meanwhile:?}");
        assert!(meanwhile.resident < before.resident + (16 << 10), "{before:?} {meanwhile:?}");
        let log = watched.exporter.log();
        let count = connections.len();
        drop(connections);
        let ended = Instant::now();
        wait_until(SOON, "a scrape", || is_well(&metrics(&watched.exporter.url)));
        let recovered = ended.elapsed();
        assert!(recovered < Duration::from_secs(3), "{recovered:?}");
        assert_eq!(watched.exporter.log().matches("level=warn").count(), log.matches("level=warn").count());
        let after = watched.check_figures("slow connections");
        eprintln!(
            "| {count} slow connections | scraped {recovered:.2?} after they ended | {:.1} → {:.1} → {:.1} MiB | {} → {} → {} descriptors |",
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
        assert!(is_well(&metrics(&watched.exporter.url)), "others are answered");
        let answered = began.elapsed();
        // Still held by the other side; given up by the exporter.
        watched.check_figures("half-open connections");
        drop(connections);
        eprintln!("| 120 half-open connections | a scrape beside them took {answered:.2?} |");
    })
    .await;
}
