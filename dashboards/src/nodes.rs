//! Nodes: states, allocations, the fullest ones, and those that are safe to terminate. Works with 10,000 nodes: graphs
//! show pools, or the selected nodes.

use serde_json::{Value, json};

use crate::board::{Board, Variable};
use crate::overview::{active_nodes, down_nodes};
use crate::panel::{Panel, Words, bar_gauge, stat, timeseries};
use crate::promql::{NODE_KEY, POOL, all, largest};
use crate::table::{Column, drains, table};

/// Maximum number of bars in a bar gauge, and of rows in the table of the fullest nodes.
const BARS: usize = 50;
const ROWS: usize = 100;

/// Resources of a node: title, and the metrics of its allocated, allocatable, used and total amount.
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

const NODE: &str = "node_id, node";
const OF_POOL: &str = "and on (cluster, region, node_id) nomad_node_info{%pool}";
const LINE: &str = "{{cluster}} {{region}} {{node}}";

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-nodes",
        "Nomad / Nodes",
        "Nodes: their states, allocations and utilization, and which of them are safe to terminate.",
        &[Variable::NodePool, Variable::Node],
    )
    .row("Now", now())
    .row("Drains", drained())
    .row(
        "Fullest nodes by allocated resources",
        RESOURCES.map(|(what, [allocated, whole, ..])| {
            fullest(&format!("{what} allocated"), ALLOCATED, &ratio(allocated, whole, ""))
        }),
    )
    .row(
        "Fullest nodes by resources in use on the host",
        RESOURCES.map(|(what, [.., used, whole])| {
            fullest(&format!("{what} in use"), used_by(what), &ratio(used, whole, ""))
        }),
    )
    .row("Pools over time", pools())
    .row("Selected nodes over time", chosen())
    .row("Health", health())
    .build()
}

const ALLOCATED: &str =
    "Share of the node's allocatable resources that is allocated to non-terminal allocations.";

fn used_by(what: &str) -> &'static str {
    match what {
        "Disk" => {
            "Share of the file system of the allocation directory that is in use, by Nomad and everything else."
        }
        _ => "Share of the host's resources that is in use, by Nomad and everything else.",
    }
}

