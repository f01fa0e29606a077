//! Long-running jobs: desired and running allocations, restarts and OOM kills, and deployments.

use serde_json::{Value, json};

use crate::board::{Board, Variable};
use crate::hanging::failures_by_cause;
use crate::panel::{Panel, stat, timeseries};
use crate::promql::{all, each, largest};
use crate::table::{Column, JOB_LABELS, table};

/// Maximum number of lines in a panel of jobs, and of rows in a table.
const LINES: usize = 20;
const ROWS: usize = 100;

const JOB: &str = "namespace, job_id";
const ON_JOB: &str = "on (cluster, region, namespace, job_id)";
const LINE: &str = "{{cluster}} {{region}} {{namespace}} {{job_id}}";

const DESIRED: &str = "job:nomad_job_allocations_desired:sum{%ns}";
const MISSING: &str = "job:nomad_job_allocations_missing:sum{%ns}";
const DEAD: &str = "job:nomad_service_dead:max{%ns}";
const RESTARTS: &str = "job_task:nomad_task_restarts:increase30m{%ns}";
const KILLS: &str = "job_task:nomad_task_oom_kills:increase30m{%ns}";

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-services",
        "Nomad / Services",
        "Long-lived jobs: desired and running allocations, restarts, out-of-memory kills and deployments.",
        &[Variable::Namespace, Variable::Job],
    )
    .row("Now", now())
    .row("Missing allocations", missing())
    .row("Restarts and kills", restarts())
    .row("Deployments and failures", changes())
    .row("Selected jobs over time", chosen())
    .build()
}

fn now() -> [Panel; 6] {
    let failed = "sum(namespace:nomad_deployments_failed:max{%ns})";
    let [short, dead] = short_and_dead();
    [
        short,
        dead,
        stat(
            "Stopped jobs",
            "Long-lived jobs that somebody stopped and that Nomad still retains.",
            "none",
            &format!("sum({})", stopped()),
        ),
        in_half_an_hour("Restarts", "Restarts of the tasks of long-lived jobs within half an hour.", RESTARTS, "yellow"),
        in_half_an_hour(
            "Out-of-memory kills",
            "Tasks of long-lived jobs that were killed within half an hour because they exceeded their memory limit.",
            KILLS,
            "red",
        ),
        stat("Failed deployments", "Failed deployments that Nomad still retains.", "none", failed)
            .thresholds("text", &[(1.0, "yellow")]),
    ]
    .map(|panel| panel.size(4, 4))
}

/// Number of jobs with missing allocations, and of dead services.
pub(crate) fn short_and_dead() -> [Panel; 2] {
    let count = |title, description, query: &str, color| {
        let query = format!("count({query}) or 0 * count({DESIRED})");
        stat(title, description, "none", &query).thresholds("text", &[(1.0, color)])
    };
    [
        count(
            "Services short of allocations",
            "Services that run fewer allocations than desired, including those whose allocations wait to be \
             rescheduled.",
            &format!("{MISSING} > 0"),
            "yellow",
        ),
        count(
            "Dead services",
            "Services that are dead although they have desired allocations and nobody stopped them.",
            DEAD,
            "red",
        ),
    ]
}

fn in_half_an_hour(title: &str, description: &str, query: &str, color: &str) -> Panel {
    stat(title, description, "none", &format!("sum({query})"))
        .default("decimals", json!(0))
        .thresholds("text", &[(1.0, color)])
}

fn stopped() -> String {
    largest(JOB, "nomad_job_stopped{%ns}")
}

/// Desired allocations of jobs that were not stopped.
fn wanted() -> String {
    format!("{DESIRED} unless {ON_JOB} {} == 1", stopped())
}

