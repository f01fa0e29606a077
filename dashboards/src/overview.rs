//! Overview: capacity, backlog with age and reason, and draining clients.

use serde_json::{Value, json};

use crate::board::{Board, Variable};
use crate::hanging::{failures_by_cause, longest_now, start_delay};
use crate::panel::{Panel, Words, YES, stat, text, timeseries, yes_or_no};
use crate::promql::{POOL, all, largest, quantile, rate};
use crate::services::short_and_dead;
use crate::table::{Column, drains, table};

/// Node states, in the order of stacking.
pub(crate) const NODE_STATES: &[&str] =
    &["active", "initializing", "draining", "ineligible", "disconnected", "down"];

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-overview",
        "Nomad / Overview",
        "Capacity, pending jobs with age and reason, failures, and draining clients.",
        &[Variable::Namespace, Variable::NodePool],
    )
    .row("Now", now())
    .row("Work", work())
    .row("Failures and delays", trouble())
    .row("Capacity", capacity())
    .row("Allocated resources by namespace", crate::holdings::panels())
    .row(
        "Servers",
        [servers().size(24, 6), text(
            "How to read this",
            "What the words on this dashboard mean.",
            "**Active** nodes accept new allocations: they are the capacity of the cluster. **Pending** jobs have no \
             allocation yet; **queued** allocations are desired but have not been placed, including those of running \
             jobs. If a panel has no data, its collector is off, lacks permissions, or has failed for too long: see \
             the *Nomad / Exporter* dashboard. The *Runbooks* linked above say what to do.",
        )],
    )
    .build()
}

