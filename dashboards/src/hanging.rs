//! Panels about failures, and about allocations that take too long to start, to stop or to run.

use crate::panel::{Panel, bar_gauge, heatmap, stat, timeseries};
use crate::promql::{all, largest, quantile, rate};
use crate::table::{Column, JOB_LABELS, table};

/// Maximum number of nodes in a panel.
const NODES: usize = 20;

/// Failed allocations by cause, of the jobs that match.
pub(crate) fn failures_by_cause(of: &str, matchers: &str) -> Panel {
    let description = format!(
        "Failed allocations{of} per minute, by cause. Driver, artifact, validation and setup are failures before the \
         start. Excludes allocations killed by a drain or a preemption."
    );
    timeseries("Failures by cause", &description, "cpm")
        .query(
            &format!("60 * {}", rate("cause", &format!("nomad_allocation_failures_total{{{matchers}}}"))),
            "{{cause}}",
        )
        .stacked()
}

/// Failed allocations that Nomad retains, and nodes on which allocations fail to start.
pub(crate) fn failures() -> [Panel; 3] {
    [
        failures_by_cause("", "%ns").size(8, 8),
        bar_gauge("Retained failures by cause", "Failed allocations that Nomad still retains, by cause.", "none")
            .size(8, 8)
            .query(&format!("sort_desc({})", all("cause", "nomad_failed_allocations{%ns}")), "{{cause}}"),
        timeseries(
            "Failures to start, by node",
            &format!(
                "Allocations that failed before they started, counted over 15 minutes, on the {NODES} nodes with the \
                 most. If one node stands out, the node itself has a problem."
            ),
            "short",
        )
        .size(8, 8)
        .query(
            &format!("topk({NODES}, node:nomad_start_failures:increase15m > 0)"),
            "{{cluster}} {{region}} {{node}}",
        ),
    ]
}

/// A panel with the current value of an age; 0 if there is none.
fn oldest(title: &str, description: &str, age: &str, none: &str) -> Panel {
    stat(title, description, "s", &format!("max({age}{{%ns}}) or 0 * {none}"))
}

const STARTING: &str = "namespace:nomad_starting_allocations_oldest_age:seconds";
const STOPPING: &str = "namespace:nomad_stopping_allocations_oldest_age:seconds";
const RUNNING: &str = "job:nomad_running_job_age:seconds";

fn are_starting(by: &str) -> String {
    all(by, r#"nomad_allocations{%ns, client_status="pending"}"#)
}

fn are_stopping(by: &str) -> String {
    all(by, "nomad_stopping_allocations{%ns}")
}

/// Allocations that have been starting, stopping and running longest. Colors change at the thresholds of the
/// alerts.
pub(crate) fn longest_now() -> [Panel; 3] {
    [
        oldest(
            "Oldest starting",
            "Age of the oldest allocation that should run but is still pending on its client; 0 if there is none.",
            STARTING,
            &are_starting(""),
        )
        .thresholds("text", &[(900.0, "red")]),
        oldest(
            "Oldest stopping",
            "Time since the oldest stopping allocation was told to stop; 0 if none is stopping.",
            STOPPING,
            &are_stopping(""),
        )
        .thresholds("text", &[(1800.0, "red")]),
        oldest(
            "Longest build",
            "Age of the oldest running allocation of a build; 0 if no build is running.",
            RUNNING,
            &all("", "nomad_running_allocations_age_seconds_count{%ns}"),
        )
        .thresholds("text", &[(21600.0, "yellow")]),
    ]
}

/// Delay of allocations from placement until they run.
pub(crate) fn start_delay() -> Panel {
    let delay = |q| quantile(q, "nomad_allocation_start_delay_seconds", "{%ns}", "le");
    timeseries(
        "Start delay",
        "Time from the creation of an allocation until it ran, which includes downloads and setup. No line means \
         that no allocation started.",
        "s",
    )
    .query(&delay(0.5), "median")
    .query(&delay(0.95), "95 %")
}

/// Starting, stopping and running allocations and their ages.
pub(crate) fn hanging() -> [Panel; 7] {
    let by_namespace = |title, description, age: &str, none: &str| {
        let query = format!("max by (namespace) ({age}{{%ns}}) or 0 * {none}");
        timeseries(title, description, "s").size(8, 8).query(&query, "{{namespace}}")
    };
    let node_ages =
        largest("node_id, node", "time() - nomad_node_starting_allocations_oldest_timestamp_seconds");
    [
        by_namespace(
            "Age of the oldest starting allocation",
            "Age of the oldest allocation that should run but is still pending on its client; 0 if there is none.",
            STARTING,
            &are_starting("namespace"),
        ),
        by_namespace(
            "Age of the oldest stopping allocation",
            "Time since the oldest stopping allocation was told to stop; 0 if none is stopping.",
            STOPPING,
            &are_stopping("namespace"),
        ),
        timeseries(
            "Oldest starting allocation by node",
            &format!(
                "The {NODES} nodes whose allocations have been starting for the longest time, for example because the \
                 client cannot pull images."
            ),
            "s",
        )
        .size(8, 8)
        .query(&format!("topk({NODES}, {node_ages})"), "{{cluster}} {{region}} {{node}}"),
        start_delay().size(8, 8),
        timeseries(
            "Age of the oldest pending evaluation",
            "How long the oldest evaluation has waited for a scheduler; 0 if none waits.",
            "s",
        )
        .size(8, 8)
        .query(
            &format!(
                "max(region:nomad_pending_evaluations_oldest_age:seconds) or 0 * {}",
                all("", "nomad_pending_evaluations")
            ),
            "oldest",
        ),
        longest_builds().size(8, 8),
        heatmap(
            "Ages of the running allocations",
            "Number of running allocations over time, by the time since their creation.",
            &all("le", "nomad_running_allocations_age_seconds_bucket{%ns}"),
        )
        .size(24, 8),
    ]
}

fn longest_builds() -> Panel {
    table(
        "Longest running builds",
        "The builds that have been running for the longest time. The exporter's flag --collect.running-jobs sets how \
         many it exposes.",
        "No build is running",
        &JOB_LABELS,
        &[Column::new("Running for", "s", format!("sort_desc({RUNNING}{{%ns}})"))],
    )
}
