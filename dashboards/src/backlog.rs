//! Backlog: queued allocations, with reason and age, and the clients that they need.

use serde_json::Value;

use crate::board::{Board, Variable};
use crate::hanging::{failures, hanging};
use crate::overview::{blocked_by_reason, oldest_pending, pending_jobs, queued_allocations};
use crate::panel::{Panel, heatmap, stat, timeseries};
use crate::promql::{POOL, all, demand, each, free, largest, quantile, rate};
use crate::table::{Column, table};

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-backlog",
        "Nomad / Backlog",
        "What waits, why and since when, and what it would take to run it.",
        &[Variable::Namespace, Variable::NodePool],
    )
    .row("Now", now())
    .row("Does it grow", flow())
    .row("What waits, and since when", waiting())
    .row("Why", why())
    .row("What it would take", missing())
    .row("How long it took", delay())
    .row("What starts, stops and runs, and for how long", hanging())
    .row("What fails", failures())
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
            "Queued allocations whose requests are not in the sums below: their specification was not read, or they \
             request whole cores. If there are any, the demand below is too low.",
            &all("", "nomad_queued_allocations_unsized{%ns}"),
        )
        .thresholds("text", &[(1.0, "yellow")]),
        sum(
            "Blocked evaluations",
            "Evaluations that are blocked until the cluster has what they request.",
            &all("", "nomad_blocked_evaluations{%ns}"),
        ),
        stat(
            "Oldest blocked",
            "How long the oldest blocked evaluation has been blocked; 0 if none is.",
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
            "Jobs that arrive in a minute (those that are placed, plus the growth of what is pending over 15 minutes), get \
             their first allocation, and finish. If more arrive than are placed, the backlog grows.",
            "cpm",
        )
        .query(&format!("clamp_min(60 * ({placed} + {growth}), 0)"), "arriving")
        .query(&format!("60 * {placed}"), "placed")
        .query(&format!("60 * {}", rate("", "nomad_job_completions_total{%ns}")), "finished"),
        timeseries(
            "Time to clear the backlog",
            "How long it takes until no job is pending: at the rate at which jobs are placed, if no more arrived; and as the \
             backlog has shrunk within the last 15 minutes. No line means that it does not shrink.",
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
        timeseries("Queued allocations by pool", "Allocations that should run and are not placed.", "short")
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
            "How many jobs were pending at each moment, by how long they had waited.",
            &all("le", "nomad_pending_jobs_age_seconds_bucket{%ns}"),
        ),
        table(
            "Oldest pending jobs",
            "The jobs that have waited longest, by name. The exporter's --collect.pending-jobs says how many it names.",
            "No job is pending",
            &[
                ("cluster", "Cluster"),
                ("region", "Region"),
                ("namespace", "Namespace"),
                ("job_id", "Job"),
                ("reason", "Reason"),
            ],
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
            "Blocked ones wait for capacity, pending ones for a scheduler: many of these mean that the servers are busy.",
            "short",
        )
        .size(8, 8)
        .query(&all("", "nomad_blocked_evaluations{%ns}"), "blocked")
        .query(&all("", "nomad_pending_evaluations{%ns}"), "pending"),
        timeseries(
            "Unplaceable allocations by pool",
            "Queued allocations that no client of their pool could take, were it empty: they request more than the largest has, \
             or constraints rule out every client. More clients of the same kind do not help.",
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
        "How many more clients of the pool's most common size the queued allocations need, each placed where there is room. \
         Unplaceable allocations need none. The pool named all is what may run in every pool and fits into none.",
        "short",
    )
    .size(8, 9)
    .query(&largest("node_pool", "nomad_pool_clients_missing{%pool}"), POOL)
}

fn missing() -> [Panel; 6] {
    let against = |title, what: &str, unit, resource| {
        let description = format!(
            "{what} that is requested by the queued allocations of the selected namespaces, and {what} that each pool's \
             active nodes have left. Demand with nothing free beside it is for a pool without active nodes."
        );
        timeseries(title, &description, unit)
            .size(8, 9)
            .query(&demand(resource), &format!("{POOL} requested"))
            .query(&free(resource), &format!("{POOL} free"))
    };
    let piece = |title, what: &str, unit, resource| {
        let description = format!(
            "The most {what} that one active node of each pool has left. An allocation that requests more waits, however \
             much is free in all."
        );
        timeseries(title, &description, unit)
            .size(8, 9)
            .query(&format!("pool:nomad_node_free_{resource}:max{{%pool}}"), POOL)
    };
    [
        timeseries(
            "Wanted, needed and active clients by pool",
            "Clients that an autoscaler is to have, those that the work takes at the moment, and those that take work. \
             Wanted and needed ones come from the rules in deploy/autoscaler.",
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
            "How long jobs waited from their submission to their first allocation, by when that came.",
            &format!("sum by (le) ({grown})"),
        ),
        timeseries("Quantiles of the placement delay", "Without a line nothing was placed.", "s")
            .query(&delay(0.5), "median")
            .query(&delay(0.95), "95 %")
            .query(&delay(0.99), "99 %"),
    ]
}
