//! Lines outside tables.

use tabled::grid::util::string::get_string_width;

use super::Problem;
use super::json::NamespacesJson;
use super::table::{Cell, bar, level_tone};
use super::terminal::{Terminal, Tone};
use crate::human::{percent, plain};
use crate::snapshot::Level;
use crate::terms::NodeState;

/// Column after the labels.
const LABEL: usize = 12;
/// Minimum width for bars.
const ROOM_FOR_BARS: usize = 60;

/// Renders a heading.
pub(super) fn heading(terminal: &Terminal, text: &str) -> String {
    format!("{}\n", terminal.paint(Tone::Title, text))
}

/// Renders a label and its parts, wrapped if necessary.
pub(super) fn line(terminal: &Terminal, label: &str, parts: &[Cell]) -> String {
    let mut lines = format!("{label:<LABEL$}");
    let mut used = LABEL;
    for (at, part) in parts.iter().enumerate() {
        let comma = if at + 1 < parts.len() { "," } else { "" };
        let width = get_string_width(&part.text) + comma.len();
        if at > 0 && terminal.width.is_some_and(|all| used + 1 + width > all) {
            lines.push_str(&format!("\n{:LABEL$}", ""));
            used = LABEL;
        } else if at > 0 {
            lines.push(' ');
            used += 1;
        }
        match part.tone {
            Some(tone) => lines.push_str(&terminal.paint(tone, &part.text)),
            None => lines.push_str(&part.text),
        }
        lines.push_str(comma);
        used += width;
    }
    format!("{}\n", lines.trim_end())
}

/// Renders a count; colored unless it is zero.
pub(super) fn counted(count: Option<u64>, what: &str, tone: Tone) -> Cell {
    match count {
        None => Cell::toned(&format!("? {what}"), Tone::Muted),
        Some(0) => format!("0 {what}").as_str().into(),
        Some(count) => Cell::toned(&format!("{count} {what}"), tone),
    }
}

/// Renders the used share of a total, with a bar if there is room.
pub(super) fn level(terminal: &Terminal, level: Option<Level>, of: fn(f64) -> String, verb: &str) -> Cell {
    let Some(level) = level else { return Cell::toned(&format!("? {verb}"), Tone::Muted) };
    let ratio = level.ratio();
    let text = format!("{} of {} {verb}", percent(ratio), of(level.total));
    match terminal.width {
        Some(width) if width < ROOM_FOR_BARS => Cell::toned(&text, level_tone(ratio)),
        _ => Cell::toned(&format!("{} {text}", bar(ratio)), level_tone(ratio)),
    }
}

/// Returns the color of a node state.
pub(super) fn state_tone(state: NodeState) -> Tone {
    match state {
        NodeState::Active => Tone::Good,
        NodeState::Down | NodeState::Disconnected => Tone::Bad,
        NodeState::Draining | NodeState::Ineligible | NodeState::Initializing | NodeState::Other => {
            Tone::Warn
        }
    }
}

/// Renders how many rows are not shown, if any.
pub(super) fn and_more(terminal: &Terminal, shown: usize, all: u64, how: &str) -> String {
    match all.saturating_sub(shown as u64) {
        0 => String::new(),
        more => format!("{}\n", terminal.paint(Tone::Muted, &format!("and {more} more{how}"))),
    }
}

/// Renders that not all namespaces are read, and why, if that is so.
pub(super) fn partial_line(terminal: &Terminal, namespaces: &NamespacesJson) -> String {
    match (namespaces.all, &namespaces.reason) {
        (Some(false), Some(reason)) => {
            let what = terminal.paint(Tone::Warn, "not all namespaces are read:");
            format!("{what} {}; allocations per client are omitted\n", plain(reason))
        }
        _ => String::new(),
    }
}

/// Renders what could not be read, and why.
pub(super) fn problem_lines(terminal: &Terminal, problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let what = format!("cannot read {}:", problem.what);
        format!("{} {}\n", terminal.paint(Tone::Bad, &what), plain(&problem.error))
    };
    problems.iter().map(line).collect()
}
