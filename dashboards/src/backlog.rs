//! What waits, why and since when, and what it would take to run it.

use serde_json::Value;

use crate::board::{Board, Variable};
use crate::overview::{blocked_by_reason, oldest_pending};
use crate::panel::{Panel, heatmap, stat, timeseries};
use crate::promql::{age, demand, free, missing_clients, quantile};
use crate::table::{Column, table};

const OLDEST: &str = "nomad_pending_jobs_oldest_timestamp_seconds";
const OLDEST_BLOCKED: &str = "nomad_blocked_evaluations_oldest_timestamp_seconds";

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-backlog",
        "Nomad / Backlog",
        "What waits, why and since when, and what it would take to run it.",
        &[Variable::Namespace, Variable::NodePool],
    )
    .row("Now", now())
    .row("What waits, and since when", waiting())
    .row("Why", why())
    .row("What it would take", missing())
    .row("How long it took", delay())
    .build()
}

fn now() -> [Panel; 7] {
    let sum = |title, description, query: &str| stat(title, description, "none", query).size(4, 4);
    [
        sum("Pending jobs", "Jobs with nothing placed yet.", r#"sum(nomad_jobs{%ns, status="pending"})"#),
        oldest_pending().size(4, 4),
        sum(
            "Queued instances",
            "Instances that should run and are not placed, those of running jobs included.",
            "sum(nomad_queued_allocations{%ns, %pool})",
        ),
        sum(
            "Unsized instances",
            "Queued instances that are missing in what the backlog asks for: their specification was not read, or they \
             ask for whole cores. If there are any, the demand below is too low.",
            "sum(nomad_queued_allocations_unsized{%ns})",
        )
        .size(3, 4)
        .thresholds("text", &[(1.0, "yellow")]),
        sum(
            "Blocked evaluations",
            "Evaluations that are blocked until the cluster has what they ask for.",
            "sum(nomad_blocked_evaluations{%ns})",
        )
        .size(3, 4),
        stat(
            "Oldest blocked",
            "How long the oldest blocked evaluation has been blocked; 0 where none is.",
            "s",
            &age(OLDEST_BLOCKED, "nomad_blocked_evaluations", ""),
        ),
        sum("Pending evaluations", "Evaluations that wait for a scheduler.", "sum(nomad_pending_evaluations{%ns})")
            .size(3, 4),
    ]
}

fn waiting() -> [Panel; 5] {
    let kinds = "{{namespace}} {{job_type}}";
    [
        timeseries("Pending jobs by namespace and type", "Jobs with nothing placed yet.", "short")
            .size(8, 8)
            .query(r#"sum by (namespace, job_type) (nomad_jobs{%ns, status="pending"})"#, kinds)
            .stacked(),
        timeseries("Queued instances by pool", "Instances that should run and are not placed.", "short")
            .size(8, 8)
            .query("sum by (node_pool) (nomad_queued_allocations{%ns, %pool})", "{{node_pool}}")
            .stacked(),
        timeseries(
            "Age of the oldest pending job",
            "How long the oldest pending job has waited; 0 where none is pending.",
            "s",
        )
        .size(8, 8)
        .query(&age(OLDEST, "nomad_queued_allocations", " by (namespace, job_type) "), kinds),
        heatmap(
            "Ages of the pending jobs",
            "How many jobs were pending at each moment, by how long they had waited.",
            "sum by (le) (nomad_pending_jobs_age_seconds_bucket{%ns})",
        ),
        table(
            "Oldest pending jobs",
            "The jobs that have waited longest, by name. The exporter's --collect.pending-jobs says how many it names.",
            "No job is pending",
            &[("namespace", "Namespace"), ("job_id", "Job"), ("reason", "Reason")],
            &[Column::new(
                "Age",
                "s",
                "sort_desc(max by (namespace, job_id, reason) (time() - nomad_pending_job_timestamp_seconds{%ns}))",
            )],
        ),
    ]
}

fn why() -> [Panel; 2] {
    [
        blocked_by_reason(),
        timeseries(
            "Blocked and pending evaluations",
            "Blocked ones wait for capacity, pending ones for a scheduler: many of these mean that the servers are busy.",
            "short",
        )
        .query("sum(nomad_blocked_evaluations{%ns})", "blocked")
        .query("sum(nomad_pending_evaluations{%ns})", "pending"),
    ]
}

fn missing() -> [Panel; 3] {
    let against = |title, what: &str, unit, resource| {
        let description = format!(
            "{what} that the queued instances of the selected namespaces ask for, and {what} that each pool's active \
             nodes have left. Demand with nothing free beside it is for a pool without active nodes."
        );
        timeseries(title, &description, unit)
            .size(8, 9)
            .query(&demand(resource), "{{node_pool}} asked for")
            .query(&free(resource), "{{node_pool}} free")
    };
    [
        against("CPU asked for and free, by pool", "CPU", "hertz", "cpu_hertz"),
        against("Memory asked for and free, by pool", "Memory", "bytes", "memory_bytes"),
        timeseries(
            "Missing clients by pool",
            "How many more clients of a pool's usual size its queued instances need: what they ask for less what is free, \
             by what an active node has on average. What is free in pieces that are too small counts as free, so it can \
             be more. The pool named all stands for any pool and is not in it.",
            "short",
        )
        .size(8, 9)
        .query(&missing_clients("cpu_hertz"), "{{node_pool}} by CPU")
        .query(&missing_clients("memory_bytes"), "{{node_pool}} by memory"),
    ]
}

fn delay() -> [Panel; 2] {
    let delay = |q| quantile(q, "nomad_job_placement_delay_seconds", "{%ns}", "le");
    [
        heatmap(
            "Placement delays",
            "How long jobs waited from their submission to their first allocation, by when that came.",
            "sum by (le) (increase(nomad_job_placement_delay_seconds_bucket{%ns}[$__rate_interval]))",
        ),
        timeseries("Quantiles of the placement delay", "Without a line nothing was placed.", "s")
            .query(&delay(0.5), "median")
            .query(&delay(0.95), "95 %")
            .query(&delay(0.99), "99 %"),
    ]
}
