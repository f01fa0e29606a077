//! What one row and one rendering cost, on the recorded cluster. Beside each decoding stands what serde_json needs to
//! skim the same bytes: compare within one run.

use std::io::Cursor;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use nomad_exporter::exposition;
use nomad_exporter::nomad::api::{Allocation, Job, each_row};
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
    bencher
        .counter(BytesCount::new(json.len()))
        .bench(|| each_row(black_box(json), |row: T| drop(black_box(row))).expect("recorded answers decode"));
}

fn skim(bencher: Bencher<'_, '_>, json: &'static [u8]) {
    bencher.counter(BytesCount::new(json.len())).bench(|| {
        let mut json = serde_json::Deserializer::from_reader(Cursor::new(black_box(json)));
        IgnoredAny::deserialize(&mut json).expect("recorded answers are JSON")
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
