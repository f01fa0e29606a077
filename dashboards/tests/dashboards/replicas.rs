//! Tests that dashboards show the same with one exporter per region as with two, even while one of them is replaced,
//! and that regions stay separate. promtool evaluates every query over synthetic series of every documented metric.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::families::{Family, Kind, families};
use crate::promtool::filled;
use crate::queries;

const MINUTES: usize = 45;
/// Minutes before, during and after the replacement of an exporter in minute 21.
const LOOKED_AT: [usize; 4] = [15, 21, 24, 44];

/// An exporter, and the minutes in which it runs.
struct Exporter {
    cluster: &'static str,
    region: &'static str,
    instance: &'static str,
    from: usize,
    until: usize,
}

const EXPORTERS: [Exporter; 6] = [
    Exporter { cluster: "one", region: "eu", instance: "a", from: 0, until: MINUTES },
    Exporter { cluster: "two", region: "eu", instance: "b", from: 0, until: MINUTES },
    Exporter { cluster: "two", region: "eu", instance: "c", from: 0, until: 21 },
    Exporter { cluster: "two", region: "eu", instance: "d", from: 22, until: MINUTES },
    Exporter { cluster: "regions", region: "eu", instance: "e", from: 0, until: MINUTES },
    Exporter { cluster: "regions", region: "us", instance: "f", from: 0, until: MINUTES },
];

/// Returns values of each label. A node's name is its ID.
fn values(label: &str) -> &'static [&'static str] {
    match label {
        "namespace" => &["ci", "ops"],
        "job_type" => &["batch", "service"],
        "node_pool" => &["default"],
        "node_id" => &["n1", "n2", "n3", "n4"],
        "job_id" => &["live", "dead", "stopped"],
        "status" => &["pending", "running", "queued", "dead", "failed"],
        "state" => &["active", "draining", "down", "ineligible"],
        "client_status" => &["running", "pending"],
        "outcome" => &["complete", "failed"],
        "reason" => &["cpu", "ok"],
        "collector" => &["jobs", "nodes", "allocations"],
        "device" => &["alloc_dir"],
        "server" => &["s1", "s2"],
        _ => &["x"],
    }
}

/// Returns all label sets of a metric.
fn label_sets(name: &str, family: &Family) -> Vec<BTreeMap<String, String>> {
    let mut sets = vec![BTreeMap::new()];
    for label in family.labels.iter().filter(|label| !label.is_empty() && *label != "node") {
        let with = |set: &BTreeMap<String, String>, value: &str| {
            let mut set = set.clone();
            set.insert(label.clone(), value.to_owned());
            set
        };
        sets = sets.iter().flat_map(|set| values(label).iter().map(|value| with(set, value))).collect();
    }
    for set in &mut sets {
        if let Some(id) = set.get("node_id").cloned() {
            set.insert("node".to_owned(), id);
        }
    }
    // A node has one state, and consistent other values.
    let state = |id: &str| match id {
        "n1" => "active",
        "n2" => "draining",
        "n4" => "ineligible",
        _ => "down",
    };
    if name == "nomad_node_state" {
        sets.retain(|set| set["state"] == state(&set["node_id"]));
    }
    // A job has one status, and only live jobs have allocations.
    if name == "nomad_job_status" {
        sets.retain(|set| set["status"] == if set["job_id"] == "live" { "running" } else { "dead" });
    }
    if name == "nomad_job_allocations" {
        sets.retain(|set| set["job_id"] == "live");
    }
    if name == "nomad_node_drained" {
        sets.retain(|set| set["node_id"] == "n4");
    }
    if name.starts_with("nomad_node_drain_") {
        sets.retain(|set| set["node_id"] == "n2");
    }
    sets
}

/// Returns values of a gauge that are consistent with the others.
fn gauge(name: &str, set: &BTreeMap<String, String>) -> String {
    let some = set
        .values()
        .flat_map(|value| value.bytes())
        .fold(3_usize, |sum, byte| (sum * 7 + usize::from(byte)) % 11);
    let constant = match name {
        _ if name.ends_with("_timestamp_seconds") => return format!("-{}+0x{MINUTES}", 1000 + 60 * some),
        "nomad_node_driver_healthy" => 0,
        "nomad_job_stopped" => usize::from(set["job_id"] == "stopped"),
        "nomad_job_allocations_desired" => 100,
        _ if name.ends_with("_up") || name.ends_with("_healthy") || name.ends_with("_info") => 1,
        "nomad_up" | "nomad_has_leader" | "nomad_node_state" | "nomad_node_drained" | "nomad_job_status" => 1,
        _ if name.contains("allocatable") || name.contains("total_bytes") || name.contains("size_bytes") => {
            100
        }
        _ if name.starts_with("nomad_node_") => 40 + some,
        // The backlog shrinks.
        "nomad_jobs" => return format!("{}-1x{MINUTES}", 100 + some),
        _ => 10 + some,
    };
    format!("{constant}+0x{MINUTES}")
}

