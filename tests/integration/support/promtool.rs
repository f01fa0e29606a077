//! Checks rules and runs their unit tests with promtool.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::process::run;

/// Asserts that promtool accepts these rules.
pub(crate) fn check_rules(promtool: &Path, rules: &[PathBuf]) {
    let mut check = Command::new(promtool);
    check.args(["check", "rules", "--lint=all"]).args(rules);
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

/// Asserts that all unit tests in this folder pass.
pub(crate) fn test_folder(promtool: &Path, folder: &Path) {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tests: Vec<_> = entries.filter(|file| file.extension().is_some_and(|kind| kind == "yml")).collect();
    test_rules(promtool, &tests, "");
}

/// Asserts that these unit tests pass. Runs as many in parallel as there are processors. Fails with `hint`
/// and the start of promtool's output.
pub(crate) fn test_rules(promtool: &Path, tests: &[PathBuf], hint: &str) {
    assert!(!tests.is_empty(), "there are no unit tests");
    let judge = |test: &PathBuf| {
        let mut command = Command::new(promtool);
        // By default, promtool spends half of its time on garbage collection.
        command.args(["test", "rules"]).arg(test).env("GOGC", "400");
        let (code, stdout, stderr) = run(command);
        let lines = stdout.lines().chain(stderr.lines()).filter(|line| !line.is_empty());
        assert_eq!(code, Some(0), "{hint}\n{}", lines.take(60).collect::<Vec<_>>().join("\n"));
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(tests.iter());
    let next = || queue.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| std::iter::from_fn(next).for_each(judge));
        }
    });
}
