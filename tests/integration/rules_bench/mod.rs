//! Randomized tests of the alert rules: generated histories with missed scrapes at any time.
//!
//! promtool evaluates the shipped rules over all histories at once. Each history is a cluster, and the
//! compared variants are its regions: the same history with gaps, or with a second exporter. All rules keep
//! both labels, so the variants do not affect each other, and one query over `ALERTS`, which must be empty,
//! compares all alerts. This needs no server and no waiting, and the real rule manager decides which alerts
//! are pending or firing. One minute is one scrape and one evaluation.
//!
//! `BENCH_SEED=…` repeats a run, and `BENCH_HISTORIES=200` uses more histories than the tests. A failure
//! shows the cluster, which is the number of the history, and the alert.

mod healthy;
mod series;
mod troubles;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use fastrand::Rng;

use crate::support::{promtool, read, tools};
use series::{Cause, History, Hole, Replica};
use troubles::{COLLECTORS, Phases, TROUBLES, background};

/// Number of histories per file, and their length in minutes.
const IN_A_FILE: usize = 50;
const MINUTES: usize = 150;
/// Number of incidents in each history.
const TOGETHER: usize = 5;

/// Alerts on ratios over a range: a gap may move the time at which they cross their threshold by at most its
/// own length.
const WINDOWED: &str = "NomadPlacementSlo|NomadPlacementDelayHigh|NomadJobsFailing|NomadBuildsKilledByDrain";
/// Alerts on the gaps themselves become pending during one, and must not fire.
const OF_HOLES: &str = "NomadExporterDown|NomadExporterStale";

/// Returns a number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Returns the random generator, the number of histories, and how to repeat the run.
fn chance(histories: usize) -> (Rng, usize, String) {
    let seed = number("BENCH_SEED").unwrap_or_else(|| fastrand::u64(..));
    let histories = number("BENCH_HISTORIES").map_or(histories, |count| count as usize);
    let told = format!("BENCH_SEED={seed} BENCH_HISTORIES={histories}");
    eprintln!("{told}");
    (Rng::with_seed(seed), histories, told)
}

/// Returns a history with these incidents.
fn history(troubles: &[usize], random: &mut Rng) -> History {
    let mut history = History::new(MINUTES);
    background(&mut history, troubles.iter().all(|trouble| TROUBLES[*trouble].alert != "NomadNoActiveNodes"));
    for (number, trouble) in troubles.iter().enumerate() {
        let trouble = &TROUBLES[*trouble];
        let phases = Phases::new(MINUTES, trouble.waits, number == 0, random);
        (trouble.add)(&mut history, &phases);
        history.changes.extend(phases.changes());
    }
    let outages: Vec<_> = history.outages.iter().flat_map(|hole| [hole.from, hole.until]).collect();
    history.changes.extend(outages);
    history
}

/// Chooses compatible incidents. Each alert is the first one equally often, and then certainly fires.
fn choose(number: usize, random: &mut Rng) -> Vec<usize> {
    let mut chosen = vec![number % TROUBLES.len()];
    while chosen.len() < TOGETHER {
        let one = random.usize(..TROUBLES.len());
        let shares = |other: &usize| {
            !TROUBLES[one].shares.is_empty() && TROUBLES[*other].shares == TROUBLES[one].shares
        };
        if !chosen.contains(&one) && !chosen.iter().any(shares) {
            chosen.push(one);
        }
    }
    chosen
}

/// Returns gaps of less than three minutes, none of them near a change.
fn holes(history: &History, random: &mut Rng) -> Vec<Hole> {
    let mut holes: Vec<Hole> = Vec::new();
    // If the exporter goes down by itself, a gap would be another outage.
    let causes = if history.outages.is_empty() { 3 } else { 1 };
    let mut minute = 6;
    while minute < history.minutes - 6 {
        let until = minute + random.usize(1..=2);
        let is_quiet = history.changes.iter().all(|change| change + 3 < minute || *change > until + 2);
        if is_quiet && random.u8(..3) == 0 {
            let cause = [Cause::Nomad, Cause::Scrape, Cause::Restart][random.usize(..causes)];
            let until = if cause == Cause::Restart { minute + 2 } else { until };
            let slow = COLLECTORS.into_iter().filter(|_| random.bool()).collect();
            holes.push(Hole { cause, from: minute, until, slow });
            // Rare enough that the exporter does not count as flapping.
            minute = until + random.usize(16..40);
        }
        minute += 1;
    }
    holes
}