fn running(matchers: &str) -> String {
    each(JOB, &format!(r#"nomad_job_allocations{{{matchers}, status="running"}}"#))
}

fn missing() -> [Panel; 3] {
    let desired = format!("sum({})", wanted());
    let running = format!("sum({} and {ON_JOB} ({}))", running("%ns"), wanted());
    [
        timeseries(
            "Desired and running allocations",
            "Desired and running allocations of the services in the selected namespaces. Excludes stopped services, \
             and system jobs, which have no desired number.",
            "short",
        )
        .query(&desired, "desired")
        .query(&running, "running"),
        timeseries(
            "Missing allocations by job",
            &format!("Number of desired allocations that are not running, for the {LINES} jobs that lack the most."),
            "short",
        )
        .query(&format!("topk({LINES}, {MISSING} > 0)"), LINE),
        short(),
    ]
}

/// Jobs with missing allocations, including dead ones.
fn short() -> Panel {
    let lacking = format!("({MISSING} > 0 or {DESIRED} and {ON_JOB} {DEAD})");
    let top = format!("topk({ROWS}, {lacking})");
    // Replicas may briefly report different statuses, but the table must show one status per job.
    let status = format!(
        "topk by (cluster, region, namespace, job_id) (1, {})",
        largest(&format!("{JOB}, status"), "nomad_job_status{%ns} == 1")
    );
    let of = |query: &str| format!("{query} and {ON_JOB} {top}");
    table(
        "Services that lack allocations",
        &format!(
            "Services that run fewer allocations than desired, and dead services that nobody stopped: the {ROWS} \
             that lack the most. `nomad-exporter job` shows why."
        ),
        "Every service runs as desired",
        &JOB_LABELS.into_iter().chain([("status", "Status")]).collect::<Vec<_>>(),
        &[
            Column::new("Missing", "none", format!("{top} * {ON_JOB} group_left (status) {status}")),
            Column::new("Desired", "none", of(DESIRED)),
            Column::new("Running", "none", of(&running("%ns"))),
        ],
    )
    .size(24, 8)
}

fn restarts() -> [Panel; 3] {
    let by_job = |title, what: &str, query: &str| {
        let description = format!("{what} within half an hour, for the {LINES} jobs with the most.");
        let query = format!("topk({LINES}, sum by (cluster, region, namespace, job_id) ({query}) > 0)");
        timeseries(title, &description, "short").query(&query, LINE)
    };
    let top = format!("topk({ROWS}, {RESTARTS} > 0 or {KILLS} > 0)");
    let of =
        |query: &str| format!("{query} and on (cluster, region, namespace, job_id, task_group, task) {top}");
    let count = |name, query: &str| Column::new(name, "none", of(query)).decimals(0);
    [
        by_job("Restarts by job", "Restarts of tasks", RESTARTS),
        by_job("Out-of-memory kills by job", "Tasks killed because they exceeded their memory limit", KILLS),
        table(
            "Tasks that restart",
            &format!(
                "Tasks of long-lived jobs that were restarted or OOM-killed within half an hour: the {ROWS} with the \
                 most restarts."
            ),
            "No task was restarted or killed",
            &JOB_LABELS.into_iter().chain([("task_group", "Group"), ("task", "Task")]).collect::<Vec<_>>(),
            &[count("Restarts", RESTARTS), count("Out-of-memory kills", KILLS)],
        )
        .size(24, 8),
    ]
}

fn changes() -> [Panel; 3] {
    [
        timeseries(
            "Deployments by status",
            "Deployments that have not finished, and failed ones that Nomad still retains.",
            "short",
        )
        .size(8, 8)
        .query(&all("status", r#"nomad_deployments{%ns, status!~"successful|cancelled"}"#), "{{status}}")
        .states(&["pending", "running", "failed"]),
        failures_by_cause(" of services and system jobs", r#"%ns, job_type=~"service|system""#).size(8, 8),
        table(
            "Jobs that somebody stopped",
            &format!("Long-lived jobs that somebody stopped and that Nomad still retains: {ROWS} at most."),
            "No job is stopped",
            &JOB_LABELS,
            &[Column::hidden(format!("topk({ROWS}, {} == 1)", stopped()))],
        )
        .size(8, 8),
    ]
}

fn chosen() -> [Panel; 4] {
    let by_group = |family: &str| {
        let query = each(&format!("{JOB}, task_group, status"), &format!("{family}{{%ns, %job}}"));
        (query, format!("{LINE} {{{{task_group}}}} {{{{status}}}}"))
    };
    let per_task = |title, what: &str, record: &str| {
        timeseries(title, &format!("{what} within half an hour, by task."), "short")
            .query(&record.replace("%ns", "%ns, %job"), &format!("{LINE} {{{{task_group}}}} {{{{task}}}}"))
    };
    let (allocations, legend) = by_group("nomad_job_allocations");
    [
        timeseries(
            "Desired and running allocations by job",
            "Totals over the task groups of each selected job.",
            "short",
        )
        .query(&DESIRED.replace("%ns", "%ns, %job"), &format!("{LINE} desired"))
        .query(&running("%ns, %job"), &format!("{LINE} running")),
        timeseries(
            "Allocations by group and status",
            "Queued: desired but not placed. Starting: placed, but still pending on the client. Unknown: the client \
             is disconnected.",
            "short",
        )
        .query(&allocations, &legend)
        .stacked(),
        per_task("Restarts by task", "Restarts", RESTARTS),
        per_task("Out-of-memory kills by task", "Kills because the task exceeded its memory limit", KILLS),
    ]
}
