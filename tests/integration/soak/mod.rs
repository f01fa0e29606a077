//! Soak test: the real binary with a cluster that changes all the time, many scrapers, and all faults of the
//! simulator. `make check-soak` runs it for two minutes, `make soak` for longer.
//!
//! At the end, nothing has grown or is left open, every scrape got a response, only injected errors were
//! counted, and all numbers equal the simulator's ledger.

#![allow(clippy::print_stdout, reason = "it tells what it saw")]

mod faults;
mod scrapers;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nomad_simulator::Simulator;

use crate::support::exposition::Exposition;
use crate::support::ledger::{Retained, assert_agrees, assert_counted, assert_delays, ended_since};
use crate::support::process::{Exporter, exporter as command_line, wait_until};
use crate::support::prometheus::{Prometheus, free_port};
use crate::support::tools;
use faults::Faults;
use scrapers::Scrapers;
use world::World;

/// Default duration; `SOAK_SECONDS` changes it.
const SECONDS: u64 = 120;
/// Short intervals, so that much happens in little time, and limits that a busy machine does not reach.
const FLAGS: [&str; 18] = [
    "--collect.events",
    "auto",
    "--collect.interval",
    "1s",
    "--collect.history-interval",
    "3s",
    "--collect.duty-cycle",
    "1",
    "--collect.client-interval",
    "3s",
    "--collect.client-timeout",
    "5s",
    "--collect.max-age-intervals",
    "10",
    "--nomad.timeout",
    "5s",
    "--log.level",
    "info",
];
/// Timeout for everything in progress to end and to be read.
const CALM: Duration = Duration::from_secs(60);
/// Interval of memory samples.
const SAMPLE: Duration = Duration::from_millis(500);
/// Maximum ratio of memory at the end to memory after warm-up.
const MAX_GROWTH: f64 = 1.10;

#[test]
#[ignore = "takes minutes, and needs Prometheus: make check-soak"]
fn resources_stay_constant_and_numbers_exact() {
    let seconds = std::env::var("SOAK_SECONDS").ok().map_or(SECONDS, |seconds| seconds.parse().unwrap());
    let seed =
        std::env::var("SOAK_SEED").ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    assert!(seconds >= 60, "{seconds} s are too short to warm up");
    println!("soaking for {seconds} s, SOAK_SEED={seed}");
    let program = tools::find("prometheus");
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();

    // Nomad is down at first, so that only the exporter's own sockets are open.
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let nomad = format!("http://{address}");
    let fixed = ["--nomad.address", &nomad, "--web.listen-address", "127.0.0.1:0"];
    let exporter = Exporter::spawn(command_line(&[&fixed, &FLAGS[..]].concat()));
    let watch = Process(exporter.id());
    std::thread::sleep(Duration::from_secs(2));
    // Attempts to connect have sockets for a moment.
    let moments = (0..40).map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        watch.descriptors()
    });
    let descriptors_before = moments.min().unwrap();

    let mut world = World::new(seed);
    let simulator = runtime.block_on(Simulator::start_on(address, world.cluster.clone().into())).unwrap();
    wait_until(CALM, "the first refreshes", || all_are_up(&runtime, &exporter));
    let first_refresh = world.ledger().time;

    let scrapers = Scrapers::start(&exporter.url);
    let folder = tempfile::tempdir().unwrap();
    let target = exporter.url.trim_start_matches("http://");
    let config = format!(
        "global: {{scrape_interval: 5s, scrape_timeout: 5s}}\nscrape_configs: [{{job_name: nomad, \
         static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    let prometheus = Prometheus::start(&program, folder.path(), &config);

    let mut faults = Faults::new(seed);
    let mut memory = Vec::new();
    let (began, length) = (Instant::now(), Duration::from_secs(seconds));
    while began.elapsed() < length {
        world.advance(SAMPLE);
        faults.act(&simulator);
        std::thread::sleep(SAMPLE);
        memory.push(watch.memory());
    }
    faults.end(&simulator);

    // The cluster stands still; the metrics catch up.
    wait_until(CALM, "recovery from every fault", || all_are_up(&runtime, &exporter));
    let ledger = world.ledger();
    wait_until(CALM, "all lists to be read again", || {
        let shown = shown(&runtime, &exporter);
        let done = ended_since(&ledger, first_refresh).count();
        shown.sum("nomad_job_completions_total", &[]) >= Some(done as f64)
            && shown.sum("nomad_exporter_collector_up", &[]) == Some(count_of_sources(&shown))
    });
    std::thread::sleep(Duration::from_secs(8));
    let last = shown(&runtime, &exporter);
    assert_agrees(&last, &ledger, &world.waited_for(), Retained::AtLeast);
    assert_counted(&last, &ledger, first_refresh);
    assert_delays(&last, &ledger, first_refresh);

    let scraped = scrapers.stop(&runtime);
    assert_eq!(prometheus.value("min(min_over_time(up[1h]))"), Some(1.0), "a scrape of Prometheus failed");
    let by_prometheus = prometheus.value("sum(count_over_time(up[1h]))").unwrap();
    assert!(by_prometheus >= seconds as f64 / 5.0 * 0.8, "{by_prometheus} scrapes of Prometheus");
    assert_eq!(prometheus.value("sum(resets(nomad_exporter_api_requests_total[1h]))"), Some(0.0));
    drop(prometheus);

    let errors = assert_only_injected(&last, &faults);
    let corrected =
        last.find("nomad_exporter_event_corrections_total", &[]).filter(|sample| sample.value > 0.0);
    assert_eq!(corrected.map(|sample| format!("{sample:?}")).collect::<Vec<_>>(), [""; 0]);
    let events = last.sum("nomad_exporter_events_total", &[]).unwrap_or_default();
    assert!(events > 100.0, "{events} events");
    let log = exporter.log();
    let is_bad = |line: &&str| line.contains("level=error") || line.contains("panicked");
    assert_eq!(log.lines().find(is_bad), None);

    let asked = simulator.requests().len();
    runtime.block_on(simulator.stop());
    let mut descriptors = 0;
    wait_until(CALM, "every connection to be closed", || {
        descriptors = watch.descriptors();
        descriptors <= descriptors_before
    });

    // After a quarter of the time everything was used once.
    let (warm, end) =
        (median(&memory[memory.len() / 4..memory.len() / 2]), median(&memory[memory.len() * 9 / 10..]));
    let peak = *memory.iter().max().unwrap();
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    for (what, seen) in [
        ("jobs in the cluster's history", ledger.history.len().to_string()),
        ("faults", format!("{} ({} kinds)", faults.count(), faults.kinds())),
        ("requests to Nomad", format!("{asked}, {errors} of them failed")),
        ("events", events.to_string()),
        ("lines of log", log.lines().count().to_string()),
        ("scrapes", format!("{} and {by_prometheus} by Prometheus", scraped.count)),
        ("slowest scrape", format!("{} ms", scraped.slowest.as_millis())),
        ("memory after warm-up", format!("{:.1} MiB", mib(warm))),
        (
            "memory at the end",
            format!("{:.1} MiB, {:+.1} %", mib(end), 100.0 * (end as f64 / warm as f64 - 1.0)),
        ),
        ("memory at most", format!("{:.1} MiB", mib(peak))),
        ("descriptors before, after", format!("{descriptors_before}, {descriptors}")),
    ] {
        println!("  {what:<32}{seen}");
    }
    assert_eq!(scraped.failures, [""; 0]);
    assert!(end as f64 <= warm as f64 * MAX_GROWTH, "memory grew from {warm} to {end} bytes");
    assert_eq!(descriptors, descriptors_before);
}

