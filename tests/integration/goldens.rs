//! Samples of each recorded cluster. The HELP and TYPE lines are in `families.prom`, with a sample of every
//! metric.
//!
//! `UPDATE_GOLDENS=1 cargo test goldens` updates them; review the diff before committing.

use std::collections::BTreeSet;

use crate::every_family;
use crate::support::collect::Collector;
use crate::support::{path, recordings};

/// Metrics that differ between runs or builds: times of the run, process metrics (which differ between
/// systems, and so does the number of all series), the compiler.
const VOLATILE: [&str; 6] = [
    "nomad_exporter_collector_refresh_duration_seconds",
    "nomad_exporter_api_request_duration_seconds",
    "nomad_exporter_api_response_bytes_total",
    "nomad_exporter_build_info",
    "nomad_exporter_series ",
    "process_",
];

/// Returns the exposition without volatile metrics.
pub(crate) fn stable(text: &str) -> String {
    let is_stable = |line: &&str| {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        !VOLATILE.iter().any(|volatile| name.starts_with(volatile))
    };
    text.lines().filter(is_stable).flat_map(|line| [line, "\n"]).collect()
}

/// Returns the samples of an exposition, after checking that their HELP and TYPE lines are those of the
/// exposition with all metrics.
fn samples(text: &str, all: &str) -> String {
    let lines: Vec<&str> = all.lines().collect();
    let heads: BTreeSet<&[&str]> = lines.windows(2).filter(|head| head[0].starts_with("# HELP ")).collect();
    let (mut samples, mut family) = (String::new(), "");
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let head = [line, lines.next().unwrap_or_default()];
            assert!(heads.contains(&head[..]), "families.prom does not start with {head:#?}");
            family = help.split(' ').next().unwrap();
            continue;
        }
        let name = line.split(['{', ' ']).next().unwrap();
        let is_of_family = |ending| name.strip_suffix(ending) == Some(family);
        assert!(
            ["", "_bucket", "_sum", "_count"].into_iter().any(is_of_family),
            "line does not belong to {family}: {line}"
        );
        samples.extend([line, "\n"]);
    }
    samples
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_clusters_match_their_goldens() {
    let all = stable(&every_family::shown());
    let mut different = Vec::new();
    for name in recordings::ALL {
        let simulator = recordings::replay(name).await;
        let collector = Collector::new(&simulator.url(), &[]);
        collector.refresh().await;
        // The port differs between runs; it is only in logs.
        let shown = samples(&stable(&collector.text()), &all);
        different.extend(difference(&format!("{name}.prom"), &shown));
    }
    assert!(different.is_empty(), "these differ:\n{}", different.join("\n"));
}

/// Compares a text with a golden; returns both file names if they differ.
pub(crate) fn difference(name: &str, shown: &str) -> Option<String> {
    let golden = format!("tests/goldens/{name}");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(path(&golden), shown).unwrap();
    }
    if std::fs::read_to_string(path(&golden)).is_ok_and(|golden| golden == shown) {
        return None;
    }
    let received = std::env::temp_dir().join(format!("received.{}", name.replace('/', "-")));
    std::fs::write(&received, shown).unwrap();
    Some(format!("{golden} and {}", received.display()))
}
