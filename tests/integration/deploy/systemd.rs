//! The unit of systemd.

use std::process::Command;

use crate::support::path;

/// systemd's own rating of what a service could do to its machine: 0 is nothing, 10 everything.
#[test]
fn the_systemd_unit_is_hardened() {
    let unit = path("deploy/systemd/nomad-exporter.service");
    let rated = Command::new("systemd-analyze").args(["security", "--offline=true"]).arg(&unit).output();
    let Ok(rated) = rated else {
        eprintln!("skipped: systemd-analyze is not installed, so nothing rates {}", unit.display());
        return;
    };
    let text = String::from_utf8_lossy(&rated.stdout);
    let verdict = text.lines().rev().find_map(|line| line.split_once("exposure level for")).unwrap().1;
    let rating: f64 = verdict.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(rating < 2.0, "{verdict}");
}

/// Every variable that it names is one that the program reads.
#[test]
fn the_systemd_unit_names_variables_that_exist() {
    let unit = std::fs::read_to_string(path("deploy/systemd/nomad-exporter.service")).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_nomad-exporter")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let is_part = |char: char| char.is_ascii_uppercase() || char == '_';
    let words = unit.split(|char| !is_part(char)).filter(|word| word.starts_with("NOMAD_"));
    let names: Vec<&str> = words.filter(|word| *word != "NOMAD_EXPORTER_").collect();
    assert!(names.contains(&"NOMAD_EXPORTER_NOMAD_TOKEN_FILE"), "{names:?}");
    for name in names {
        assert!(help.contains(name), "{name} is no variable of the program");
    }
}
