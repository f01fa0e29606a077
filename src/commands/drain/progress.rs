//! What a drain that is waited for shows: one line that is redrawn on a terminal, and one line a change elsewhere.

use std::io::{IsTerminal, Write};
use std::time::SystemTime;

use clap::ColorChoice;

use crate::commands::terminal::{Terminal, Tone};
use crate::human;

/// The bar's length where there is room, in columns.
const BAR: usize = 20;
/// Below this width there is no bar.
const NARROW: usize = 60;

/// How far a drain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// How many allocations live there.
    pub(super) left: usize,
    /// When the drain stops them; `None` never.
    pub(super) deadline: Option<SystemTime>,
    /// What is special: it is over and they are stopping; Nomad does not answer.
    pub(super) note: Option<&'static str>,
    /// The one that has lived longest, and since when.
    pub(super) oldest: Option<(String, SystemTime)>,
}

/// Where progress is shown. It goes to stderr, as does all that the command says: nobody who stops reading is to end
/// the wait.
pub(super) struct Progress {
    terminal: Terminal,
    redraws: bool,
    node: String,
    /// How many there were at most.
    total: usize,
    last: Option<Step>,
    /// Whether a line stands that is to be redrawn.
    is_open: bool,
}

impl Progress {
    pub(super) fn new(node: &str, color: ColorChoice) -> Self {
        let stderr = std::io::stderr();
        Self::on(Terminal::of(&stderr, color), stderr.is_terminal(), node)
    }

    fn on(terminal: Terminal, redraws: bool, node: &str) -> Self {
        let node = human::plain(node).into_owned();
        Self { terminal, redraws, node, total: 0, last: None, is_open: false }
    }

    /// Shows how far it is.
    pub(super) fn show(&mut self, step: Step, now: SystemTime) {
        self.total = self.total.max(step.left);
        if self.redraws {
            write(&format!("\r\u{1b}[K{}", self.line(&step, now)));
            self.is_open = true;
        } else if self.is_news(&step) {
            write(&format!("{} {}\n", human::clock(now), self.line(&step, now)));
        }
        self.last = Some(step);
    }

    /// Says something for good.
    pub(super) fn say(&mut self, tone: Tone, text: &str) {
        let end = if std::mem::take(&mut self.is_open) { "\r\u{1b}[K" } else { "" };
        write(&format!("{end}{}\n", self.terminal.paint(tone, text)));
    }

    /// The oldest ages by itself; that alone is no change.
    fn is_news(&self, step: &Step) -> bool {
        let known = |last: &Step| (last.left, last.deadline, last.note);
        self.last.as_ref().map(known) != Some(known(step))
    }

    fn line(&self, step: &Step, now: SystemTime) -> String {
        let width = self.terminal.width.filter(|_| self.redraws);
        let mut parts = vec![match step.note {
            Some(note) => format!("{} left, {note}", step.left),
            None => format!("{} left", step.left),
        }];
        if let (Some((job, since)), true) = (&step.oldest, step.left > 0) {
            parts.push(format!("{} for {}", human::plain(job), human::ago(now, *since)));
        }
        parts.extend(step.deadline.map(|deadline| format!("deadline {}", human::until(now, deadline))));
        let gone = self.total - step.left;
        let bar = match width {
            Some(width) if width >= NARROW && self.total > 0 => {
                let full = gone * BAR / self.total;
                let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
                format!("{} {gone}/{} ended, ", self.terminal.paint(Tone::Good, &bar), self.total)
            }
            _ => String::new(),
        };
        let head = format!("{}: ", self.node);
        // A line that wraps cannot be redrawn, so the last parts give way.
        let bar_width =
            if bar.is_empty() { 0 } else { BAR + format!(" {gone}/{} ended, ", self.total).len() };
        while let Some(width) = width
            && parts.len() > 1
            && head.chars().count() + bar_width + parts.join(", ").chars().count() >= width
        {
            parts.pop();
        }
        let line = format!("{head}{bar}{}", parts.join(", "));
        match width {
            Some(width) if bar.is_empty() => line.chars().take(width.saturating_sub(1)).collect(),
            _ => line,
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_open {
            write("\n");
        }
    }
}

/// Nobody need read it.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(200_000)
    }

    fn step(left: usize) -> Step {
        Step {
            left,
            deadline: Some(now() + Duration::from_secs(3_000)),
            note: None,
            oldest: Some(("build-7".to_owned(), now() - Duration::from_secs(61))),
        }
    }

    fn progress(redraws: bool, width: Option<usize>) -> Progress {
        let mut progress = Progress::on(Terminal::new(width, false), redraws, "client\u{1b}-1");
        progress.total = 20;
        progress
    }

    #[test]
    fn a_line_fits_its_terminal() {
        for (width, expected) in [
            (
                140,
                "client\\u{1b}-1: ████████████░░░░░░░░ 12/20 ended, 8 left, build-7 for 1 min 1 s, deadline in 50 min 0 s",
            ),
            (80, "client\\u{1b}-1: ████████████░░░░░░░░ 12/20 ended, 8 left, build-7 for 1 min 1 s"),
            (60, "client\\u{1b}-1: ████████████░░░░░░░░ 12/20 ended, 8 left"),
            (40, "client\\u{1b}-1: 8 left"),
            (10, "client\\u{"),
        ] {
            let line = progress(true, Some(width)).line(&step(8), now());
            assert_eq!(line, expected, "{width}");
            assert!(line.chars().count() < width);
        }
        let line = progress(false, Some(40)).line(&step(8), now());
        assert_eq!(line, "client\\u{1b}-1: 8 left, build-7 for 1 min 1 s, deadline in 50 min 0 s");
    }

    #[test]
    fn elsewhere_only_changes_are_news() {
        let mut progress = progress(false, None);
        assert!(progress.is_news(&step(8)));
        progress.last = Some(step(8));
        assert!(!progress.is_news(&Step { oldest: None, ..step(8) }));
        assert!(progress.is_news(&step(7)));
        assert!(progress.is_news(&Step { note: Some("stopping"), ..step(8) }));
    }
}
