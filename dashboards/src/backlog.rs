//! Backlog: queued allocations, with reason and age, and the clients that they need.

use serde_json::Value;

use crate::board::{Board, Variable};
use crate::hanging::{failures, hanging};
use crate::overview::{blocked_by_reason, oldest_pending, pending_jobs, queued_allocations};
use crate::panel::{Panel, heatmap, stat, timeseries};
use crate::promql::{POOL, all, demand, each, free, largest, quantile, rate};
use crate::table::{Column, JOB_LABELS, table};

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-backlog",
        "Nomad / Backlog",
        "Pending jobs and queued allocations: how many, for how long and why, and the clients that they need.",
        &[Variable::Namespace, Variable::NodePool],
    )
    .row("Now", now())
    .row("Trend", flow())
    .row("Pending jobs and queued allocations", waiting())
    .row("Reasons", why())
    .row("Requested and free resources", missing())
    .row("Placement delay", delay())
    .row("Starting, stopping and running allocations", hanging())
    .row("Failures", failures())
    .build()
}

fn now() -> [Panel; 7] {
    let sum = |title, description, query: &str| stat(title, description, "none", query).size(3, 4);
    [
        pending_jobs().size(4, 4),
        oldest_pending().size(4, 4),
        queued_allocations().size(4, 4),
        sum(
            "Unsized allocations",
            "Queued allocations whose requested resources are not fully included in the requested CPU and memory \
             below, because their specification was not read or they reserve cores. If there are any, those sums are \
             too low.",
            &all("", "nomad_queued_allocations_unsized{%ns}"),
        )
        .thresholds("text", &[(1.0, "yellow")]),
        sum(
            "Blocked evaluations",
            "Evaluations that are blocked until the cluster has the requested resources.",
            &all("", "nomad_blocked_evaluations{%ns}"),
        ),
        stat(
            "Oldest blocked",
            "Age of the oldest blocked evaluation; 0 if none is blocked.",
            "s",
            &format!(
                "max(namespace:nomad_blocked_evaluations_oldest_age:seconds{{%ns}}) or 0 * {}",
                all("", "nomad_blocked_evaluations{%ns}")
            ),
        ),
        sum(
            "Pending evaluations",
            "Evaluations that wait for a scheduler.",
            &all("", "nomad_pending_evaluations{%ns}"),
        ),
    ]
}

/// Returns the panels for whether the backlog grows.
fn flow() -> [Panel; 2] {
    let placed = rate("", "nomad_job_placement_delay_seconds_count{%ns}");
    let pending = "sum(namespace:nomad_pending_jobs:sum{%ns})";
    let growth = "sum(deriv(namespace:nomad_pending_jobs:sum{%ns}[15m]))";
    [
        timeseries(
            "Arrivals and completions",
            "Jobs per minute that arrive (placed jobs, plus the growth of the number of pending jobs over 15 \
             minutes), that get their first allocation (placed), and that finish. If more jobs arrive than are \
             placed, the backlog grows.",
            "cpm",
        )
        .query(&format!("clamp_min(60 * ({placed} + {growth}), 0)"), "arriving")
        .query(&format!("60 * {placed}"), "placed")
        .query(&format!("60 * {}", rate("", "nomad_job_completions_total{%ns}")), "finished"),
        timeseries(
            "Time to clear the backlog",
            "Time until no job is pending: at the current placement rate if no more jobs arrived, and at the rate at \
             which the backlog has shrunk within the last 15 minutes. No line means that the backlog does not \
             shrink.",
            "s",
        )
        .query(&format!("{pending} / ({placed} > 0)"), "if none arrived")
        .query(&format!("{pending} / (-1 * {growth} > 0)"), "as it shrinks"),
    ]
}