/// Returns values in promtool's notation, limited to the minutes in which the exporter runs.
fn within(exporter: &Exporter, notation: &str, begins_anew: bool) -> String {
    let (start, step, sign) = match notation.split_once('+') {
        Some((start, rest)) => (start, rest, 1.0),
        None => {
            let (start, rest) = notation.rsplit_once('-').unwrap();
            (start, rest, -1.0)
        }
    };
    let (start, step): (f64, f64) =
        (start.parse().unwrap(), step.split('x').next().unwrap().parse().unwrap());
    let first = if begins_anew { start } else { start + sign * step * exporter.from as f64 };
    let sign = if sign < 0.0 { '-' } else { '+' };
    let missing = if exporter.from > 0 { format!("_x{} ", exporter.from) } else { String::new() };
    let stale = if exporter.until < MINUTES { " stale" } else { "" };
    format!("{missing}{first}{sign}{step}x{}{stale}", exporter.until - exporter.from - 1)
}

fn series() -> String {
    let mut text = String::new();
    let mut names: Vec<_> = families().keys().collect();
    names.sort();
    for name in names {
        let family = &families()[name];
        for set in label_sets(name, family) {
            let mut parts = vec![(name.clone(), None, gauge(name, &set))];
            match family.kind {
                Kind::Gauge => {}
                Kind::Counter => parts[0].2 = format!("100+{}x{MINUTES}", 10 + set.len()),
                Kind::Histogram | Kind::GaugeHistogram => {
                    let step = |count: usize| {
                        let growth = if family.kind == Kind::Histogram { count } else { 0 };
                        format!("{count}+{growth}x{MINUTES}")
                    };
                    parts = [("60.0", 5), ("300.0", 8), ("600.0", 9), ("+Inf", 10)]
                        .map(|(le, count)| (format!("{name}_bucket"), Some(le), step(count)))
                        .into();
                    parts.push((format!("{name}_count"), None, step(10)));
                }
            }
            let begins_anew = [Kind::Counter, Kind::Histogram].contains(&family.kind);
            for (exporter, (name, le, notation)) in
                EXPORTERS.iter().flat_map(|exporter| parts.iter().map(move |part| (exporter, part)))
            {
                let Exporter { cluster, region, instance, .. } = exporter;
                let mut labels = format!(r#"cluster="{cluster}", region="{region}", instance="{instance}""#);
                set.iter().for_each(|(label, value)| write!(labels, r#", {label}="{value}""#).unwrap());
                le.iter().for_each(|le| write!(labels, r#", le="{le}""#).unwrap());
                let values = within(exporter, notation, begins_anew);
                writeln!(text, "      - series: '{name}{{{labels}}}'\n        values: {values}").unwrap();
            }
        }
    }
    text
}

/// Returns queries that must have no result: differences between a panel and the same panel with one exporter.
fn differences(query: &str) -> Vec<String> {
    let bare = |query: String| {
        format!(r#"label_replace(label_replace({query}, "cluster", "", "", ""), "region", "", "", "")"#)
    };
    let one = bare(filled(query, "one", ".*"));
    let unlike = |other: &str| {
        format!("({one} unless {other}) or ({other} unless {one}) or abs({one} - {other}) > 1e-6")
    };
    // For two identical regions, a panel shows one line for each, or their sum.
    let both = format!("max without (cluster, region) ({})", filled(query, "regions", ".*"));
    vec![
        format!("absent({one})"),
        unlike(&bare(filled(query, "two", ".*"))),
        unlike(&bare(filled(query, "regions", "us"))),
        format!("({one} unless {both}) or ({both} unless {one})"),
        format!("abs({both} - {one}) > 1e-6 and abs({both} - 2 * {one}) > 1e-6"),
    ]
}

#[test]
#[ignore = "needs promtool: make test"]
fn panels_show_replicas_once_and_regions_separately() {
    let mut promtool = Command::new("promtool");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut text = format!(
        "rule_files: [{0}/alerts/nomad.rules.yml, {0}/deploy/autoscaler/nomad-autoscaler.rules.yml]\n\
         evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n{1}    promql_expr_test:\n",
        root.display(),
        series(),
    );
    // Exporters have their own lines on their own dashboard.
    let of_clusters: Vec<_> =
        queries().into_iter().filter(|(name, _)| !name.starts_with("nomad-exporter.json")).collect();
    assert!(of_clusters.len() > 60, "{}", of_clusters.len());
    for (_, query) in &of_clusters {
        for difference in differences(query) {
            for minute in LOOKED_AT {
                writeln!(text, "      - {{expr: '{difference}', eval_time: {minute}m, exp_samples: []}}")
                    .unwrap();
            }
        }
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboards.test.yml");
    fs::write(&file, text).unwrap();
    let output = promtool.args(["test", "rules"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}", said.chars().take(6000).collect::<String>());
}
