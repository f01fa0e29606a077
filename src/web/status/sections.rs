//! Sections of the status page.

use maud::{Markup, html};

use super::commands::{self, Command};
use crate::human;
use crate::snapshot::{Level, Missing, Node, Pool, ResourceTotals, Snapshot, Totals};
use crate::terms::{NodeState, Term};

/// Maximum number of rows per table.
const MAX_ROWS: usize = 200;

/// Renders the most important numbers.
pub(super) fn tiles(snapshot: &Snapshot) -> Markup {
    let totals = Totals::new(snapshot);
    html! {
        section.tiles aria-label="Summary" {
            (tile("pending jobs", totals.pending_jobs, "warn"))
            (tile("running jobs", totals.running_jobs, ""))
            (tile("dead jobs", totals.dead_jobs, ""))
            (tile("failed jobs", totals.failed_jobs, "warn"))
            (tile("killed by drains", totals.drained_jobs, "warn"))
            (tile("queued allocations", totals.queued_allocations, "warn"))
            (tile("active nodes", totals.nodes(NodeState::Active), ""))
            (tile("draining nodes", totals.nodes(NodeState::Draining), ""))
            (tile("down nodes", totals.nodes(NodeState::Down), "bad"))
        }
    }
}

/// Renders one number; `class` colors it unless it is zero.
fn tile(label: &str, value: Option<u64>, class: &str) -> Markup {
    let class = if value.unwrap_or_default() > 0 { class } else { "" };
    html! {
        div class={ "tile " (class) } {
            strong { @match value { Some(value) => (value), None => "?" } }
            span { (label) }
        }
    }
}

/// Renders that not all namespaces are read, or that this is unknown, and why.
pub(super) fn namespaces(snapshot: &Snapshot) -> Markup {
    let coverage = &snapshot.joins.coverage;
    let Some(reason) = coverage.reason() else { return html! {} };
    html! {
        section {
            h2 { "Namespaces" }
            @if coverage.partial().is_some() {
                p { span.warn { "Not all namespaces are read" } ": " (reason) ". Allocations and usage per node are omitted." }
            } @else {
                p.muted { "It is unknown whether all namespaces are read: " (reason) "." }
            }
        }
    }
}

/// Renders the oldest pending jobs with their reasons.
pub(super) fn pending(snapshot: &Snapshot) -> Markup {
    let Some(pending) = &snapshot.joins.pending else { return html! {} };
    table(
        "Oldest pending jobs",
        &["job", "namespace", "waiting", "reason", "more"],
        pending.oldest.len(),
        html! {
            @for (job, reason) in pending.oldest.iter().take(MAX_ROWS) {
                tr {
                    td.name { (job.id) }
                    td { (job.namespace) }
                    td { (human::ago(snapshot.taken_at, job.since)) }
                    td { @match reason { Some(reason) => (human::reason(*reason)), None => "?" } }
                    td { (commands::link(Command::Job { namespace: &job.namespace, job: &job.id })) }
                }
            }
        },
    )
}

/// Renders capacity and demand of each node pool.
pub(super) fn pools(snapshot: &Snapshot) -> Markup {
    let Some(pools) = &snapshot.joins.pools else { return html! {} };
    let heads = [
        "pool",
        "active nodes",
        "CPU allocated",
        "memory allocated",
        "queued",
        "requested",
        "unplaceable",
        "clients missing",
        "more",
    ];
    table(
        "Capacity and demand",
        &heads,
        pools.len(),
        html! {
            @for (name, pool) in pools.iter().take(MAX_ROWS) {
                tr {
                    td.name { @if name.is_empty() { "(none)" } @else { (name) } }
                    td { (pool.active_nodes) @if pool.other_nodes > 0 { span.muted { " of " (pool.active_nodes + pool.other_nodes) } } }
                    td { (allocated(&pool.cpu, human::hertz)) }
                    td { (allocated(&pool.memory, human::bytes)) }
                    td { (pool.queued) }
                    td { (requested(pool)) }
                    td { @if pool.unplaceable > 0 { span.bad { (pool.unplaceable) } } @else { "0" } }
                    td {
                        @match pool.missing() {
                            Missing::Clients(missing) => (missing),
                            Missing::All => span.bad { "no active node" },
                            Missing::Unknown => "",
                        }
                    }
                    td { (commands::link(Command::Nodes { pool: name })) }
                }
            }
        },
    )
}

/// Renders the resources requested by queued allocations, as far as they are known.
fn requested(pool: &Pool) -> Markup {
    html! {
        @if pool.is_requested_known() {
            (human::hertz(pool.cpu.requested)) ", " (human::bytes(pool.memory.requested))
            @if pool.unsized_allocations > 0 { span.muted { " or more" } }
        } @else {
            span.muted { "unknown" }
        }
    }
}

