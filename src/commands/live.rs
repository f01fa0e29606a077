//! Table of allocations.

use std::time::SystemTime;

use super::table::{Cell, Column, table};
use super::terminal::{Terminal, Tone};
use crate::human;
use crate::nomad::api::AllocationSummary;
use crate::terms::{ClientStatus, Term};

const COLUMNS: [Column; 5] = [
    Column::text("ALLOCATION", 0),
    Column::text("JOB", 0),
    Column::text("GROUP", 2),
    Column::text("STATUS", 1),
    Column::text("SINCE", 3),
];

/// Renders a line per allocation: ID, job, group, status and time in that status.
pub(super) fn rows<'a>(
    all: impl Iterator<Item = &'a AllocationSummary>,
    terminal: &Terminal,
    now: SystemTime,
) -> String {
    table(terminal, &COLUMNS, all.map(|it| row(it, now)).collect())
}

fn row(it: &AllocationSummary, now: SystemTime) -> Vec<Cell> {
    let word = |text: &Option<String>| Cell::from(text.as_deref().unwrap_or("?"));
    let status = match it.client_status {
        status @ ClientStatus::Running => Cell::from(status.as_str()),
        status => Cell::toned(status.as_str(), Tone::Warn),
    };
    let since = it.modified().or(it.created()).map(|since| human::ago(now, since));
    vec![
        it.short_id().into(),
        word(&it.job_id),
        word(&it.task_group),
        status,
        Cell::from(since.unwrap_or_default().as_str()),
    ]
}
