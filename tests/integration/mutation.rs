//! Bad input in bulk: recorded answers, damaged at random in the ways that answers may differ from what was recorded.
//!
//! Whatever comes, nothing panics, the exposition can be read, no series is there twice, and no number is shown that is
//! negative or not finite.

use std::collections::HashSet;

use bytes::Bytes;
use fastrand::Rng;
use nomad_simulator::Fault;
use serde_json::{Map, Value};

use crate::support::collect::Collector;
use crate::support::exposition::Exposition;
use crate::support::recordings;

/// The answers that are damaged: path and recorded file.
const ANSWERS: [(&str, &str); 9] = [
    ("/v1/jobs", "jobs-namespace.json"),
    ("/v1/nodes", "nodes-resources-true.json"),
    ("/v1/allocations", "allocations-namespace-resources-true-task-states-false.json"),
    ("/v1/evaluations", "evaluations-namespace.json"),
    ("/v1/deployments", "deployments-namespace.json"),
    ("/v1/namespaces", "namespaces.json"),
    ("/v1/agent/members", "agent-members.json"),
    ("/v1/client/stats", "client-stats-client-a.json"),
    ("/v1/job/", "job-build-backlog.json"),
];
/// How often each of them is damaged anew.
const ROUNDS: usize = 450;
/// How many values of an answer are damaged at once, at most.
const AT_ONCE: usize = 9;

/// Seeded, so that a failure can be repeated: `MUTATION_SEED=…`.
fn seed() -> u64 {
    std::env::var("MUTATION_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..))
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_answers_do_no_harm() {
    let seed = seed();
    let mut random = Rng::with_seed(seed);
    let simulator = recordings::replay("2.0.5").await;
    let recorded = ANSWERS.map(|(path, file)| (path, recordings::json("2.0.5", file)));
    let (mut mutations, mut survived) = (0, 0);
    for round in 0..ROUNDS {
        for (path, answer) in &recorded {
            let mut damaged = answer.clone();
            // What decodes all the same is the more interesting half: there, no value changes its type.
            let keeps_types = round % 2 == 0;
            let times = random.usize(1..=AT_ONCE);
            for _ in 0..times {
                damage(&mut damaged, keeps_types, &mut random);
            }
            mutations += times;
            simulator.faults().set(path, Fault::Body(Bytes::from(damaged.to_string())));
        }
        let collector = Collector::new(&simulator.url(), &["--collector.allocation_usage"]);
        for _ in 0..2 {
            collector.refresh().await;
        }
        let text = collector.text();
        let shown = Exposition::parse(&text);
        let told = format!("MUTATION_SEED={seed}, round {round}");
        let mut series = HashSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.rsplit_once(' ').unwrap().0;
            assert!(series.insert(name), "{told}: {name} is there twice");
        }
        for sample in shown.samples() {
            assert!(sample.value.is_finite() && sample.value >= 0.0, "{told}: {sample:?}");
        }
        survived += usize::from(shown.value("nomad_up", &[]) == Some(1.0));
    }
    assert!(mutations >= 20_000, "{mutations} mutations");
    assert!(
        survived >= ROUNDS / 20,
        "only {survived} of {ROUNDS} clusters were shown: this proves too little"
    );
}

/// Damages one value somewhere in it.
fn damage(value: &mut Value, keeps_types: bool, random: &mut Rng) {
    let goes_deeper = random.u8(..4) > 0;
    match value {
        Value::Array(rows) if !rows.is_empty() => {
            let at = random.usize(..rows.len());
            match random.u8(..6) {
                0 if !goes_deeper => drop(rows.remove(at)),
                1 if !goes_deeper => rows.push(rows[at].clone()),
                2 if !goes_deeper => random.shuffle(rows),
                3 if !goes_deeper => rows[at] = Value::Null,
                _ => damage(&mut rows[at], keeps_types, random),
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            let at = random.usize(..fields.len());
            let name = fields.keys().nth(at).cloned().unwrap_or_default();
            match random.u8(..5) {
                0 if !goes_deeper => drop(fields.remove(&name)),
                1 if !goes_deeper => drop(fields.insert(name, Value::Null)),
                2 if !goes_deeper => drop(fields.insert(odd_text(random), Value::from(random.i64(..)))),
                _ => damage(fields.get_mut(&name).expect("it was listed"), keeps_types, random),
            }
        }
        leaf if keeps_types => replace(leaf, random),
        leaf => *leaf = any(random),
    }
}

/// Another value of the same type.
fn replace(leaf: &mut Value, random: &mut Rng) {
    *leaf = match leaf {
        Value::String(_) => Value::from(odd_text(random)),
        Value::Number(number) if number.is_f64() => Value::from(random.f64() * 1e300 - 5e299),
        Value::Number(_) => Value::from([0, 1, random.i64(0..1 << 40), i64::MAX][random.usize(..4)]),
        Value::Bool(_) => Value::from(random.bool()),
        _ => Value::Null,
    }
}

/// A value of any type.
fn any(random: &mut Rng) -> Value {
    match random.u8(..8) {
        0 => Value::Null,
        1 => Value::from(random.bool()),
        2 => Value::from(random.i64(..)),
        3 => Value::from(-1),
        4 => Value::from(u64::MAX),
        5 => Value::from(odd_text(random)),
        6 => Value::from(vec![Value::Null, Value::from(1)]),
        _ => Value::from(Map::from_iter([(odd_text(random), Value::from(1))])),
    }
}

/// Text as no sensible cluster has it.
fn odd_text(random: &mut Rng) -> String {
    match random.u8(..8) {
        0 => String::new(),
        1 => "\"quoted\" \\ {le=\"1\"}".to_owned(),
        2 => "two\nlines\r\ttabbed\u{0}\u{7f}".to_owned(),
        3 => "\u{202e}right to left \u{1f980}".to_owned(),
        4 => "x".repeat(64 << 10),
        5 => "NaN".to_owned(),
        6 => "1e999".to_owned(),
        _ => format!("name-{}", random.u8(..4)),
    }
}
