//! The shipped alert rules: checked by promtool and amtool, with runbooks and unit tests for each alert.

mod cost;
mod dashboards;
mod one_region;
mod two_regions;
mod world;

pub(crate) use one_region::troubles_reach_the_receiver;

use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::support::process::run;
use crate::support::{path, promtool, read, tools};

pub(crate) const RULES: [&str; 2] = ["alerts/nomad.rules.yml", "alerts/nomad.alerts.yml"];

#[test]
#[ignore = "needs promtool: make test"]
fn promtool_accepts_the_rules_and_their_unit_tests() {
    accepts_the_rules_and_their_unit_tests(&tools::find("promtool"));
}

/// Checks the rules and runs their unit tests with this promtool.
pub(crate) fn accepts_the_rules_and_their_unit_tests(promtool: &Path) {
    promtool::check_rules(promtool, &RULES.map(path));
    promtool::test_folder(promtool, &path("alerts/tests"));
}

/// Each alert has a runbook and a unit test, and each runbook has an alert.
#[test]
fn each_alert_has_a_runbook_and_a_test() {
    let alerts = read(RULES[1]);
    let names: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() >= 32, "{names:?}");
    for name in &names {
        let runbook = format!("alerts/runbooks/{name}.md");
        assert!(path(&runbook).is_file(), "{runbook} is missing");
        assert!(alerts.contains(&format!("/{runbook}")), "no alert has a runbook_url for {runbook}");
    }
    for entry in std::fs::read_dir(path("alerts/runbooks")).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let is_runbook = name.starts_with("Nomad");
        assert!(!is_runbook || names.contains(&name), "{} has no alert of this name", file.display());
    }
    let tests: String = std::fs::read_dir(path("alerts/tests"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for name in &names {
        let tested = tests.matches(&format!("alertname: {name}\n")).count();
        assert!(tested >= 2, "{name} needs a test where it fires and one where it does not");
    }
}

#[test]
#[ignore = "needs amtool: make check-deploy"]
fn amtool_accepts_the_example_configuration() {
    let amtool = tools::find("amtool");
    let file = path("alerts/alertmanager.example.yml");
    let mut check = Command::new(&amtool);
    check.arg("check-config").arg(&file);
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    // Alerts with a team go to the team, others by severity.
    for (labels, receiver) in [
        (&["severity=warning", "meta_team=payments"][..], "payments"),
        (&["severity=critical", "meta_team=payments"], "payments"),
        (&["severity=warning", "meta_team=search"], "team"),
        (&["severity=warning"], "team"),
        (&["severity=critical"], "on-call"),
    ] {
        let mut routes = Command::new(&amtool);
        routes.args(["config", "routes", "test", "--config.file"]).arg(&file).args(labels);
        assert_eq!(run(routes).1.trim(), receiver, "{labels:?}");
    }
}

/// All queries in the documentation are valid.
#[test]
#[ignore = "needs promtool: make test"]
fn promtool_parses_the_queries_of_the_documentation() {
    let promtool = tools::find("promtool");
    let mut queries = Vec::new();
    for document in ["README.md", "docs/migrating.md"] {
        let text = read(document);
        let cells =
            text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1).map(str::to_owned));
        let code = cells.filter_map(|cell| {
            Some(cell.strip_prefix('`')?.trim_end_matches(" |").strip_suffix('`')?.to_owned())
        });
        queries.extend(code.filter(|query| query.contains("nomad_")));
    }
    assert!(queries.len() > 100, "{}", queries.len());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queries.yml");
    let rules: Vec<_> = queries
        .iter()
        .enumerate()
        .map(|(number, query)| serde_json::json!({"record": format!("query:{number}"), "expr": query}))
        .collect();
    // promtool reads JSON as YAML.
    let groups = serde_json::json!({"groups": [{"name": "queries", "rules": rules}]});
    std::fs::write(&file, groups.to_string()).unwrap();
    let mut check = Command::new(promtool);
    check.args(["check", "rules", "--lint=none"]).arg(&file);
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

/// Each alert repeats the default of its threshold, which applies if the threshold's series is missing.
#[test]
fn alerts_repeat_the_defaults_of_their_thresholds() {
    let alerts = read(RULES[1]);
    let thresholds = Regex::new(r"- record: (nomad:threshold:\w+)\n +expr: vector\(([0-9.]+)\)").unwrap();
    let uses = Regex::new(r"scalar\(min\((nomad:threshold:\w+)\) or vector\(([0-9.]+)\)\)").unwrap();
    let pairs = |pattern: &Regex| -> Vec<(String, String)> {
        pattern.captures_iter(&alerts).map(|found| (found[1].to_owned(), found[2].to_owned())).collect()
    };
    let (thresholds, uses) = (pairs(&thresholds), pairs(&uses));
    assert!(thresholds.len() > 20, "{thresholds:?}");
    for used in &uses {
        assert!(thresholds.contains(used), "{used:?} differs from its threshold");
    }
    for (name, _) in &thresholds {
        assert!(uses.iter().any(|(used, _)| used == name), "{name} is not used");
    }
    let without_default = alerts.matches("nomad:threshold:").count() - thresholds.len() - uses.len();
    assert_eq!(without_default, 0, "a threshold is used without a default");
}

/// Alerts fire even without the threshold group, which rules that run elsewhere may not have.
#[test]
#[ignore = "needs promtool: make test"]
fn alerts_fire_without_the_series_of_their_thresholds() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    copy("nomad.rules.yml", &read(RULES[0]));
    let alerts = read(RULES[1]);
    let (head, rest) = alerts.split_once("  - name: nomad-thresholds\n").unwrap();
    let (_, rest) = rest.split_once("\n  - name: ").unwrap();
    copy("nomad.alerts.yml", &format!("{head}  - name: {rest}"));
    let tests = ["backlog", "servers"].map(|name| {
        let text = read(&format!("alerts/tests/{name}.test.yml"));
        copy(&format!("{name}.test.yml"), &text.replace("  - ../nomad.", "  - nomad."));
        folder.path().join(format!("{name}.test.yml"))
    });
    promtool::test_rules(&tools::find("promtool"), &tests, "");
}
