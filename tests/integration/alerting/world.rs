//! A simulated cluster, and the real programs that watch it: exporters, Prometheus with the shipped rules, Alertmanager.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nomad_simulator::cluster::{Cluster, Settings};
use nomad_simulator::{SharedCluster, Simulator};
use regex::{Captures, Regex};

use super::RULES;
use crate::support::process::Running;
use crate::support::prometheus::{Prometheus, free_port};
use crate::support::{path, read};

/// How far the cluster's clock is behind: more than a drain may be overdue, and than a job may be pending.
const LAG: Duration = Duration::from_secs(2400);
/// For how long clusters have been there.
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// The intervals of an exporter that is watched closely.
pub(super) const CLOSELY: [&str; 6] =
    ["--collect.interval", "500ms", "--collect.history-interval", "1s", "--collect.client-interval", "500ms"];

/// The shipped rules with short waits and ranges, and nothing else changed: what lasts minutes lasts seconds. A gap that is
/// bridged may still be longer than a restart on a busy machine, and alerts about exporters wait for longer than that.
fn quick(rules: &str) -> String {
    let ranges = Regex::new(r"\[(\d+)([mhdw])\]").unwrap();
    let mut group = "";
    let mut text = String::new();
    for line in rules.lines() {
        group = line.strip_prefix("  - name: ").unwrap_or(group);
        let field = line.trim_start().split_once(": ").map_or("", |(field, _)| field);
        let indent = &line[..line.len() - line.trim_start().len()];
        text += &match field {
            "for" if group == "nomad-exporter-health" => format!("{indent}for: 30s"),
            "for" | "keep_firing_for" => format!("{indent}{field}: 2s"),
            "interval" => format!("{indent}interval: 1s"),
            _ => ranges.replace_all(line, seconds).into_owned(),
        };
        text.push('\n');
    }
    text
}

/// A range of so many seconds for one of so many minutes.
fn seconds(range: &Captures<'_>) -> String {
    let minutes: u32 = range[1].parse().unwrap();
    match (&range[2], minutes) {
        ("m", 1..=3) => "[20s]",
        ("m", _) => "[30s]",
        ("h", 1) => "[2m]",
        _ => "[5m]",
    }
    .to_owned()
}

/// A cluster whose clock follows the real one, unless it is held.
pub(super) struct World {
    pub(super) cluster: SharedCluster,
    pub(super) held: Arc<Mutex<bool>>,
    pub(super) simulator: Simulator,
}

impl World {
    /// A cluster in which this was set up an hour ago. Its clock is behind, so that a deadline which is a moment away
    /// there has long passed here, and a job that is submitted now has waited for long.
    pub(super) async fn new(set_up: impl FnOnce(&mut Cluster)) -> Self {
        let start = SystemTime::now() - HOUR - LAG;
        let mut cluster = Cluster::new(Settings { start, servers: 3, ..Settings::default() });
        set_up(&mut cluster);
        cluster.advance(HOUR);
        let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        let held = Arc::new(Mutex::new(false));
        let (clock, stopped) = (cluster.clone(), held.clone());
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            loop {
                ticks.tick().await;
                if !*stopped.lock().unwrap() {
                    clock.lock().unwrap().advance(Duration::from_millis(100));
                }
            }
        });
        Self { cluster, held, simulator }
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        change(&mut self.cluster.lock().unwrap())
    }
}

/// An Alertmanager with this configuration, and where it listens.
pub(super) fn alertmanager(program: &Path, folder: &Path, config: &str) -> (Running, String) {
    let file = folder.join("alertmanager.yml");
    std::fs::write(&file, config).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let process = Command::new(program)
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (Running(process), address)
}

/// A Prometheus with the shipped rules that scrapes these targets, each with its labels, as YAML has them.
pub(super) fn prometheus(
    program: &Path,
    folder: &Path,
    alertmanager: &str,
    targets: &[(&str, &str)],
) -> Prometheus {
    let names = RULES.map(|rules| {
        let file = folder.join(path(rules).file_name().unwrap());
        std::fs::write(&file, quick(&read(rules))).unwrap();
        format!("'{}'", file.display())
    });
    let targets: String = targets
        .iter()
        .map(|(url, labels)| {
            let target = url.trim_start_matches("http://");
            format!("      - {{targets: ['{target}'], labels: {{{labels}}}}}\n")
        })
        .collect();
    let config = format!(
        "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [{}]\nalerting:\n  alertmanagers:\n    \
         - static_configs: [{{targets: ['{alertmanager}']}}]\nscrape_configs:\n  - job_name: nomad-exporter\n    \
         honor_labels: true\n    static_configs:\n{targets}",
        names.join(", ")
    );
    Prometheus::start(program, folder, &config)
}
