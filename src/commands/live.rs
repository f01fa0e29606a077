//! Allocations as lines.

use std::time::SystemTime;

use super::terminal::{Terminal, Tone};
use crate::human::{self, plain};
use crate::nomad::api::Instance;
use crate::terms::{ClientStatus, Term};

/// A line for each: ID, job, group, status and for how long.
pub(super) fn table<'a>(
    all: impl Iterator<Item = &'a Instance>,
    terminal: &Terminal,
    now: SystemTime,
) -> String {
    let rows: Vec<[String; 5]> = all.map(|it| row(it, now)).collect();
    let widths: Vec<usize> =
        (0..5).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = format!("  {}", cells.collect::<Vec<_>>().join("  "));
        let width = terminal.width.unwrap_or(usize::MAX);
        let line: String = line.trim_end().chars().take(width).collect();
        let tone = if row[3].starts_with("running") { None } else { Some(Tone::Warn) };
        format!("{}\n", tone.map_or(line.clone(), |tone| terminal.paint(tone, &line)))
    };
    rows.iter().map(line).collect()
}

fn row(it: &Instance, now: SystemTime) -> [String; 5] {
    let word = |text: &Option<String>| plain(text.as_deref().unwrap_or("?")).into_owned();
    let since = if it.client_status == ClientStatus::Running { it.created() } else { it.modified() };
    [
        plain(it.short_id()).into_owned(),
        word(&it.job_id),
        word(&it.task_group),
        it.client_status.as_str().to_owned(),
        since.map_or_else(String::new, |since| human::ago(now, since)),
    ]
}
