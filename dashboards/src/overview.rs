//! Is there capacity, what waits, why and since when, which client is leaving.

use serde_json::{Value, json};

use crate::board::{Board, Variable};
use crate::panel::{Panel, Words, YES, stat, text, timeseries, yes_or_no};
use crate::promql::{age, by_pool, quantile};
use crate::table::{Column, drains, table};

/// Of nodes, in the order in which they are stacked.
pub(crate) const NODE_STATES: &[&str] =
    &["active", "initializing", "draining", "ineligible", "disconnected", "down"];

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-overview",
        "Nomad / Overview",
        "Is there capacity, what waits, why and since when, and which client is leaving.",
        &[Variable::Namespace, Variable::NodePool],
    )
    .row("Now", now())
    .row("Work", work())
    .row("Capacity", capacity())
    .row("Who uses the cluster", crate::holdings::panels())
    .row(
        "Servers",
        [servers().size(24, 6), text(
            "How to read this",
            "What the words on this dashboard mean.",
            "**Active** nodes take work: they are the capacity. **Pending** jobs have nothing placed; **queued** \
             allocations are missing instances, those of running jobs included. What has no data is switched off, not \
             permitted, or too old: see the *Nomad / Exporter* dashboard. The *Runbooks* above say what to do.",
        )],
    )
    .build()
}

fn now() -> Vec<Panel> {
    let reached = Words { no: ("no", "red"), yes: ("up", "green") };
    let nodes = |state: &str| format!(r#"sum(nomad_nodes{{%pool, state="{state}"}})"#);
    let jobs = |status: &str| format!(r#"sum(nomad_jobs{{%ns, status="{status}"}})"#);
    vec![
        yes_or_no(
            "Nomad",
            "Whether the exporter reads everything that it must from Nomad.",
            reached,
            "min(nomad_up)",
        ),
        yes_or_no(
            "Leader",
            "Whether the region has a leader. Without one nothing is scheduled.",
            YES,
            "min(nomad_has_leader)",
        ),
        stat("Active nodes", "Nodes that take work: the capacity of the cluster.", "none", &nodes("active"))
            .thresholds("red", &[(1.0, "green")]),
        stat("Down nodes", "Nodes whose heartbeats the servers miss.", "none", &nodes("down"))
            .thresholds("text", &[(1.0, "red")]),
        stat(
            "Draining nodes",
            "Nodes that give their work away and take no new.",
            "none",
            &nodes("draining"),
        )
        .size(2, 4)
        .thresholds("text", &[(1.0, "yellow")]),
        stat("Running jobs", "Jobs with at least one instance placed.", "none", &jobs("running")),
        stat("Pending jobs", "Jobs with nothing placed yet.", "none", &jobs("pending"))
            .thresholds("text", &[(1.0, "yellow")]),
        oldest_pending(),
        stat(
            "Queued instances",
            "Instances that should run and are not placed, those of running jobs included.",
            "none",
            "sum(nomad_queued_allocations{%ns, %pool})",
        )
        .thresholds("text", &[(1.0, "yellow")]),
    ]
}

/// How long the oldest pending job has waited.
pub(crate) fn oldest_pending() -> Panel {
    stat(
        "Oldest pending job",
        "How long the oldest pending job has waited since its submission; 0 where none is pending.",
        "s",
        &age("nomad_pending_jobs_oldest_timestamp_seconds", "nomad_queued_allocations", ""),
    )
    .thresholds("text", &[(300.0, "yellow"), (900.0, "red")])
}

fn work() -> [Panel; 4] {
    let delay = |q| quantile(q, "nomad_job_placement_delay_seconds", "{%ns}", "le");
    [
        timeseries(
            "Jobs by status",
            "Jobs that wait and run, and on the right axis the dead ones that Nomad still retains.",
            "short",
        )
        .query("sum by (status) (nomad_jobs{%ns})", "{{status}}")
        .states(&["pending", "running", "dead"])
        .overridden("dead", &[("custom.axisPlacement", json!("right")), ("custom.fillOpacity", json!(0))]),
        blocked_by_reason(),
        timeseries(
            "Placement delay",
            "How long jobs waited from their submission to their first allocation. Without a line nothing was placed.",
            "s",
        )
        .query(&delay(0.5), "median")
        .query(&delay(0.95), "95 %"),
        timeseries("Completions", "Jobs that finished in a minute, by outcome.", "cpm")
            .query("60 * sum by (outcome) (rate(nomad_job_completions_total{%ns}[$__rate_interval]))", "{{outcome}}")
            .states(&["complete", "stopped", "failed", "lost", "drained", "preempted", "timeout", "unknown"])
            .stacked(),
    ]
}

/// Why evaluations are blocked.
pub(crate) fn blocked_by_reason() -> Panel {
    timeseries(
        "Blocked evaluations by reason",
        "Why the scheduler could not place everything. An evaluation with several reasons counts for each of them.",
        "short",
    )
    .query("sum by (reason) (nomad_blocked_evaluations_by_reason{%ns})", "{{reason}}")
}

fn capacity() -> [Panel; 4] {
    let share = |title, what: &str, resource: &str| {
        let allocated = by_pool("sum", &format!("nomad_node_allocated_{resource}"));
        let allocatable = by_pool("sum", &format!("nomad_node_allocatable_{resource}"));
        let description =
            format!("Share of the {what} of each pool's active nodes that is promised to allocations.");
        timeseries(title, &description, "percentunit")
            .size(8, 8)
            .default("max", json!(1))
            .query(&format!("{allocated} / {allocatable}"), "{{node_pool}}")
    };
    [
        timeseries("Nodes by state", "The active nodes are the capacity of the cluster.", "short")
            .size(8, 8)
            .query("sum by (state) (nomad_nodes{%pool})", "{{state}}")
            .states(NODE_STATES)
            .stacked(),
        share("Allocated CPU by pool", "CPU", "cpu_hertz"),
        share("Allocated memory by pool", "memory", "memory_bytes"),
        drains("%pool").size(24, 7),
    ]
}

fn servers() -> Panel {
    let of = |family: &str| format!("max by (server) ({family})");
    table(
        "Servers",
        "The servers of the region, and what autopilot thinks of them, if the exporter may ask it.",
        "No servers are known",
        &[("server", "Server"), ("version", "Version"), ("datacenter", "Datacenter"), ("address", "Address")],
        &[
            Column::hidden("max by (server, version, datacenter, address) (nomad_server_info)"),
            Column::words(
                "Leads",
                Words { no: ("no", "text"), yes: ("yes", "green") },
                of("nomad_server_leader"),
            ),
            Column::words("Healthy", YES, of("nomad_server_healthy")),
            Column::words(
                "Votes",
                Words { no: ("no", "text"), yes: ("yes", "text") },
                of("nomad_server_voter"),
            ),
            Column::new("Last contact", "s", of("nomad_server_last_contact_seconds")),
        ],
    )
}
