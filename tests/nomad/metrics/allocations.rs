//! Allocations, and what single ones were allocated.

use serde_json::Value;

use super::nodes::needs;
use super::{MHZ, MIB, count, sum};
use crate::answers::{number, text, texts};
use crate::comparison::{Metric, Numbers, View, metric};

const ALLOCATION: &[&str] = &["namespace", "job_id", "task_group", "alloc_id", "node_id"];

pub(super) const METRICS: &[Metric] = &[
    metric("nomad_allocations", &["namespace", "job_type", "client_status"], |view| {
        count(&view.answers.allocations, |row| texts(row, &["Namespace", "JobType", "ClientStatus"]))
    })
    .filled(),
    metric("nomad_allocated_cpu_hertz", &["namespace", "job_type"], |view| {
        live(view, |row| needs(row, |task| number(&task["Cpu"]["CpuShares"])) * MHZ)
    })
    .filled(),
    metric("nomad_allocated_memory_bytes", &["namespace", "job_type"], |view| {
        live(view, |row| needs(row, |task| number(&task["Memory"]["MemoryMB"])) * MIB)
    })
    .filled(),
];

/// A sum over the live allocations of each namespace and job type.
fn live(view: &View<'_>, value: impl Fn(&Value) -> f64) -> Numbers {
    sum(view.answers.live(), |row| (texts(row, &["Namespace", "JobType"]), value(row)))
}

/// Metrics of single allocations, which are off unless they are switched on.
pub(crate) const USAGE: &[Metric] = &[
    metric("nomad_allocation_cpu_allocated_hertz", ALLOCATION, |view| {
        running(view, |row| needs(row, |task| number(&task["Cpu"]["CpuShares"])) * MHZ)
    }),
    metric("nomad_allocation_memory_allocated_bytes", ALLOCATION, |view| {
        running(view, |row| needs(row, |task| number(&task["Memory"]["MemoryMB"])) * MIB)
    }),
];

/// A value of each running allocation whose client answers.
fn running(view: &View<'_>, value: impl Fn(&Value) -> f64) -> Numbers {
    let is_there = |row: &Value| view.answers.hosts.contains_key(text(row, "NodeID"));
    let running = view.answers.allocations.iter();
    let running = running.filter(|row| text(row, "ClientStatus") == "running" && is_there(row));
    let key = |row: &Value| texts(row, &["Namespace", "JobID", "TaskGroup", "ID", "NodeID"]);
    running.map(|row| (key(row), value(row))).collect()
}