/// Returns two exporters of which at least one is always as good as a single one, in one of two ways.
fn replicas(history: &History, random: &mut Rng) -> [Replica; 2] {
    let anywhere = |longest: usize, random: &mut Rng| {
        let mut holes: Vec<Hole> = Vec::new();
        let mut minute = 5 + random.usize(..30);
        while minute + longest < history.minutes {
            let until = minute + random.usize(2..=longest);
            let cause = [Cause::Scrape, Cause::Nomad, Cause::Restart][random.usize(..3)];
            let slow = COLLECTORS.into_iter().filter(|_| random.bool()).collect();
            holes.push(Hole { cause, from: minute, until, slow });
            minute = until + random.usize(10..60);
        }
        holes
    };
    let whole = Replica { instance: "a", ..Replica::default() };
    if random.bool() {
        // One is worse in every way.
        let worse = Replica {
            instance: "b",
            holes: anywhere(25, random),
            since: random.usize(..60),
            // With an outage of both, the last data of a delayed replica would be a minute older, and is used
            // for three.
            lag: if history.outages.is_empty() { random.usize(..2) } else { 0 },
            without: random.bool().then(|| COLLECTORS[random.usize(..COLLECTORS.len())]),
        };
        [whole, worse]
    } else {
        // One has gaps, and the other has none.
        [Replica { holes: anywhere(25, random), ..whole.clone() }, Replica { instance: "b", ..whole }]
    }
}

/// Returns the shipped rules without the annotations of alerts. They take most of the time, because each runs
/// queries for each alert in each minute, and do not affect when an alert fires.
fn rules() -> [String; 2] {
    ["alerts/nomad.rules.yml", "alerts/nomad.alerts.yml"].map(|file| {
        let mut is_annotation = false;
        let kept = |line: &&str| {
            let indent = line.len() - line.trim_start().len();
            is_annotation =
                *line == "        annotations:" || (is_annotation && (indent > 8 || line.is_empty()));
            !is_annotation
        };
        let text = read(file);
        text.lines().filter(kept).map(|line| format!("{line}\n")).collect()
    })
}

/// Returns the groups of these rules: thresholds first, and recording rules before the alerts that use them.
fn groups(rules: &[String; 2]) -> Vec<&str> {
    const THRESHOLDS: &str = "nomad-thresholds";
    let names =
        rules.iter().flat_map(|rules| rules.lines()).filter_map(|line| line.strip_prefix("  - name: "));
    std::iter::once(THRESHOLDS).chain(names.filter(|name| *name != THRESHOLDS)).collect()
}

/// Series in promtool's format, and queries that must be empty in each of these minutes.
pub(super) struct UnitTest {
    pub(super) series: String,
    pub(super) empty: Vec<(String, Vec<usize>)>,
}

/// Runs promtool over these tests, as many at once as there are processors, and fails with its output.
pub(super) fn judge(tests: &[UnitTest], told: &str) {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules();
    for (name, text) in ["records.yml", "alerts.yml"].iter().zip(&rules) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let files: Vec<PathBuf> = tests
        .iter()
        .enumerate()
        .map(|(number, test)| {
            let file = folder.path().join(format!("{number}.test.yml"));
            std::fs::write(&file, test.text(&groups(&rules))).unwrap();
            file
        })
        .collect();
    promtool::test_rules(&tools::find("promtool"), &files, told);
}

impl UnitTest {
    /// Returns the file for promtool.
    fn text(&self, groups: &[&str]) -> String {
        let mut text = format!(
            "rule_files: [records.yml, alerts.yml]\nevaluation_interval: 1m\ngroup_eval_order: [{}]\ntests:\n  \
             - interval: 1m\n    input_series:\n{}    promql_expr_test:\n",
            groups.join(", "),
            self.series,
        );
        for (query, minutes) in &self.empty {
            for minute in minutes {
                writeln!(text, "      - {{expr: '{query}', eval_time: {minute}m, exp_samples: []}}").unwrap();
            }
        }
        text
    }
}

