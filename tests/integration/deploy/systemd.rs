//! The unit of systemd.

use std::process::Command;

use crate::support::process::{exporter, run};
use crate::support::{path, read, tools};

/// systemd's own rating of what a service could do to its machine: 0 is nothing, 10 everything.
#[test]
fn the_systemd_unit_is_hardened() {
    let unit = path("deploy/systemd/nomad-exporter.service");
    let Some(analyze) = tools::find("systemd-analyze", "how well the systemd unit is hardened") else {
        return;
    };
    let mut security = Command::new(analyze);
    security.args(["security", "--offline=true"]).arg(&unit);
    let (_, text, _) = run(security);
    let verdict = text.lines().rev().find_map(|line| line.split_once("exposure level for")).unwrap().1;
    let rating: f64 = verdict.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(rating < 2.0, "{verdict}");
}

/// Every variable that the units and their settings name is one that the program reads.
#[test]
fn what_systemd_is_told_exists() {
    let (_, help, _) = run(exporter(&["--help"]));
    let files =
        ["nomad-exporter.service", "nomad-exporter.default", "nomad-exporter.socket", "credentials.conf"];
    let text = files.map(|file| read(&format!("deploy/systemd/{file}"))).concat();
    // The flags of the drop-in.
    for flag in text.split_whitespace().filter_map(|word| word.strip_prefix("--")) {
        let flag = flag.split('=').next().unwrap();
        assert!(help.contains(&format!("--{flag} ")) || flag == "now", "--{flag} is no flag of the program");
    }
    let is_part = |char: char| char.is_ascii_uppercase() || char == '_';
    let words = text.split(|char| !is_part(char)).filter(|word| word.starts_with("NOMAD_"));
    let names: Vec<&str> = words.filter(|word| *word != "NOMAD_EXPORTER_").collect();
    assert!(names.contains(&"NOMAD_EXPORTER_WEB_SYSTEMD_SOCKET"), "{names:?}");
    for name in names {
        assert!(help.contains(name), "{name} is no variable of the program");
    }
}
