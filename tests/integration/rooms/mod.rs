//! The shape of the house: dependencies point one way, and what is generated or named stands in step.

mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use nomad_exporter::metrics::families;

use crate::support::process::{exporter, run};
use crate::support::{path, read};
use paths::{Tests, paths};

/// What each room may use. `terms` is Nomad's vocabulary, which every room speaks.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("terms", &[]),
    ("human", &["terms"]),
    ("labels", &[]),
    ("files", &[]),
    ("nomad", &["files", "terms"]),
    ("snapshot", &["terms"]),
    ("collect", &["labels", "nomad", "snapshot", "terms"]),
    ("metrics", &["labels", "snapshot", "terms"]),
    ("exposition", &["metrics", "snapshot"]),
    ("publish", &["collect", "exposition", "metrics", "snapshot"]),
    ("web", &["files", "human", "publish", "exposition", "snapshot", "terms"]),
    ("config", &["collect", "human", "labels", "metrics", "nomad", "snapshot", "terms", "web"]),
    (
        "commands",
        &[
            "collect",
            "config",
            "exposition",
            "human",
            "metrics",
            "nomad",
            "publish",
            "snapshot",
            "terms",
            "web",
        ],
    ),
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The paths that a file of `src/` names.
fn paths_of(file: &Path, tests: Tests) -> BTreeSet<Vec<String>> {
    let source = std::fs::read_to_string(file).unwrap();
    let source = syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let below = file.strip_prefix(path("src")).unwrap().with_extension("");
    let mut module: Vec<&str> = below.iter().map(|name| name.to_str().unwrap()).collect();
    module.pop_if(|last| *last == "mod");
    paths(&source, &module, tests)
}

#[test]
fn dependencies_point_one_way() {
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    let mut seen = BTreeSet::new();
    for file in rust_files(&path("src")) {
        let relative = file.strip_prefix(path("src")).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.trim_end_matches(".rs");
        if matches!(room, "lib" | "main") {
            continue;
        }
        assert!(may_use.contains_key(room), "{room} is a new room: say in this test what it may use");
        seen.insert(room.to_owned());
        for used in paths_of(&file, Tests::Read) {
            let [root, used, ..] = &used[..] else { continue };
            let allowed = root != "crate" || used == room || may_use[room].contains(&used.as_str());
            assert!(allowed, "{}: {room} may not use {used}", relative.display());
        }
    }
    assert_eq!(seen.len(), may_use.len(), "a room of this test is gone");
}

/// `metrics` sees neither JSON nor HTTP, and only `web` serves.
#[test]
fn crates_stay_in_their_rooms() {
    for (room, banned) in [
        ("metrics", &["serde", "serde_json", "reqwest", "hyper", "http", "tokio"][..]),
        ("snapshot", &["serde", "serde_json", "reqwest", "hyper", "http", "tokio", "prometheus"]),
        ("exposition", &["serde", "serde_json", "reqwest", "hyper", "tokio"]),
        ("collect", &["reqwest", "hyper", "http", "prometheus"]),
        ("web", &["reqwest", "serde_json", "prometheus"]),
    ] {
        for file in rust_files(&path("src").join(room)) {
            for used in paths_of(&file, Tests::Skipped).iter().filter(|path| path.len() > 1) {
                assert!(!banned.contains(&used[0].as_str()), "{} uses {}", file.display(), used.join("::"));
            }
        }
    }
}

#[test]
fn the_metrics_reference_is_in_step() {
    reference_is_in_step("metrics", "docs/metrics.md");
}

#[test]
fn the_flags_reference_is_in_step() {
    reference_is_in_step("flags", "docs/configuration.md");
}

fn reference_is_in_step(command: &str, page: &str) {
    let (code, stdout, _) = run(exporter(&[command]));
    assert_eq!(code, Some(0));
    assert!(stdout == read(page), "{page} is out of step: run `make doc`");
}

/// What README, alerts and dashboards name, the code has.
#[test]
fn only_families_that_exist_are_named() {
    let known: BTreeSet<&str> = families().map(|family| family.name).collect();
    let mut files = vec![path("README.md")];
    for folder in ["alerts", "dashboards", "docs"] {
        files.extend(files_below(&path(folder)));
    }
    for file in files {
        let Ok(mut text) = std::fs::read_to_string(&file) else { continue };
        if file.ends_with("docs/migrating.md") {
            // Its tables name what others export in the first column, and what to ask of us in the second.
            text = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1)).collect();
        }
        // With a colon it is a recording rule's name.
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
        for word in words.map(|word| word.trim_matches(':')).filter(|word| !word.contains(':')) {
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|ending| word.strip_suffix(ending))
                .unwrap_or(word);
            let is_family = name.starts_with("nomad_") && !name.ends_with('_');
            // The names of the crates.
            let is_code = ["nomad_exporter", "nomad_simulator"].contains(&name);
            assert!(!is_family || is_code || known.contains(name), "{} names {name}", file.display());
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Files stay short enough to be read in one go; only tables may be longer.
#[test]
fn files_are_short() {
    for folder in ["src", "simulator/src"] {
        for file in rust_files(&path(folder)) {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 500, "{} has {lines} lines: split it by what it holds", file.display());
        }
    }
}
