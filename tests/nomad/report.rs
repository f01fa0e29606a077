//! Results of the comparisons.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use crate::answers::Answers;

/// Number of attempts for values that changed or differed.
const ROUNDS: usize = 8;

/// Collects all errors, so that one run finds everything.
pub(crate) struct Report {
    /// Folder for the responses behind differences.
    folder: PathBuf,
    /// The current phase of the run.
    phase: String,
    right: usize,
    wrong: Vec<String>,
    /// Values that differed once, and were right afterwards.
    fleeting: BTreeSet<String>,
    /// Metrics with compared values.
    occurred: BTreeSet<&'static str>,
}

impl Report {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            phase: String::new(),
            right: 0,
            wrong: Vec::new(),
            fleeting: BTreeSet::new(),
            occurred: BTreeSet::new(),
        }
    }

    /// Starts the next phase of the run.
    pub(crate) fn phase(&mut self, name: &str) {
        println!("  {name}");
        name.clone_into(&mut self.phase);
    }

    pub(crate) fn right(&mut self) {
        self.right += 1;
    }

    /// Records that a metric had a value.
    pub(crate) fn occurred(&mut self, metric: &'static str) {
        self.occurred.insert(metric);
    }

    /// Reports metrics that never had a value.
    pub(crate) fn all_occurred(&mut self, metrics: impl Iterator<Item = &'static str>) {
        for metric in metrics.filter(|metric| !self.occurred.contains(metric)).collect::<Vec<_>>() {
            self.wrong(&format!("{metric} never had a value"));
        }
    }

    pub(crate) fn wrong(&mut self, what: &str) {
        let line = format!("{}: {what}", self.phase);
        println!("    WRONG {what}");
        self.wrong.push(line);
    }

    pub(crate) fn looked_again(&mut self, what: String) {
        self.fleeting.insert(format!("{}: {what}", self.phase));
    }

    /// Records whether two values are equal.
    pub(crate) fn same<T: PartialEq + Debug>(&mut self, what: &str, expected: &T, found: &T) {
        if expected == found {
            self.right();
        } else {
            self.wrong(&format!("{what}: {}", difference(expected, found)));
        }
    }

    /// Compares two values of a changing cluster: the expected one is read before and after the other.
    pub(crate) fn steady<T: PartialEq + Debug>(
        &mut self,
        what: &str,
        mut expected: impl FnMut() -> T,
        mut found: impl FnMut() -> T,
    ) {
        let mut last = None;
        for _ in 0..ROUNDS {
            let (before, found, after) = (expected(), found(), expected());
            if before != after {
                continue;
            }
            if before == found {
                return self.right();
            }
            self.looked_again(format!("{what}: {}", difference(&before, &found)));
            last = Some((before, found));
        }
        match last {
            Some((expected, found)) => self.same(what, &expected, &found),
            None => self.wrong(&format!("{what} never became stable")),
        }
    }

    /// Records whether a condition is true.
    pub(crate) fn holds(&mut self, what: &str, is_so: bool) {
        if is_so { self.right() } else { self.wrong(what) }
    }

    /// Saves Nomad's responses and the exposition.
    pub(crate) fn save(&self, answers: &Answers, shown: &str) {
        let name: String = self
            .phase
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
            .collect();
        let folder = self.folder.join(name);
        answers.save(&folder);
        std::fs::write(folder.join("shown.prom"), shown).unwrap();
        println!("    Nomad's responses and the output: {}", folder.display());
    }

    /// Prints a summary, and fails if there were errors.
    pub(crate) fn end(self) {
        for line in &self.fleeting {
            println!("  differed temporarily: {line}");
        }
        println!("  {} comparisons matched, {} differed", self.right, self.wrong.len());
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}

/// Returns the differing lines of two values.
fn difference(expected: &impl Debug, found: &impl Debug) -> String {
    let [expected, found] = [format!("{expected:#?}"), format!("{found:#?}")];
    if expected.lines().count() < 4 && found.lines().count() < 4 {
        return format!("expected {expected}, found {found}");
    }
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let (expected, found) = (lines(&expected), lines(&found));
    let only = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect::<Vec<_>>().join("\n");
    format!("expected\n{}\nfound\n{}", only(&expected, &found), only(&found, &expected))
}
