//! Parts of `make test` and `make check`: each ignored test runs in one of them, and all share the build.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::process::run;
use crate::support::{path, read, root};

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|file| file.extension().is_some_and(|kind| kind == "rs")).collect()
}

/// scripts/ignored-tests.sh finds the tests of a part by their reason.
#[test]
fn every_ignored_test_names_the_part_that_runs_it() {
    let (makefile, check) = (read("Makefile"), read("scripts/check.sh"));
    let mut count = 0;
    for file in ["tests/integration", "dashboards/tests", "simulator/tests"]
        .map(path)
        .iter()
        .flat_map(|f| rust_files(f))
    {
        let (code, place) = (std::fs::read_to_string(&file).unwrap(), file.strip_prefix(root()).unwrap());
        for line in code.lines().map(str::trim).filter(|line| line.starts_with("#[ignore")) {
            let reason = line.strip_prefix("#[ignore = \"").and_then(|line| line.strip_suffix("\"]"));
            let part = reason.and_then(|reason| reason.rsplit_once(": make ")).map(|(_, part)| part);
            let part =
                part.unwrap_or_else(|| panic!("{}: {line} names no part of the check", place.display()));
            assert!(
                makefile.contains(&format!("\n{part}: ## ")),
                "{}: there is no make {part}",
                place.display()
            );
            let runs = part == "test"
                || check.contains(&format!("\ncheck_{}() {{", part.trim_start_matches("check-")));
            assert!(runs, "{}: no script runs make {part}", place.display());
            count += 1;
        }
    }
    assert!(count >= 50, "{count}");
}

/// Returns the crates that cargo would build, with their features, which may differ between programs and
/// build scripts.
fn crates(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}"])
        .args(arguments)
        .current_dir(root());
    let (code, stdout, stderr) = run(tree);
    assert_eq!(code, Some(0), "{stderr}");
    let mut crates = BTreeMap::<String, BTreeSet<String>>::new();
    for (name, features) in stdout.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('|')) {
        crates.entry(name.to_owned()).or_default().insert(features.to_owned());
    }
    crates
}

/// The features of crates are the same for demo, tests and documentation, and for the released program and
/// the benchmark.
#[test]
fn each_crate_is_built_once() {
    let programs = ["--package=nomad-exporter", "--package=nomad-simulator"];
    let hack = [&programs[..], &["--package=workspace-hack", "--edges=normal,build"]].concat();
    let measured = [&programs[..], &["--package=nomad-benches", "--edges=normal,build"]].concat();
    let tests = ["--workspace", "--edges=normal,build,dev"];
    for (fewer, more) in [
        (&hack[..], &tests[..]),
        (&["--workspace", "--edges=normal,build"], &tests),
        (&["--package=nomad-exporter", "--edges=normal,build,dev"], &tests),
        (&["--package=nomad-exporter", "--edges=normal,build"], &measured),
        (
            &["--package=nomad-exporter", "--edges=normal,build"],
            &["--package=nomad-benches", "--edges=normal,build,dev"],
        ),
    ] {
        let (fewer, more) = (crates(fewer), crates(more));
        let is_new = |(name, features): &(&String, &BTreeSet<String>)| {
            more.get(*name).is_some_and(|more| !features.is_subset(more))
        };
        let differ: Vec<_> = fewer.iter().filter(is_new).collect();
        assert!(fewer.len() > 100 && differ.is_empty(), "tests/workspace-hack lacks features of {differ:?}");
    }
}
