//! The parts of the page.

use maud::{Markup, html};

use crate::human;
use crate::snapshot::{self, Drain, Host, LiveAllocations, Node, NodeLoad, Pool, Share, Snapshot};
use crate::terms::{ByTerm, JobStatus, JobType, NodeState, Term};

/// Rows of one table at most: a page is for looking at.
const MAX_ROWS: usize = 200;

/// The numbers that a glance is for.
pub(super) fn tiles(snapshot: &Snapshot) -> Markup {
    let sections = &snapshot.sections;
    let live = sections.jobs.as_ref();
    let by_status = |status: JobStatus| {
        let namespaces = live?.by_namespace.values();
        let of = |jobs: &ByTerm<JobType, ByTerm<JobStatus, u64>>| {
            jobs.iter().map(|(_, by)| by[status]).sum::<u64>()
        };
        Some(namespaces.map(|namespace| of(&namespace.jobs)).sum::<u64>())
    };
    let dead = sections.finished_jobs.as_ref().map(|finished| {
        let outcomes = finished.by_namespace.values().flat_map(|namespace| namespace.outcomes.iter());
        outcomes.flat_map(|(_, by_outcome)| by_outcome.iter()).map(|(_, count)| *count).sum::<u64>()
    });
    let queued = live.map(|jobs| {
        let pools = jobs.by_namespace.values().flat_map(|namespace| namespace.queued.values());
        pools.flat_map(|by_type| by_type.iter()).map(|(_, count)| *count).sum::<u64>()
    });
    let nodes = |state: NodeState| {
        let nodes = sections.nodes.as_ref()?;
        Some(nodes.iter().filter(|node| node.state == state).count() as u64)
    };
    html! {
        section.tiles aria-label="Summary" {
            (tile("pending jobs", by_status(JobStatus::Pending), "warn"))
            (tile("running jobs", by_status(JobStatus::Running), ""))
            (tile("dead jobs", dead, ""))
            (tile("queued instances", queued, "warn"))
            (tile("active nodes", nodes(NodeState::Active), ""))
            (tile("draining nodes", nodes(NodeState::Draining), ""))
            (tile("down nodes", nodes(NodeState::Down), "bad"))
        }
    }
}

/// One number; `class` colours it unless it is zero.
fn tile(label: &str, value: Option<u64>, class: &str) -> Markup {
    let class = if value.unwrap_or_default() > 0 { class } else { "" };
    html! {
        div class={ "tile " (class) } {
            strong { @match value { Some(value) => (value), None => "?" } }
            span { (label) }
        }
    }
}

/// The jobs that wait longest, and why.
pub(super) fn pending(snapshot: &Snapshot) -> Markup {
    let Some(jobs) = &snapshot.sections.jobs else { return html! {} };
    let reason = |namespace: &str, id: &str| {
        let evaluations = snapshot.sections.evaluations.as_ref()?;
        Some(evaluations.reason(namespace, id))
    };
    table(
        "Oldest pending jobs",
        &["job", "namespace", "waits for", "why"],
        jobs.oldest_pending.len(),
        html! {
            @for job in jobs.oldest_pending.iter().take(MAX_ROWS) {
                tr {
                    td.name { (job.id) }
                    td { (job.namespace) }
                    td { (human::ago(snapshot.taken_at, job.submitted)) }
                    td { @match reason(&job.namespace, &job.id) { Some(reason) => (human::reason(reason)), None => "?" } }
                }
            }
        },
    )
}

/// What each node pool has and what waits for it.
pub(super) fn pools(snapshot: &Snapshot) -> Markup {
    let Some(pools) = snapshot::pools(&snapshot.sections) else { return html! {} };
    let sized = snapshot.sections.specifications.is_some();
    let heads = [
        "pool",
        "active nodes",
        "CPU promised",
        "memory promised",
        "queued",
        "asked for",
        "clients missing, at least",
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
                    td { (promised(&pool.cpu, human::hertz)) }
                    td { (promised(&pool.memory, human::bytes)) }
                    td { (pool.queued) }
                    td { (asked(pool, sized)) }
                    td {
                        @match pool.missing_clients() {
                            Some(missing) if sized && (missing > 0 || pool.unsized_instances == 0) => (missing),
                            None if pool.queued > 0 => span.bad { "no active node" },
                            _ => "",
                        }
                    }
                }
            }
        },
    )
}

/// What the queued instances ask for, as far as that is known.
fn asked(pool: &Pool, sized: bool) -> Markup {
    let something = pool.cpu.asked > 0.0 || pool.memory.asked > 0.0;
    html! {
        @if sized && (something || pool.unsized_instances == 0) {
            (human::hertz(pool.cpu.asked)) ", " (human::bytes(pool.memory.asked))
            @if pool.unsized_instances > 0 { span.muted { " and more" } }
        } @else {
            span.muted { "not known" }
        }
    }
}