/// Returns the query for a ratio of each node that the matchers select.
fn ratio(part: &str, whole: &str, matchers: &str) -> String {
    let selector = |metric: &str| {
        let device = if metric.starts_with("host_disk") { r#"device="alloc_dir""# } else { "" };
        let both = [matchers, device].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
        format!("nomad_node_{metric}{{{}}}", both.join(", ")).replace("{}", "")
    };
    largest(NODE, &format!("{} / {}", selector(part), selector(whole)))
}

fn now() -> [Panel; 8] {
    let count = |title, description, query: &str, color| {
        stat(title, description, "none", query).size(4, 4).thresholds("text", &[(1.0, color)])
    };
    let or_none = |query: &str| format!("{query} or 0 * {}", active_nodes());
    let drained = format!("count(node:nomad_node_drained:min == 1 {OF_POOL})");
    let silent = format!("count({} == 0 {OF_POOL})", largest("node_id", "nomad_node_host_stats_up"));
    let unhealthy = format!("count(node_driver:nomad_node_driver_unhealthy:min {OF_POOL})");
    [
        count("Active", "Nodes that accept new allocations.", active_nodes(), "green"),
        count(
            "Draining",
            "Nodes whose allocations end or move to other nodes. They get no new allocations.",
            &all("", r#"nomad_nodes{%pool, state="draining"}"#),
            "yellow",
        ),
        down_nodes().size(4, 4),
        count(
            "Safe to terminate",
            "Nodes whose drain is complete, that are ineligible, and that run nothing that the drain waited for, \
             according to every exporter.",
            &or_none(&drained),
            "green",
        ),
        count(
            "Unhealthy drivers",
            "Detected task drivers of active nodes that are unhealthy.",
            &or_none(&unhealthy),
            "red",
        ),
        count(
            "Hosts without statistics",
            "Ready nodes whose clients did not return their host statistics.",
            &or_none(&silent),
            "yellow",
        ),
        idle(),
        busiest(),
    ]
}

const LABELS: [(&str, &str); 8] = [
    ("cluster", "Cluster"),
    ("region", "Region"),
    ("node", "Node"),
    ("state", "State"),
    ("node_pool", "Pool"),
    ("node_class", "Class"),
    ("datacenter", "Datacenter"),
    ("version", "Nomad"),
];
const INFO: &str = "node_id, node, node_pool, node_class, datacenter, version";

/// Returns the table of nodes that are not active.
fn idle() -> Panel {
    let gone = format!(r#"(nomad_node_state{{state="down"}} and {NODE_KEY} nomad_node_drained == 1)"#);
    let others = &format!(r#"(nomad_node_state{{state!="active"}} unless {NODE_KEY} {gone})"#);
    let info = largest(
        &format!("{INFO}, state"),
        &format!("nomad_node_info{{%pool}} * {NODE_KEY} group_left (state) {others}"),
    );
    let of = |query: &str| largest(NODE, &format!("{query} and {NODE_KEY} {others} {OF_POOL}"));
    let allocations = "sum by (cluster, region, instance, node_id, node) (nomad_node_allocations)";
    let columns = [
        Column::hidden(info),
        Column::new("Allocations", "none", of(allocations)),
        Column::new("Uptime", "s", of("(time() - nomad_node_host_boot_timestamp_seconds)")),
    ];
    let labels: Vec<_> = LABELS.into_iter().chain([("node_id", "")]).collect();
    let description = "Nodes that are down, disconnected, initializing, draining or ineligible. Excludes clients \
                       that were drained and terminated.";
    table("Nodes that are not active", description, "All nodes are active", &labels, &columns).size(24, 8)
}

/// Returns the table of the nodes with the most allocated resources.
fn busiest() -> Panel {
    let [cpu, memory, disk] =
        RESOURCES.map(|(_, [allocated, allocatable, ..])| ratio(allocated, allocatable, ""));
    let top = format!("topk({ROWS}, {cpu} {OF_POOL})");
    let info = largest(INFO, "nomad_node_info{%pool}");
    let more = "group_left (node_pool, node_class, datacenter, version)";
    let of = |query: &str| format!("{query} and on (cluster, region, node_id) {top}");
    let allocations = "sum by (cluster, region, instance, node_id, node) (nomad_node_allocations)";
    let answers = Words { no: ("missing", "red"), yes: ("available", "text") };
    let columns = [
        Column::bar("CPU allocated", format!("{top} * on (cluster, region, node_id, node) {more} {info}")),
        Column::bar("Memory allocated", of(&memory)),
        Column::bar("Disk allocated", of(&disk)),
        Column::new("Allocations", "none", of(&largest(NODE, allocations))),
        Column::words("Host statistics", answers, of(&largest(NODE, "nomad_node_host_stats_up"))),
        Column::new("Uptime", "s", of(&largest(NODE, "time() - nomad_node_host_boot_timestamp_seconds"))),
    ];
    let labels: Vec<_> =
        LABELS.into_iter().filter(|(label, _)| *label != "state").chain([("node_id", "")]).collect();
    let description =
        &format!("The {ROWS} nodes with the highest share of allocated CPU, and the uptime of their hosts.");
    table("The fullest nodes", description, "No allocations are known", &labels, &columns).size(24, 10)
}

fn drained() -> [Panel; 2] {
    let remaining = "node:nomad_node_drain_remaining_allocations:max";
    [
        drains("%pool"),
        timeseries(
            "Allocations that drains wait for",
            "Allocations that have to end or move before the drains are complete, or that the deadlines stop: the \
             total, and the 20 nodes with the most.",
            "short",
        )
        .query(&format!("sum({remaining} {OF_POOL}) or 0 * {}", active_nodes()), "all")
        .query(&format!("topk(20, {remaining} {OF_POOL})"), LINE),
    ]
}

/// Returns a panel with the fullest nodes by a ratio.
fn fullest(title: &str, description: &str, query: &str) -> Panel {
    bar_gauge(title, &format!("{description} Shows the {BARS} fullest nodes."), "percentunit")
        .size(8, 9)
        .ratio()
        .query(&format!("sort_desc(topk({BARS}, {query} {OF_POOL}))"), LINE)
}

fn pools() -> [Panel; 3] {
    let panel = |title: &str, description| {
        timeseries(title, description, "percentunit").size(8, 8).default("max", json!(1))
    };
    [
        panel("CPU allocated, by pool", "Allocated share of the CPU of each pool's active nodes.")
            .query("pool:nomad_node_allocated_cpu:ratio{%pool}", POOL),
        panel("Memory allocated, by pool", "Allocated share of the memory of each pool's active nodes.")
            .query("pool:nomad_node_allocated_memory:ratio{%pool}", POOL),
        timeseries("Running allocations by type", "Running allocations by the type of their job.", "short")
            .size(8, 8)
            .query(&all("job_type", r#"nomad_allocations{client_status="running"}"#), "{{job_type}}")
            .stacked(),
    ]
}

fn chosen() -> Vec<Panel> {
    let mut panels: Vec<_> = RESOURCES
        .iter()
        .map(|(what, [allocated, allocatable, used, total])| {
            let description = format!("{ALLOCATED} {}", used_by(what));
            timeseries(what, &description, "percentunit")
                .size(8, 9)
                .query(&ratio(allocated, allocatable, "%node"), &format!("{LINE} allocated"))
                .query(&ratio(used, total, "%node"), &format!("{LINE} in use"))
        })
        .collect();
    let statuses =
        "sum by (cluster, region, instance, node_id, node, client_status) (nomad_node_allocations{%node})";
    panels.push(
        timeseries(
            "Allocations",
            "Non-terminal allocations by status: pending, running or unknown.",
            "short",
        )
        .size(12, 8)
        .query(&largest("node_id, node, client_status", statuses), &format!("{LINE} {{{{client_status}}}}"))
        .stacked(),
    );
    panels.push(timeseries("State", "1 for the current state of the node.", "none").size(12, 8).query(
        &largest("node_id, node, state", "nomad_node_state{%node}"),
        &format!("{LINE} {{{{state}}}}"),
    ));
    panels
}

fn health() -> [Panel; 3] {
    let unhealthy = format!("node_driver:nomad_node_driver_unhealthy:min {OF_POOL}");
    [
        timeseries(
            "Unhealthy drivers by driver",
            "Number of active nodes on which a detected driver is unhealthy.",
            "short",
        )
        .size(8, 8)
        .query(&format!("count by (driver) ({unhealthy})"), "{{driver}}"),
        table(
            "Unhealthy drivers",
            "Unhealthy drivers of each active node.",
            "All drivers are healthy",
            &[
                ("cluster", "Cluster"),
                ("region", "Region"),
                ("node", "Node"),
                ("driver", "Driver"),
                ("node_id", "ID"),
            ],
            &[Column::hidden(unhealthy)],
        )
        .size(8, 8),
        bar_gauge("Nomad versions", "Number of nodes by version of Nomad.", "none").size(8, 8).query(
            &format!(
                "sort_desc(count by (version) ({}))",
                largest("node_id, version", "nomad_node_info{%pool}")
            ),
            "{{version}}",
        ),
    ]
}
