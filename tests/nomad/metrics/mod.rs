//! What each metric has to show, worked out from Nomad's answers alone. Nothing here is the exporter's code.

mod allocations;
mod backlog;
mod drains;
mod hosts;
mod jobs;
mod named;
mod nodes;
mod outcomes;
mod servers;
mod work;

use serde_json::Value;

use crate::comparison::{Metric, Numbers};

/// Every metric that is compared.
pub(crate) const METRICS: &[&[Metric]] = &[
    jobs::METRICS,
    outcomes::METRICS,
    backlog::METRICS,
    work::METRICS,
    named::METRICS,
    allocations::METRICS,
    nodes::METRICS,
    drains::METRICS,
    hosts::METRICS,
    servers::METRICS,
];

/// Metrics of single allocations, which are off unless they are switched on.
pub(crate) use allocations::USAGE;
/// How many instances of a job are queued.
pub(crate) use backlog::queued_of;
/// Why a job waits, and since when.
pub(crate) use backlog::{reason_of, waits_since};
/// Whether a node is drained, if a drain is on or behind it.
pub(crate) use drains::is_drained;
/// How many allocations the drain of a node waits for, and which its client still has to do with.
pub(crate) use drains::{occupying, remaining};
/// A node's state.
pub(crate) use nodes::state;
/// What a node's live allocations have, and what it has for them.
pub(crate) use nodes::{Amounts, allocatable, allocated};
/// The job's outcome, as `nomad-exporter jobs` names it.
pub(crate) use outcomes::outcome;
/// How many allocations failed by cause, and how often tasks were restarted.
pub(crate) use work::{ever_failed, restarts};

const MIB: f64 = 1_048_576.0;
const MHZ: f64 = 1e6;

/// Counts rows by label values.
fn count<'a>(rows: impl IntoIterator<Item = &'a Value>, key: impl Fn(&Value) -> Vec<String>) -> Numbers {
    sum(rows, |row| (key(row), 1.0))
}

/// Sums values of rows by label values.
fn sum<'a>(
    rows: impl IntoIterator<Item = &'a Value>,
    part: impl Fn(&Value) -> (Vec<String>, f64),
) -> Numbers {
    let mut sums = Numbers::new();
    for row in rows {
        let (key, value) = part(row);
        *sums.entry(key).or_insert(0.0) += value;
    }
    sums
}

/// The earliest of times in nanoseconds, by label values, in seconds.
fn earliest<'a>(
    rows: impl IntoIterator<Item = &'a Value>,
    time: &str,
    key: impl Fn(&Value) -> Vec<String>,
) -> Numbers {
    let mut earliest = Numbers::new();
    for row in rows {
        let seconds = crate::answers::number(&row[time]) / 1e9;
        let known = earliest.entry(key(row)).or_insert(seconds);
        *known = known.min(seconds);
    }
    earliest
}