fn now() -> Vec<Panel> {
    let reached = Words { no: ("no", "red"), yes: ("up", "green") };
    let jobs = |status: &str| all("", &format!(r#"nomad_jobs{{%ns, status="{status}"}}"#));
    // The worst of all clusters and regions; of replicas, the best one counts.
    let worst = |metric: &str| format!("min({})", largest("", metric));
    vec![
        yes_or_no(
            "Nomad",
            "Whether the last refresh of every required collector succeeded.",
            reached,
            &worst("nomad_up"),
        ),
        yes_or_no(
            "Leader",
            "Whether the region has a leader. Without a leader, nothing is scheduled.",
            YES,
            &worst("nomad_has_leader"),
        ),
        stat(
            "Active nodes",
            "Nodes that accept new allocations: the capacity of the cluster.",
            "none",
            active_nodes(),
        )
        .thresholds("red", &[(1.0, "green")]),
        down_nodes().size(3, 4),
        stat(
            "Draining nodes",
            "Nodes whose allocations end or move to other nodes. They get no new allocations.",
            "none",
            &all("", r#"nomad_nodes{%pool, state="draining"}"#),
        )
        .size(2, 4)
        .thresholds("text", &[(1.0, "yellow")]),
        stat("Running jobs", "Jobs with at least one allocation.", "none", &jobs("running")),
        pending_jobs().thresholds("text", &[(1.0, "yellow")]),
        oldest_pending(),
        queued_allocations().thresholds("text", &[(1.0, "yellow")]),
    ]
}

pub(crate) fn active_nodes() -> &'static str {
    "sum(pool:nomad_nodes_active:sum{%pool})"
}

/// Returns the number of down nodes that were not drained before.
pub(crate) fn down_nodes() -> Panel {
    stat(
        "Down nodes",
        "Nodes that missed their heartbeats and were not drained before. A client that was drained and terminated \
         stays down until Nomad garbage-collects it, but is not counted here.",
        "none",
        "sum(pool:nomad_nodes_down_undrained:sum{%pool}) or 0 * sum(pool:nomad_nodes_active:sum)",
    )
    .thresholds("text", &[(1.0, "red")])
}

pub(crate) fn pending_jobs() -> Panel {
    stat(
        "Pending jobs",
        "Jobs without any allocation yet.",
        "none",
        "sum(namespace:nomad_pending_jobs:sum{%ns})",
    )
}

pub(crate) fn queued_allocations() -> Panel {
    stat(
        "Queued allocations",
        "Desired allocations that have not been placed, including those of running jobs.",
        "none",
        "sum(namespace_pool:nomad_queued_allocations:sum{%ns, %pool})",
    )
}

/// Returns the age of the oldest pending job.
pub(crate) fn oldest_pending() -> Panel {
    stat(
        "Oldest pending job",
        "How long the oldest pending job has waited; 0 if none is pending.",
        "s",
        "max(namespace:nomad_pending_jobs_oldest_age:seconds{%ns}) or 0 * sum(namespace:nomad_pending_jobs:sum{%ns})",
    )
    .thresholds("text", &[(300.0, "yellow"), (900.0, "red")])
}

fn work() -> [Panel; 4] {
    let delay = |q| quantile(q, "nomad_job_placement_delay_seconds", "{%ns}", "le");
    [
        timeseries(
            "Jobs by status",
            "Pending and running jobs and, on the right axis, the dead jobs that Nomad still retains.",
            "short",
        )
        .query(&all("status", "nomad_jobs{%ns}"), "{{status}}")
        .states(&["pending", "running", "dead"])
        .overridden("dead", &[("custom.axisPlacement", json!("right")), ("custom.fillOpacity", json!(0))]),
        blocked_by_reason(),
        timeseries(
            "Placement delay",
            "Time from the submission of a job to its first allocation. No line means that no job was placed.",
            "s",
        )
        .query(&delay(0.5), "median")
        .query(&delay(0.95), "95 %"),
        timeseries("Completions", "Finished jobs per minute, by outcome.", "cpm")
            .query(&format!("60 * {}", rate("outcome", "nomad_job_completions_total{%ns}")), "{{outcome}}")
            .states(&["complete", "stopped", "failed", "lost", "timeout", "drained", "preempted", "unknown"])
            .stacked(),
    ]
}

fn trouble() -> Vec<Panel> {
    let unplaceable = stat(
        "Unplaceable allocations",
        "Queued allocations that fit on no client of their pool. More clients of the same kind do not help.",
        "none",
        "sum(namespace_pool_reason:nomad_queued_allocations_unplaceable:max{%ns, %pool})",
    )
    .thresholds("text", &[(1.0, "yellow")]);
    let now = short_and_dead().into_iter().chain(longest_now()).chain([unplaceable]);
    now.map(|panel| panel.size(4, 4)).chain([failures_by_cause("", "%ns"), start_delay()]).collect()
}

/// Why evaluations are blocked.
pub(crate) fn blocked_by_reason() -> Panel {
    timeseries(
        "Blocked evaluations by reason",
        "Evaluations that are blocked because the scheduler could not place everything. An evaluation with several \
         reasons is counted under each.",
        "short",
    )
    .query(&all("reason", "nomad_blocked_evaluations_by_reason{%ns}"), "{{reason}}")
}

fn capacity() -> [Panel; 4] {
    let share = |title, what: &str, resource: &str| {
        let description = format!("Allocated share of the {what} of each pool's active nodes.");
        timeseries(title, &description, "percentunit")
            .size(8, 8)
            .default("max", json!(1))
            .query(&format!("pool:nomad_node_allocated_{resource}:ratio{{%pool}}"), POOL)
    };
    [
        timeseries(
            "Nodes by state",
            "The active nodes are the capacity of the cluster. The down nodes include those that were drained and \
             terminated.",
            "short",
        )
        .size(8, 8)
        .query(&all("state", "nomad_nodes{%pool}"), "{{state}}")
        .states(NODE_STATES)
        .stacked(),
        share("Allocated CPU by pool", "CPU", "cpu"),
        share("Allocated memory by pool", "memory", "memory"),
        drains("%pool").size(24, 7),
    ]
}

fn servers() -> Panel {
    let of = |metric: &str| largest("server", metric);
    table(
        "Servers",
        "The servers of the region, and what autopilot reports about them if the exporter has permission to read it.",
        "No servers are known",
        &[
            ("cluster", "Cluster"),
            ("region", "Region"),
            ("server", "Server"),
            ("version", "Version"),
            ("datacenter", "Datacenter"),
            ("address", "Address"),
        ],
        &[
            Column::hidden(largest("server, version, datacenter, address", "nomad_server_info")),
            Column::words(
                "Leader",
                Words { no: ("no", "text"), yes: ("yes", "green") },
                of("nomad_server_leader"),
            ),
            Column::words("Healthy", YES, of("nomad_server_healthy")),
            Column::words(
                "Voter",
                Words { no: ("no", "text"), yes: ("yes", "text") },
                of("nomad_server_voter"),
            ),
            Column::new("Last contact", "s", of("nomad_server_last_contact_seconds")),
        ],
    )
}