fn promised(share: &Share, format: fn(f64) -> String) -> Markup {
    bar(
        share.allocated,
        share.allocatable,
        &format!("{} of {}", format(share.allocated), format(share.allocatable)),
    )
}

/// Drains that go on or are over, and which nodes may go.
pub(super) fn drains(snapshot: &Snapshot) -> Markup {
    let sections = &snapshot.sections;
    let (Some(nodes), Some(allocations)) = (&sections.nodes, &sections.allocations) else { return html! {} };
    let drains: Vec<_> =
        nodes.iter().filter_map(|node| Some((node, node.is_drained(allocations)?))).collect();
    if drains.is_empty() {
        return html! {};
    }
    let terms = |node: &Node| sections.drains.as_ref()?.by_node.get(&node.id).copied();
    table(
        "Drains",
        &["node", "since", "deadline", "remaining", ""],
        drains.len(),
        html! {
            @for (node, drained) in drains.iter().take(MAX_ROWS) {
                @let drain = terms(node).filter(|_| node.draining);
                tr {
                    td.name { (node.name) }
                    td { (since(snapshot, node, drain)) }
                    td { @if let Some(deadline) = drain.and_then(|drain| drain.deadline) { (human::until(snapshot.taken_at, deadline)) } }
                    td { (remaining(node, drain, allocations)) }
                    td { @if *drained { span.good { "safe to terminate" } } @else { "wait" } }
                }
            }
        },
    )
}

fn since(snapshot: &Snapshot, node: &Node, drain: Option<Drain>) -> String {
    let started = drain.and_then(|drain| drain.started).or(node.last_drain.and_then(|drain| drain.started));
    started.map_or_else(String::new, |started| human::ago(snapshot.taken_at, started))
}

fn remaining(node: &Node, drain: Option<Drain>, allocations: &LiveAllocations) -> String {
    let load = allocations.by_node.get(&node.id);
    match drain {
        Some(drain) => drain.remaining(load).to_string(),
        None => load.map_or(0, NodeLoad::count).to_string(),
    }
}

/// Every node with what is on it, those that need attention first.
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
        "CPU promised",
        "memory promised",
        "host CPU",
        "host memory",
    ];
    table(
        "Nodes",
        &heads,
        shown.len(),
        html! {
            @for node in shown.into_iter().take(MAX_ROWS) {
                @let load = sections.allocations.as_ref().map(|all| all.by_node.get(&node.id));
                @let host = sections.hosts.as_ref().and_then(|hosts| hosts.by_node.get(&node.id)).and_then(Option::as_ref);
                tr {
                    td.name { (node.name) }
                    td { span class=(state_class(node.state)) { (node.state.as_str()) } }
                    td { (node.pool) }
                    td { @if let Some(load) = load { (load.map_or(0, NodeLoad::count)) } @else { "?" } }
                    td { (of_node(load, node.allocatable.cpu_hertz, |load| load.cpu_hertz)) }
                    td { (of_node(load, node.allocatable.memory_bytes, |load| load.memory_bytes)) }
                    td { (of_host(host, |host| host.cpu_used_hertz, node.cpu_total_hertz)) }
                    td { (of_host(host, |host| host.memory_used_bytes, host.and_then(|host| host.memory_total_bytes))) }
                }
            }
        },
    )
}

fn of_node(load: Option<Option<&NodeLoad>>, all: Option<f64>, part: fn(&NodeLoad) -> f64) -> Markup {
    let (Some(load), Some(all)) = (load, all) else { return html! { "?" } };
    share_bar(load.map_or(0.0, part), all)
}

fn of_host(host: Option<&Host>, part: fn(&Host) -> Option<f64>, all: Option<f64>) -> Markup {
    let (Some(part), Some(all)) = (host.and_then(part), all) else { return html! { span.muted { "?" } } };
    share_bar(part, all)
}

fn share_bar(part: f64, all: f64) -> Markup {
    bar(part, all, &human::percent(part, all))
}

/// A part of a whole, as a bar with its text.
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

/// How fresh all of this is.
pub(super) fn sources(snapshot: &Snapshot) -> Markup {
    table(
        "Sources",
        &["source", "state", "last success", "rows"],
        snapshot.sources.len(),
        html! {
            @for source in &snapshot.sources {
                tr {
                    td.name { (source.name) }
                    td {
                        @match (source.up, source.fresh) {
                            (None, _) => "not asked yet",
                            (Some(true), _) => span.good { "up" },
                            (Some(false), true) => span.warn { "down, last answer still shown" },
                            (Some(false), false) => span.bad { "down, withdrawn" },
                        }
                    }
                    td { @if let Some(last) = source.last_success { (human::ago(snapshot.taken_at, last)) " ago" } @else { "never" } }
                    td { @if let Some(objects) = source.objects { (objects) } }
                }
            }
        },
    )
}

/// A table with a heading; `count` is how many rows there would be without the cap.
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
