//! What was right and what was wrong.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use crate::answers::Answers;

/// How often something is looked at that moved or differed.
const ROUNDS: usize = 8;

/// Collects what is wrong, so that one run finds everything.
pub(crate) struct Report {
    /// Where the answers behind a difference are kept.
    folder: PathBuf,
    /// The current phase of the run.
    phase: String,
    right: usize,
    wrong: Vec<String>,
    /// What differed once and was right a moment later.
    fleeting: BTreeSet<String>,
    /// Metrics of which there was something to compare.
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

    /// Begins the next phase of the run.
    pub(crate) fn phase(&mut self, name: &str) {
        println!("  {name}");
        name.clone_into(&mut self.phase);
    }

    pub(crate) fn right(&mut self) {
        self.right += 1;
    }

    /// Takes note that a metric had a value to compare.
    pub(crate) fn occurred(&mut self, metric: &'static str) {
        self.occurred.insert(metric);
    }

    /// A metric that never had a value was compared with nothing.
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

    /// Takes note of whether two things are the same.
    pub(crate) fn same<T: PartialEq + Debug>(&mut self, what: &str, expected: &T, found: &T) {
        if expected == found {
            self.right();
        } else {
            self.wrong(&format!("{what}: {}", difference(expected, found)));
        }
    }

    /// Compares two things of a cluster that moves: what is expected is asked before and after what is found.
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
            None => self.wrong(&format!("{what} never stood still")),
        }
    }

    /// Takes note of whether something is so.
    pub(crate) fn holds(&mut self, what: &str, is_so: bool) {
        if is_so { self.right() } else { self.wrong(what) }
    }

    /// Keeps Nomad's answers and what the exporter made of them.
    pub(crate) fn save(&self, answers: &Answers, shown: &str) {
        let name: String = self
            .phase
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
            .collect();
        let folder = self.folder.join(name);
        answers.save(&folder);
        std::fs::write(folder.join("shown.prom"), shown).unwrap();
        println!("    Nomad's answers and what was shown: {}", folder.display());
    }

    /// Prints the sum, and fails if anything was wrong.
    pub(crate) fn end(self) {
        for line in &self.fleeting {
            println!("  differed for a moment: {line}");
        }
        println!("  {} comparisons were right, {} wrong", self.right, self.wrong.len());
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}

/// The lines in which two things differ, of those that they are written in.
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