fn shown(runtime: &tokio::runtime::Runtime, exporter: &Exporter) -> Exposition {
    let text =
        runtime.block_on(async { reqwest::get(format!("{}/metrics", exporter.url)).await?.text().await });
    Exposition::parse(&text.unwrap())
}

fn all_are_up(runtime: &tokio::runtime::Runtime, exporter: &Exporter) -> bool {
    let shown = shown(runtime, exporter);
    let up = shown.sum("nomad_exporter_collector_up", &[]);
    up.is_some_and(|up| up > 0.0 && up == count_of_sources(&shown))
}

fn count_of_sources(shown: &Exposition) -> f64 {
    // Collectors that were never tried have no value.
    shown.find("nomad_exporter_collector_up", &[]).count() as f64
}

/// Objects may be gone when they are requested by ID: jobs are purged, and clients leave.
const BY_ID: [&str; 3] = ["client_stats", "job", "node"];

/// Checks that requests failed only for injected reasons. Returns the number of failures.
fn assert_only_injected(shown: &Exposition, faults: &Faults) -> u64 {
    let mut failed = BTreeMap::<(String, String), f64>::new();
    for sample in shown.find("nomad_exporter_api_requests_total", &[]) {
        if sample.labels["reason"] != "ok" {
            failed.insert((sample.labels["endpoint"].clone(), sample.labels["reason"].clone()), sample.value);
        }
    }
    // Before the simulator started to listen, connections failed.
    let expected: BTreeSet<&str> = faults.reasons().chain(["connect"]).collect();
    for ((endpoint, reason), count) in &failed {
        let is_gone = reason == "not_found" && BY_ID.contains(&endpoint.as_str());
        let is_expected = is_gone || expected.contains(reason.as_str());
        assert!(is_expected, "{count} requests to {endpoint} ended with {reason}");
    }
    failed.values().sum::<f64>() as u64
}

/// Statistics of a process.
struct Process(u32);

impl Process {
    fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.0))
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(self.path("fd")).unwrap().count()
    }

    /// Returns the resident memory in bytes.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(self.path("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