#[test]
#[ignore = "needs promtool: make check-prometheus"]
fn gaps_and_replicas_do_not_change_alerts() {
    let (mut random, histories, told) = chance(IN_A_FILE);
    let whole = Replica { instance: "a", ..Replica::default() };
    let mut tests = Vec::new();
    for first in (0..histories).step_by(IN_A_FILE) {
        let mut series = String::new();
        let numbers = first..histories.min(first + IN_A_FILE);
        for number in numbers.clone() {
            let history = history(&choose(number, &mut random), &mut random);
            let cluster = number.to_string();
            history.render(&cluster, "base", std::slice::from_ref(&whole), &mut series);
            let holed = Replica { holes: holes(&history, &mut random), ..whole.clone() };
            history.render(&cluster, "gap", &[holed], &mut series);
            history.render(&cluster, "replicas", &replicas(&history, &mut random), &mut series);
        }
        let mut empty = comparisons();
        if numbers.len() >= TROUBLES.len() {
            empty.extend(never_fired());
        }
        tests.push(UnitTest { series, empty });
    }
    judge(&tests, &told);
}

/// A new alert needs an incident here.
#[test]
fn every_alert_has_an_incident() {
    let rules = read("alerts/nomad.alerts.yml");
    let alerts: BTreeSet<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let troubles: BTreeSet<_> = TROUBLES.iter().map(|trouble| trouble.alert).collect();
    assert_eq!(alerts, troubles);
}

/// Returns queries that find differing alerts.
fn comparisons() -> Vec<(String, Vec<usize>)> {
    let mut queries = Vec::new();
    let mut always = |query: String| queries.push((query, (7..MINUTES).collect()));
    let alerts = |region: &str, selector: &str| format!(r#"ALERTS{{region="{region}", {selector}}}"#);
    // With gaps: the same at every minute.
    for selector in [
        format!(r#"alertstate="firing", alertname!~"{WINDOWED}""#),
        format!(r#"alertstate="pending", alertname!~"{WINDOWED}|{OF_HOLES}""#),
    ] {
        let (base, gap) = (alerts("base", &selector), alerts("gap", &selector));
        always(format!("({base} unless ignoring (region) {gap}) or ({gap} unless ignoring (region) {base})"));
    }
    // Alerts on ratios: the same as at some minute of the three before and the three after.
    let selector = format!(r#"alertstate="firing", alertname=~"{WINDOWED}""#);
    let (base, gap) = (alerts("base", &selector), alerts("gap", &selector) + " offset 3m");
    let offsets = ["", " offset 1m", " offset 2m", " offset 3m", " offset 4m", " offset 5m", " offset 6m"];
    let around = offsets.map(|offset| format!("{base}{offset}"));
    always(format!("{} unless ignoring (region) {gap}", around.join(" and ")));
    always(format!("{gap} unless ignoring (region) {}", around.join(" unless ignoring (region) ")));
    // With a second exporter: the same, or as a minute ago, because one may be delayed by a minute.
    for (state, which) in [
        ("firing", "alertname!~"),
        ("pending", "alertname!~"),
        // An alert reports that one of them is down, but pages nobody.
        ("firing", r#"severity="critical", alertname=~"#),
    ] {
        let selector =
            format!(r#"alertstate="{state}", instance="", {which}"NomadExporterDown|NomadExporterFlapping""#);
        let (base, replicas) = (alerts("base", &selector), alerts("replicas", &selector));
        always(format!("{base} and {base} offset 1m unless ignoring (region) {replicas}"));
        always(format!(
            "{replicas} unless ignoring (region) {base} unless ignoring (region) {base} offset 1m"
        ));
    }
    queries
}

/// Returns queries that find alerts that never fired.
fn never_fired() -> Vec<(String, Vec<usize>)> {
    let mut queries = Vec::new();
    for trouble in TROUBLES {
        for state in ["firing", "pending"] {
            // An alert without a wait fires at once.
            if state == "firing" || trouble.waits > 0 {
                let selector =
                    format!(r#"region="base", alertname="{}", alertstate="{state}""#, trouble.alert);
                let query = format!("absent_over_time(ALERTS{{{selector}}}[{MINUTES}m])");
                queries.push((query, vec![MINUTES - 1]));
            }
        }
    }
    queries
}
