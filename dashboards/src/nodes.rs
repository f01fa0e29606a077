//! Nodes: their states, their work, which are fullest, and which may go. Made for 10,000 of them: what is drawn over time is
//! drawn by pool, or for the nodes that are chosen.

use serde_json::{Value, json};

use crate::board::{Board, Variable};
use crate::overview::{active_nodes, down_nodes};
use crate::panel::{Panel, Words, bar_gauge, stat, timeseries};
use crate::promql::{NODE_KEY, POOL, all, largest};
use crate::table::{Column, drains, table};

/// How many bars a bar gauge shows at most, and how many rows the table of the fullest nodes.
const BARS: usize = 50;
const ROWS: usize = 100;

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

const NODE: &str = "node_id, node";
const OF_POOL: &str = "and on (cluster, region, node_id) nomad_node_info{%pool}";
const LINE: &str = "{{cluster}} {{region}} {{node}}";

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-nodes",
        "Nomad / Nodes",
        "Nodes: their states, their work, which are fullest, and which may go.",
        &[Variable::NodePool, Variable::Node],
    )
    .row("Now", now())
    .row("Drains", drained())
    .row(
        "The fullest, by what is allocated",
        RESOURCES.map(|(what, [allocated, whole, ..])| {
            fullest(&format!("{what} allocated"), ALLOCATED, &ratio(allocated, whole, ""))
        }),
    )
    .row(
        "The fullest, by what is in use on the host",
        RESOURCES.map(|(what, [.., used, whole])| {
            fullest(&format!("{what} in use"), used_by(what), &ratio(used, whole, ""))
        }),
    )
    .row("Pools, over time", pools())
    .row("Chosen nodes, over time", chosen())
    .row("Health", health())
    .build()
}

const ALLOCATED: &str =
    "Share of what a node has for jobs that is allocated to its non-terminal allocations.";

fn used_by(what: &str) -> &'static str {
    match what {
        "Disk" => {
            "Share of the file system of the allocation directory that is in use, by whatever is on it."
        }
        _ => "Share of what the host has that is in use, by whatever runs there.",
    }
}

/// A ratio of each node that these matchers select.
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
        count("Active", "Nodes that take work.", active_nodes(), "green"),
        count(
            "Draining",
            "Nodes whose work is moving away and that take no new.",
            &all("", r#"nomad_nodes{%pool, state="draining"}"#),
            "yellow",
        ),
        down_nodes().size(4, 4),
        count(
            "Safe to terminate",
            "Nodes whose drain is complete, that take no work, and on which nothing runs that the drain waited for, as every \
             exporter says.",
            &or_none(&drained),
            "green",
        ),
        count(
            "Unhealthy drivers",
            "Task drivers that an active node has and that do not work.",
            &or_none(&unhealthy),
            "red",
        ),
        count(
            "Hosts without an answer",
            "Clients of ready nodes that did not answer for their host statistics.",
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

/// Nodes that take no work.
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
    let description = "Nodes that are not active: down, disconnected, initializing, draining or ineligible. Clients \
                       that were drained and terminated are left out.";
    table("Nodes that take no work", description, "All nodes are active", &labels, &columns).size(24, 8)
}

/// The nodes of which most is allocated.
fn busiest() -> Panel {
    let [cpu, memory, disk] =
        RESOURCES.map(|(_, [allocated, allocatable, ..])| ratio(allocated, allocatable, ""));
    let top = format!("topk({ROWS}, {cpu} {OF_POOL})");
    let info = largest(INFO, "nomad_node_info{%pool}");
    let more = "group_left (node_pool, node_class, datacenter, version)";
    let of = |query: &str| format!("{query} and on (cluster, region, node_id) {top}");
    let allocations = "sum by (cluster, region, instance, node_id, node) (nomad_node_allocations)";
    let answers = Words { no: ("no answer", "red"), yes: ("answers", "text") };
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
        &format!("The {ROWS} nodes of which most CPU is allocated, and since when their hosts are up.");
    table("The fullest nodes", description, "No allocations are known", &labels, &columns).size(24, 10)
}

fn drained() -> [Panel; 2] {
    let remaining = "node:nomad_node_drain_remaining_allocations:max";
    [
        drains("%pool"),
        timeseries(
            "Allocations that drains wait for",
            "They end, or their deadline stops them. All, and the 20 nodes with most.",
            "short",
        )
        .query(&format!("sum({remaining} {OF_POOL}) or 0 * {}", active_nodes()), "all")
        .query(&format!("topk(20, {remaining} {OF_POOL})"), LINE),
    ]
}

/// The fullest nodes by a ratio.
fn fullest(title: &str, description: &str, query: &str) -> Panel {
    bar_gauge(title, &format!("{description} The {BARS} fullest."), "percentunit")
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
        timeseries("Running allocations by type", "Allocations that run, by the type of their job.", "short")
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
        timeseries("Allocations", "Non-terminal allocations: pending, running, and out of sight.", "short")
            .size(12, 8)
            .query(
                &largest("node_id, node, client_status", statuses),
                &format!("{LINE} {{{{client_status}}}}"),
            )
            .stacked(),
    );
    panels.push(timeseries("State", "1 for the state that a node is in.", "none").size(12, 8).query(
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
            "On how many active nodes a detected driver does not work.",
            "short",
        )
        .size(8, 8)
        .query(&format!("count by (driver) ({unhealthy})"), "{{driver}}"),
        table(
            "Unhealthy drivers",
            "Which driver does not work on which node.",
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
        bar_gauge("Nomad versions", "How many nodes run each version of Nomad.", "none").size(8, 8).query(
            &format!(
                "sort_desc(count by (version) ({}))",
                largest("node_id, version", "nomad_node_info{%pool}")
            ),
            "{{version}}",
        ),
    ]
}
