//! Reads every dashboard with Grafana's own types, in the oldest supported version. A field that they drop is
//! one that Grafana does not support.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nomad_dashboards::dashboards;
use serde_json::{Value, json};

/// Fields that they drop, with the reason to keep them.
const DROPPED: [(&str, &str); 2] = [
    ("id", "null makes Grafana assign an ID, and the types drop null values"),
    (
        "templating.list[].definition",
        "Grafana also writes the query of a variable here, and shows it in its list of variables; the types only have `query`",
    ),
];

/// Returns Python with Grafana's types. If it is missing, prints what is skipped.
#[expect(clippy::print_stderr, reason = "a test prints what it skips")]
fn python() -> Option<PathBuf> {
    const PROGRAM: &str = "grafana-python";
    let folders = std::env::var_os("PATH").unwrap();
    let found =
        std::env::split_paths(&folders).map(|folder| folder.join(PROGRAM)).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: reading the dashboards with Grafana's types: {PROGRAM} is not on the PATH");
    }
    found
}

/// Returns the fields that Grafana's types drop or change.
fn read_back(python: &Path, dashboard: &Value) -> Result<Vec<String>, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboards/grafana.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(dashboard.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
#[ignore = "needs Grafana's types: make check-deploy"]
fn grafana_reads_every_dashboard_back() {
    let Some(python) = python() else { return };
    let expected: Vec<_> = DROPPED.iter().map(|(path, _)| (*path).to_owned()).collect();
    for (file, dashboard) in dashboards() {
        assert_eq!(read_back(&python, &dashboard), Ok(expected.clone()), "{file}");
    }
}

#[test]
#[ignore = "needs Grafana's types: make check-deploy"]
fn grafana_finds_what_it_does_not_know() {
    let Some(python) = python() else { return };
    let (_, whole) = dashboards().remove(0);
    let panel = |kind: &str| {
        let panels = whole["panels"].as_array().unwrap();
        panels.iter().position(|panel| panel["type"] == kind).unwrap()
    };
    let damaged = |place: String, value: Value| {
        let mut dashboard = whole.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        dashboard.pointer_mut(parent).unwrap()[name] = value;
        read_back(&python, &dashboard)
    };
    let (lines, numbers, rows) = (panel("timeseries"), panel("stat"), panel("table"));
    for (place, found) in [
        ("/caption".to_owned(), "caption"),
        ("/templating/list/1/multiple".to_owned(), "templating.list[].multiple"),
        (format!("/panels/{numbers}/options/colourMode"), "panels[].options.colourMode"),
        (format!("/panels/{lines}/targets/0/query"), "panels[].targets[].query"),
        (format!("/panels/{lines}/fieldConfig/defaults/units"), "panels[].fieldConfig.defaults.units"),
        (
            format!("/panels/{lines}/fieldConfig/defaults/custom/width"),
            "panels[].fieldConfig.defaults.custom.width",
        ),
        (format!("/panels/{rows}/options/height"), "panels[].options.height"),
    ] {
        let dropped = damaged(place, json!("none")).unwrap();
        assert!(dropped.iter().any(|path| path == found), "{found}: {dropped:?}");
    }
    for (place, value, word) in [
        (format!("/panels/{lines}/type"), "timeline", "timeline"),
        (format!("/panels/{lines}/targets/0/datasource/type"), "nomad", "data source"),
        (
            format!("/panels/{lines}/fieldConfig/defaults/custom/drawStyle"),
            "dots",
            "custom.draw_style is 'dots'",
        ),
        (format!("/panels/{lines}/fieldConfig/defaults/min"), "none", "defaults.min_val is 'none'"),
    ] {
        let said = damaged(place, json!(value)).unwrap_err();
        assert!(said.contains(word), "{said}");
    }
}
