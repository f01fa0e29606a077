//! Every node: its state, its work, how full it is, and whether it may go.

use serde_json::Value;

use crate::board::{Board, Variable};
use crate::panel::{Panel, Words, bar_gauge, stat, timeseries};
use crate::promql::NODE_KEY;
use crate::table::{Column, drains, table};

/// How many bars a bar gauge shows at most.
const BARS: usize = 50;

/// What a node has: a title, and its allocated, allocatable, used and total amount.
const RESOURCES: [(&str, [&str; 4]); 3] = [
    ("CPU", ["allocated_cpu_hertz", "allocatable_cpu_hertz", "host_cpu_used_hertz", "host_cpu_total_hertz"]),
    (
        "Memory",
        [
            "allocated_memory_bytes",
            "allocatable_memory_bytes",
            "host_memory_used_bytes",
            "host_memory_total_bytes",
        ],
    ),
    (
        "Disk",
        ["allocated_disk_bytes", "allocatable_disk_bytes", "host_disk_used_bytes", "host_disk_size_bytes"],
    ),
];

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-nodes",
        "Nomad / Nodes",
        "Every node: its state, its work, how full it is, and whether it may go.",
        &[Variable::NodePool, Variable::Node],
    )
    .row("Now", now())
    .row("Drains", drained())
    .row("Promised to allocations", RESOURCES.iter().flat_map(|(what, families)| promised(what, families)))
    .row("In use on the hosts", RESOURCES.iter().flat_map(|(what, families)| used(what, families)))
    .row("Work and health", health())
    .build()
}

fn ratio(part: &str, whole: &str) -> String {
    let selector = |family: &str| {
        let device = if family.starts_with("host_disk") { r#", device="alloc_dir""# } else { "" };
        format!("nomad_node_{family}{{%node{device}}}")
    };
    format!("max by (node_id, node) ({} / {})", selector(part), selector(whole))
}

fn now() -> [Panel; 7] {
    let count = |title, description, query: &str, color| {
        stat(title, description, "none", query).size(4, 4).thresholds("text", &[(1.0, color)])
    };
    let state = |state: &str| format!(r#"sum(nomad_nodes{{%pool, state="{state}"}})"#);
    [
        count("Active", "Nodes that take work.", &state("active"), "green"),
        count("Draining", "Nodes that give their work away and take no new.", &state("draining"), "yellow"),
        count("Down", "Nodes whose heartbeats the servers miss.", &state("down"), "red"),
        count(
            "Safe to terminate",
            "Nodes whose drain is complete, that take no work, and on which nothing lives that the drain waited for.",
            "sum(nomad_node_drained{%node}) or 0 * sum(nomad_nodes)",
            "green",
        ),
        count(
            "Unhealthy drivers",
            "Task drivers that a node has and that do not work.",
            "sum(1 - nomad_node_driver_healthy{%node})",
            "red",
        ),
        count(
            "Hosts without an answer",
            "Clients of ready nodes that did not answer for their host statistics.",
            "sum(1 - nomad_node_host_stats_up{%node})",
            "yellow",
        ),
        nodes(),
    ]
}

fn nodes() -> Panel {
    let of = |query: &str| format!("max by (node_id, node) ({query})");
    let labels = [
        ("node", "Node"),
        ("state", "State"),
        ("node_pool", "Pool"),
        ("node_class", "Class"),
        ("datacenter", "Datacenter"),
        ("version", "Nomad"),
        ("node_id", ""),
    ];
    let answers = Words { no: ("no answer", "red"), yes: ("answers", "text") };
    let [cpu, memory, disk] =
        RESOURCES.map(|(_, [allocated, allocatable, ..])| ratio(allocated, allocatable));
    let info = format!(
        "max by (node_id, node, state, node_pool, node_class, datacenter, version) \
         (nomad_node_info{{%node}} * {NODE_KEY} group_left (state) (nomad_node_state{{%node}} == 1))"
    );
    let columns = [
        Column::hidden(info),
        Column::new("Allocations", "none", "sum by (node_id, node) (nomad_node_allocations{%node})"),
        Column::bar("CPU promised", cpu),
        Column::bar("Memory promised", memory),
        Column::bar("Disk promised", disk),
        Column::words("Host statistics", answers, of("nomad_node_host_stats_up{%node}")),
        Column::new("Uptime", "s", of("time() - nomad_node_host_boot_timestamp_seconds{%node}")),
    ];
    let description =
        "Every node, what is promised of it to live allocations, and since when its host is up.";
    table("Nodes", description, "No nodes are known", &labels, &columns).size(24, 10)
}

fn drained() -> [Panel; 2] {
    let remaining = "nomad_node_drain_remaining_allocations{%node}";
    [
        drains("%node"),
        timeseries("Allocations that drains wait for", "They end, or their deadline stops them.", "short")
            .query(&format!("sum({remaining}) or 0 * sum(nomad_nodes)"), "all")
            .query(&format!("sum by (node) ({remaining})"), "{{node}}"),
    ]
}

/// A ratio now, and over time.
fn ratios(title: &str, description: &str, query: &str) -> [Panel; 2] {
    [
        bar_gauge(title, &format!("{description} The {BARS} fullest."), "percentunit")
            .size(8, 9)
            .ratio()
            .query(&format!("sort_desc(topk({BARS}, {query}))"), "{{node}}"),
        timeseries(&format!("{title}, over time"), description, "percentunit")
            .size(16, 9)
            .query(query, "{{node}}"),
    ]
}

fn promised(what: &str, [allocated, allocatable, ..]: &[&str; 4]) -> [Panel; 2] {
    let description = "Share of what a node has for jobs that is promised to its live allocations.";
    ratios(&format!("{what} promised"), description, &ratio(allocated, allocatable))
}

fn used(what: &str, [.., used, total]: &[&str; 4]) -> [Panel; 2] {
    let description = match what {
        "Disk" => {
            "Share of the file system of the allocation directory that is in use, by whatever is on it."
        }
        _ => "Share of what the host has that is in use, by whatever runs there.",
    };
    ratios(&format!("{what} in use"), description, &ratio(used, total))
}

fn health() -> [Panel; 4] {
    [
        timeseries("Allocations by node", "Live allocations: pending, running, and out of sight.", "short")
            .query("sum by (node) (nomad_node_allocations{%node})", "{{node}}")
            .stacked(),
        timeseries(
            "Unhealthy drivers by driver",
            "On how many nodes a detected driver does not work.",
            "short",
        )
        .query("sum by (driver) (1 - nomad_node_driver_healthy{%node})", "{{driver}}"),
        table(
            "Unhealthy drivers",
            "Which driver does not work on which node.",
            "All drivers are healthy",
            &[("node", "Node"), ("driver", "Driver"), ("node_id", "ID")],
            &[Column::hidden("max by (node, driver, node_id) (nomad_node_driver_healthy{%node} == 0)")],
        ),
        bar_gauge("Nomad versions", "How many nodes run each version of Nomad.", "none")
            .query("sort_desc(sum by (version) (nomad_node_info{%node}))", "{{version}}"),
    ]
}