fn waiting() -> [Panel; 5] {
    let kinds = "{{namespace}} {{job_type}}";
    [
        timeseries("Pending jobs by namespace and type", "Jobs without any allocation yet.", "short")
            .size(8, 8)
            .query(&all("namespace, job_type", r#"nomad_jobs{%ns, status="pending"}"#), kinds)
            .stacked(),
        timeseries("Queued allocations by pool", "Desired allocations that have not been placed.", "short")
            .size(8, 8)
            .query(
                "sum by (node_pool) (namespace_pool:nomad_queued_allocations:sum{%ns, %pool})",
                "{{node_pool}}",
            )
            .stacked(),
        timeseries(
            "Age of the oldest pending job",
            "How long the oldest pending job has waited; 0 if none is pending.",
            "s",
        )
        .size(8, 8)
        .query(
            "max by (namespace) (namespace:nomad_pending_jobs_oldest_age:seconds{%ns}) \
             or 0 * sum by (namespace) (namespace:nomad_pending_jobs:sum{%ns})",
            "{{namespace}}",
        ),
        heatmap(
            "Ages of the pending jobs",
            "Number of pending jobs over time, by age.",
            &all("le", "nomad_pending_jobs_age_seconds_bucket{%ns}"),
        ),
        table(
            "Oldest pending jobs",
            "The jobs that have been pending for the longest time. The exporter's flag --collect.pending-jobs sets \
             how many it exposes.",
            "No job is pending",
            &JOB_LABELS.into_iter().chain([("reason", "Reason")]).collect::<Vec<_>>(),
            &[Column::new(
                "Age",
                "s",
                format!(
                    "sort_desc({})",
                    largest("namespace, job_id, reason", "time() - nomad_pending_job_timestamp_seconds{%ns}")
                ),
            )],
        ),
    ]
}

fn why() -> [Panel; 3] {
    [
        blocked_by_reason().size(8, 8),
        timeseries(
            "Blocked and pending evaluations",
            "Blocked evaluations wait for capacity, pending evaluations wait for a scheduler. Many pending \
             evaluations mean that the servers are busy.",
            "short",
        )
        .size(8, 8)
        .query(&all("", "nomad_blocked_evaluations{%ns}"), "blocked")
        .query(&all("", "nomad_pending_evaluations{%ns}"), "pending"),
        timeseries(
            "Unplaceable allocations by pool",
            "Queued allocations that fit on no client of their pool, not even on an empty one: they request more \
             than the largest client has, or constraints exclude every client. More clients of the same kind do not \
             help.",
            "short",
        )
        .size(8, 8)
        .query(
            "sum by (cluster, region, node_pool, reason) \
             (namespace_pool_reason:nomad_queued_allocations_unplaceable:max{%ns, %pool})",
            &format!("{POOL} {{{{reason}}}}"),
        )
        .stacked(),
    ]
}

fn missing_clients() -> Panel {
    timeseries(
        "Missing clients by pool",
        "Number of additional clients of the pool's most common size that the queued allocations need if each is \
         placed where it fits. Excludes unplaceable allocations. The pool all stands for allocations that may run in \
         every pool and do not fit in any.",
        "short",
    )
    .size(8, 9)
    .query(&largest("node_pool", "nomad_pool_clients_missing{%pool}"), POOL)
}

fn missing() -> [Panel; 6] {
    let against = |title, what: &str, unit, resource| {
        let description = format!(
            "{what} requested by the queued allocations of the selected namespaces, and free on the active nodes of \
             each pool. A pool with a requested line but no free line has no active nodes."
        );
        timeseries(title, &description, unit)
            .size(8, 9)
            .query(&demand(resource), &format!("{POOL} requested"))
            .query(&free(resource), &format!("{POOL} free"))
    };
    let piece = |title, what: &str, unit, resource| {
        let description = format!(
            "Largest amount of free {what} on a single active node of each pool. An allocation that requests more \
             has to wait, even if the pool has more in total."
        );
        timeseries(title, &description, unit)
            .size(8, 9)
            .query(&format!("pool:nomad_node_free_{resource}:max{{%pool}}"), POOL)
    };
    [
        timeseries(
            "Wanted, needed and active clients by pool",
            "Wanted: clients that the autoscaler should run. Needed: clients that the jobs need at the moment. \
             Active: clients that accept new allocations. Wanted and needed come from the rules in \
             deploy/autoscaler.",
            "short",
        )
        .size(8, 9)
        .query("pool:nomad_clients_wanted:count{%pool}", &format!("{POOL} wanted"))
        .query("pool:nomad_clients_needed:count{%pool}", &format!("{POOL} needed"))
        .query("pool:nomad_nodes_active:sum{%pool}", &format!("{POOL} active")),
        against("CPU requested and free, by pool", "CPU", "hertz", "cpu_hertz"),
        against("Memory requested and free, by pool", "Memory", "bytes", "memory_bytes"),
        missing_clients(),
        piece("Largest free CPU of a client, by pool", "CPU", "hertz", "cpu_hertz"),
        piece("Largest free memory of a client, by pool", "memory", "bytes", "memory_bytes"),
    ]
}

fn delay() -> [Panel; 2] {
    let delay = |q| quantile(q, "nomad_job_placement_delay_seconds", "{%ns}", "le");
    let grown = each("le", "increase(nomad_job_placement_delay_seconds_bucket{%ns}[$__rate_interval])");
    [
        heatmap(
            "Placement delays",
            "Number of placed jobs over time, by the time from their submission to their first allocation.",
            &format!("sum by (le) ({grown})"),
        ),
        timeseries(
            "Quantiles of the placement delay",
            "Time from the submission of a job to its first allocation. No line means that no job was placed.",
            "s",
        )
        .query(&delay(0.5), "median")
        .query(&delay(0.95), "95 %")
        .query(&delay(0.99), "99 %"),
    ]
}
