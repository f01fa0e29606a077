//! Micro-benchmarks of decoding rows and rendering, with the recorded cluster. Each decoding is compared with skimming
//! the same bytes in the same run.

use std::io::Cursor;
use std::sync::Arc;
use std::time::SystemTime;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use nomad_exporter::collect::{COLLECTORS, Clock, Collector, Collectors};
use nomad_exporter::config::{self, Config};
use nomad_exporter::exposition::{self, Encoding, Format, Rendered};
use nomad_exporter::metrics::{Own, OwnMetrics, Selection};
use nomad_exporter::nomad::Client;
use nomad_exporter::nomad::api::{Allocation, Job, each_row};
use nomad_exporter::snapshot::{CollectorId, Joins, NamespaceCoverage, Snapshot};
use nomad_simulator::{Load, Simulator, Size};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

const ALLOCATIONS: &[u8] = include_bytes!(
    "../tests/fixtures/recordings/2.0.5/allocations-namespace-resources-true-task-states-false.json"
);
const JOBS: &[u8] = include_bytes!("../tests/fixtures/recordings/2.0.5/jobs-namespace.json");

fn main() {
    divan::main();
}

fn decode<T: DeserializeOwned>(bencher: Bencher<'_, '_>, json: &'static [u8]) {
    bencher.counter(BytesCount::new(json.len())).bench(|| {
        each_row(black_box(json), |row: T| drop(black_box(row))).expect("recorded responses can be decoded")
    });
}

fn skim(bencher: Bencher<'_, '_>, json: &'static [u8]) {
    bencher.counter(BytesCount::new(json.len())).bench(|| {
        let mut json = serde_json::Deserializer::from_reader(Cursor::new(black_box(json)));
        IgnoredAny::deserialize(&mut json).expect("recorded responses are JSON")
    });
}

#[divan::bench]
fn decode_allocations(bencher: Bencher<'_, '_>) {
    decode::<Allocation>(bencher, ALLOCATIONS);
}

#[divan::bench]
fn skim_allocations(bencher: Bencher<'_, '_>) {
    skim(bencher, ALLOCATIONS);
}

#[divan::bench]
fn decode_jobs(bencher: Bencher<'_, '_>) {
    decode::<Job>(bencher, JOBS);
}

#[divan::bench]
fn skim_jobs(bencher: Bencher<'_, '_>) {
    skim(bencher, JOBS);
}

#[divan::bench]
fn negotiate() -> exposition::Format {
    exposition::format(black_box(Some(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
         text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    )))
}

/// Returns a collected cluster of size S or M.
fn collected(size: Size) -> (Arc<Snapshot>, Own) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let simulator = Simulator::start(Load::new(size, 1).into()).await.expect("it listens");
        let line = ["nomad-exporter", "--nomad.address", &simulator.url()];
        let config = config::parse(line).expect("plain flags");
        let config = Config::new(config, &|_| None).expect("plain settings");
        let client = Client::new(config.nomad, Arc::new(|_| {})).expect("no recorded responses were found");
        let mut collectors = Collectors::new(client, config.collect, SystemTime::now);
        // Allocations by node need the token's permissions.
        let is_read =
            |collector: &&Collector| collector.clock == Clock::Live || collector.id == CollectorId::Token;
        for collector in COLLECTORS.iter().filter(is_read) {
            collectors.refresh(collector.id).await.expect("the simulator answers");
        }
        let own = OwnMetrics::new().expect("names are unique").gather();
        (Arc::new(collectors.snapshot()), own)
    })
}

#[divan::bench(args = ["S", "M"])]
fn join(bencher: Bencher<'_, '_>, size: &str) {
    let (snapshot, _) = collected(size.parse().expect("a size"));
    let on = snapshot.collectors.iter().map(|collector| collector.id).collect();
    bencher.bench(|| Joins::new(black_box(&snapshot.sections), on, NamespaceCoverage::All));
}

#[divan::bench(args = ["S", "M"])]
fn render_text(bencher: Bencher<'_, '_>, size: &str) {
    render(bencher, size, Encoding::Identity);
}

#[divan::bench(args = ["S", "M"])]
fn render_gzip(bencher: Bencher<'_, '_>, size: &str) {
    render(bencher, size, Encoding::Gzip);
}

fn render(bencher: Bencher<'_, '_>, size: &str, encoding: Encoding) {
    let (snapshot, own) = collected(size.parse().expect("a size"));
    bencher
        .with_inputs(|| Rendered::new(snapshot.clone(), own.clone(), Selection::default(), None))
        .bench_values(|rendered| rendered.bytes(Format::OpenMetrics, encoding));
}