fn allocated(totals: &ResourceTotals, format: fn(f64) -> String) -> Markup {
    bar(
        totals.allocated,
        totals.allocatable,
        &format!("{} of {}", format(totals.allocated), format(totals.allocatable)),
    )
}

/// Renders active and completed drains, and which nodes are safe to terminate.
pub(super) fn drains(snapshot: &Snapshot) -> Markup {
    let Some(drains) = snapshot.joins.drains.as_ref().filter(|drains| !drains.is_empty()) else {
        return html! {};
    };
    table(
        "Drains",
        &["node", "since", "deadline", "remaining", "", "more"],
        drains.len(),
        html! {
            @for drain in drains.iter().take(MAX_ROWS) {
                tr {
                    td.name { (drain.node.name) }
                    td { @if let Some(started) = drain.started { (human::ago(snapshot.taken_at, started)) } }
                    td { @if let Some(deadline) = drain.deadline { (human::until(snapshot.taken_at, deadline)) } }
                    td { @match drain.remaining { Some(remaining) => (remaining), None => "?" } }
                    td { @if drain.drained == Some(true) { span.good { "safe to terminate" } } @else { "not drained" } }
                    td { (commands::link(Command::Node(&drain.node.name))) }
                }
            }
        },
    )
}

/// Renders all nodes, those that need attention first.
pub(super) fn nodes(snapshot: &Snapshot) -> Markup {
    let sections = &snapshot.sections;
    let Some(nodes) = &sections.nodes else { return html! {} };
    let mut shown: Vec<&Node> = nodes.iter().collect();
    shown.sort_by_key(|node| node.state);
    let heads = [
        "node",
        "state",
        "pool",
        "allocations",
        "CPU allocated",
        "memory allocated",
        "host CPU",
        "host memory",
        "more",
    ];
    table(
        "Nodes",
        &heads,
        shown.len(),
        html! {
            @for node in shown.into_iter().take(MAX_ROWS) {
                @let levels = sections.levels(node);
                tr {
                    td.name { (node.name) }
                    td { span class=(state_class(node.state)) { (node.state.as_str()) } }
                    td { (node.pool) }
                    td { @if let Some(load) = sections.load(node) { (load.count()) } @else { "?" } }
                    @for level in [levels.cpu, levels.memory, levels.host_cpu, levels.host_memory] { td { (level_bar(level)) } }
                    td { (commands::link(Command::Node(&node.name))) }
                }
            }
        },
    )
}

fn level_bar(level: Option<Level>) -> Markup {
    match level {
        Some(level) => bar(level.amount, level.total, &human::percent(level.ratio())),
        None => html! { span.muted { "?" } },
    }
}

/// Renders a share as a bar with a text.
fn bar(part: f64, all: f64, text: &str) -> Markup {
    html! {
        span.bar {
            meter min="0" max="1" high="0.9" optimum="0" value=(format!("{:.3}", if all > 0.0 { part / all } else { 0.0 })) {}
            span { (text) }
        }
    }
}

fn state_class(state: NodeState) -> &'static str {
    match state {
        NodeState::Active => "good",
        NodeState::Down | NodeState::Disconnected => "bad",
        NodeState::Draining | NodeState::Ineligible | NodeState::Initializing | NodeState::Other => "warn",
    }
}

/// Renders the state of the collectors.
pub(super) fn collectors(snapshot: &Snapshot) -> Markup {
    table(
        "Collectors",
        &["collector", "state", "last success", "rows", "more"],
        snapshot.collectors.len(),
        html! {
            @for collector in &snapshot.collectors {
                tr {
                    td.name { (collector.id.as_str()) }
                    td {
                        @match (collector.up, collector.fresh) {
                            (None, _) => "not read yet",
                            (Some(true), _) => span.good { "up" },
                            (Some(false), true) => span.warn { "down, last data shown" },
                            (Some(false), false) => span.bad { "down, data expired" },
                        }
                    }
                    td { @if let Some(last) = collector.last_success { (human::ago(snapshot.taken_at, last)) " ago" } @else { "never" } }
                    td { @if let Some(objects) = collector.objects { (objects) } }
                    td { (commands::link(Command::Check)) }
                }
            }
        },
    )
}

/// Renders a table with a heading; `count` is the number of rows without the limit.
fn table(title: &str, heads: &[&str], count: usize, rows: Markup) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if count == 0 {
                p.muted { "none" }
            } @else {
                div.scroll {
                    table {
                        thead { tr { @for head in heads { th scope="col" { (head) } } } }
                        tbody { (rows) }
                    }
                }
            }
            @if count > MAX_ROWS { p.muted { "and " (count - MAX_ROWS) " more" } }
        }
    }
}
