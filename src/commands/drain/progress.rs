//! Progress of a drain: one line that is updated on a terminal, or one line per change elsewhere.

use std::io::{IsTerminal, Write};
use std::time::SystemTime;

use clap::ColorChoice;

use crate::commands::terminal::{Terminal, Tone};
use crate::human;

/// Length of the bar in columns.
const BAR: usize = 20;
/// Minimum width for a bar.
const NARROW: usize = 60;

/// State of a drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Number of remaining allocations.
    pub(super) left: usize,
    /// When the drain stops them; `None` means no deadline.
    pub(super) deadline: Option<SystemTime>,
    /// Special state, such as stopping or disconnected.
    pub(super) note: Option<&'static str>,
    /// Job of the oldest allocation, and when it was placed.
    pub(super) oldest: Option<(String, SystemTime)>,
}

/// Prints progress and messages to stderr. Write errors are ignored, because a closed pipe must not end the
/// wait.
pub(super) struct Progress {
    terminal: Terminal,
    redraws: bool,
    node: String,
    /// Maximum number of remaining allocations so far.
    total: usize,
    last: Option<Step>,
    /// Whether there is a line to redraw.
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

    /// Shows the state.
    pub(super) fn show(&mut self, step: Step, now: SystemTime) {
        self.total = self.total.max(step.left);
        if self.redraws {
            write(&format!("\r\u{1b}[K{}", self.line(&step, now)));
            self.is_open = true;
        } else if self.has_changed(&step) {
            write(&format!("{} {}\n", human::clock(now), self.line(&step, now)));
        }
        self.last = Some(step);
    }

    /// Prints a message that stays.
    pub(super) fn say(&mut self, tone: Tone, text: &str) {
        let end = if std::mem::take(&mut self.is_open) { "\r\u{1b}[K" } else { "" };
        write(&format!("{end}{}\n", self.terminal.paint(tone, text)));
    }

    /// Returns whether the state has changed. The age of the oldest allocation alone is no change.
    fn has_changed(&self, step: &Step) -> bool {
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
        // A line that wraps cannot be redrawn, so the last parts are dropped.
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

/// Writes to stderr, and ignores errors.
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
    fn without_a_terminal_only_changes_are_printed() {
        let mut progress = progress(false, None);
        assert!(progress.has_changed(&step(8)));
        progress.last = Some(step(8));
        assert!(!progress.has_changed(&Step { oldest: None, ..step(8) }));
        assert!(progress.has_changed(&step(7)));
        assert!(progress.has_changed(&Step { note: Some("stopping"), ..step(8) }));
    }
}
