//! Random damage to recorded responses, in ways in which responses may differ.
//!
//! In all cases nothing panics or hangs, the exposition is valid, no series is duplicated, and no number is
//! negative or not finite.

pub(crate) mod damage;

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use nomad_exporter::exposition::{Encoding, Format};
use nomad_exporter::snapshot::Trends;
use nomad_exporter::web::status_page;
use nomad_simulator::Fault;
use serde_json::{Value, json};

use crate::support::collect::Collector;
use crate::support::exposition::Exposition;
use crate::support::{cases, panics, recordings};

const RECORDING: &str = "2.0.5-drain";
/// The damaged responses: path and recorded file.
const ANSWERS: [(&str, &str); 14] = [
    ("/v1/jobs", "jobs-namespace.json"),
    ("/v1/nodes", "nodes-resources-true.json"),
    ("/v1/allocations", "allocations-namespace-resources-true-task-states-false.json"),
    ("/v1/allocations?namespace=*&task_states=true", "allocations-namespace.json"),
    ("/v1/evaluations", "evaluations-namespace.json"),
    ("/v1/deployments", "deployments-namespace.json"),
    ("/v1/namespaces", "namespaces.json"),
    ("/v1/agent/members", "agent-members.json"),
    ("/v1/client/stats", "client-stats-client-a.json"),
    ("/v1/job/", "job-build-backlog.json"),
    ("/v1/node/", "node-client-a.json"),
    ("/v1/status/leader", "status-leader.json"),
    ("/v1/operator/autopilot/health", "operator-autopilot-health.json"),
    ("/v1/operator/scheduler/configuration", "operator-scheduler-configuration.json"),
];
/// Number of rounds per response; `make check-soak` runs more.
const ROUNDS: u32 = 80;
/// Maximum number of damaged values at once.
const AT_ONCE: usize = 14;
/// One in this number of responses is also damaged as text, which is then usually invalid JSON.
const AS_TEXT: usize = 16;
/// No response is slow, so a round that takes this long hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Seed, to repeat a failure: `MUTATION_SEED=…`.
fn seed() -> u64 {
    std::env::var("MUTATION_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..))
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_responses_cause_no_panic() {
    panics::watch();
    let seed = seed();
    let mut random = Rng::with_seed(seed);
    let simulator = recordings::replay(RECORDING).await;
    let mut recorded: Vec<(&str, Value)> =
        ANSWERS.iter().map(|(path, file)| (*path, recordings::json(RECORDING, file))).collect();
    recorded.push(("/v1/client/allocation/", usage()));
    let rounds = cases(ROUNDS) as usize;
    let (mut mutations, mut survived) = (0, 0);
    for round in 0..rounds {
        let told = format!("MUTATION_SEED={seed}, round {round}");
        for (path, answer) in &recorded {
            let mut damaged = answer.clone();
            // Responses that can still be decoded are more interesting: in half of the rounds no value
            // changes its type.
            let keeps_types = round % 2 == 0;
            let times = random.usize(1..=AT_ONCE);
            for _ in 0..times {
                damage::value(&mut damaged, keeps_types, &mut random);
            }
            mutations += times;
            let mut text = damaged.to_string().into_bytes();
            if random.usize(..AS_TEXT) == 0 {
                damage::text(&mut text, &mut random);
                mutations += 1;
            }
            simulator.faults().set(path, Fault::Body(Bytes::from(text)));
        }
        let collector = Collector::new(&simulator.url(), &["--collector.allocation_usage"]);
        let twice = async {
            collector.refresh().await;
            collector.refresh().await;
        };
        assert!(
            tokio::time::timeout(DEADLINE, twice).await.is_ok(),
            "{told}: did not end within {DEADLINE:?}"
        );
        let shown = assert_sound(&collector, &told);
        survived += usize::from(shown.value("nomad_up", &[]) == Some(1.0));
    }
    assert!(mutations >= 100 * rounds, "{mutations} mutations");
    assert!(
        survived >= rounds / 20,
        "MUTATION_SEED={seed}: only {survived} of {rounds} clusters were shown: this proves too little"
    );
}

/// Checks that everything derived from the snapshot is valid.
fn assert_sound(collector: &Collector, told: &str) -> Exposition {
    let rendered = collector.render();
    let text = String::from_utf8(rendered.bytes(Format::Text, Encoding::Identity).to_vec()).unwrap();
    let shown = Exposition::parse(&text);
    let mut series = HashSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.rsplit_once(' ').unwrap().0;
        assert!(series.insert(name), "{told}: {name} is there twice");
    }
    for sample in shown.samples() {
        assert!(sample.value.is_finite() && sample.value >= 0.0, "{told}: {sample:?}");
    }
    let openmetrics = rendered.bytes(Format::OpenMetrics, Encoding::Identity);
    assert!(openmetrics.ends_with(b"\n# EOF\n"), "{told}");
    let snapshot = collector.snapshot();
    let trends = Trends::new(collector.context.settings.interval).with(&snapshot);
    assert!(status_page(&snapshot, &trends, "/metrics").ends_with("</html>"), "{told}");
    let panics = panics::seen();
    assert!(panics.is_empty(), "{told}: {panics:#?}");
    shown
}

/// Returns usage statistics of an allocation, which no recording contains.
fn usage() -> Value {
    let measured = ["RSS", "Usage", "Percent", "Throttled Time"];
    json!({"ResourceUsage": {
        "MemoryStats": {"RSS": 7, "Usage": 9, "Measured": measured},
        "CpuStats": {"TotalTicks": 120.5, "ThrottledTime": 2_000_000_000, "Measured": measured},
    }, "Tasks": {}, "Timestamp": 1_795_354_599_744_761_552_i64})
}
