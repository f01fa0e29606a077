//! Nodes: states, allocatable and allocated resources.

use serde_json::Value;

use self::Fold::{Largest, Sum};
use super::backlog::phase;
use super::{MHZ, MIB, count};
use crate::answers::{Answers, number, text, texts};
use crate::comparison::{Metric, Numbers, View, metric};

const NODE: &[&str] = &["node_id", "node"];
const POOL: &[&str] = &["node_pool"];

pub(super) const METRICS: &[Metric] = &[
    metric("nomad_nodes", &["datacenter", "node_pool", "node_class", "state"], |view| {
        count(&view.answers.nodes, |node| {
            let mut key = texts(node, &["Datacenter", "NodePool", "NodeClass"]);
            key.push(state(node).to_owned());
            key
        })
    })
    .filled(),
    metric(
        "nomad_node_info",
        &["node_id", "node", "datacenter", "node_pool", "node_class", "version", "address"],
        |view| {
            let keys = ["ID", "Name", "Datacenter", "NodePool", "NodeClass", "Version", "Address"];
            count(&view.answers.nodes, |node| texts(node, &keys))
        },
    ),
    metric("nomad_node_state", &["node_id", "node", "state"], |view| {
        count(&view.answers.nodes, |node| {
            [text(node, "ID"), text(node, "Name"), state(node)].map(str::to_owned).into()
        })
    })
    .filled(),
    metric("nomad_node_allocations", &["node_id", "node", "client_status"], |view| {
        let mut counts = Numbers::new();
        for node in &view.answers.nodes {
            for row in view.answers.live_on(node) {
                let mut key = texts(node, &["ID", "Name"]);
                key.push(text(row, "ClientStatus").to_owned());
                *counts.entry(key).or_insert(0.0) += 1.0;
            }
        }
        counts
    })
    .filled(),
    metric("nomad_node_allocatable_cpu_hertz", NODE, |view| each(view, |node| allocatable(node).cpu)),
    metric("nomad_node_allocatable_memory_bytes", NODE, |view| each(view, |node| allocatable(node).memory)),
    metric("nomad_node_allocatable_disk_bytes", NODE, |view| each(view, |node| allocatable(node).disk)),
    metric("nomad_node_allocated_cpu_hertz", NODE, |view| {
        each(view, |node| allocated(view.answers, node).cpu)
    }),
    metric("nomad_node_allocated_memory_bytes", NODE, |view| {
        each(view, |node| allocated(view.answers, node).memory)
    }),
    metric("nomad_node_allocated_memory_max_bytes", NODE, |view| {
        each(view, |node| view.answers.live_on(node).map(|row| needs(row, memory_max)).sum::<f64>() * MIB)
    }),
    metric("nomad_node_allocated_disk_bytes", NODE, |view| {
        each(view, |node| allocated(view.answers, node).disk)
    }),
    metric("nomad_pool_allocatable_cpu_hertz", POOL, |view| of_pools(view, |node, _| node.cpu, Sum)),
    metric("nomad_pool_allocatable_memory_bytes", POOL, |view| of_pools(view, |node, _| node.memory, Sum)),
    metric("nomad_pool_allocated_cpu_hertz", POOL, |view| of_pools(view, |_, held| held.cpu, Sum)),
    metric("nomad_pool_allocated_memory_bytes", POOL, |view| of_pools(view, |_, held| held.memory, Sum)),
    metric("nomad_pool_largest_free_cpu_hertz", POOL, |view| {
        of_pools(view, |node, held| node.cpu - held.cpu, Largest)
    }),
    metric("nomad_pool_largest_free_memory_bytes", POOL, |view| {
        of_pools(view, |node, held| node.memory - held.memory, Largest)
    }),
    metric("nomad_node_allocatable_cores", NODE, |view| {
        each(view, |node| cores(&node["NodeResources"]["Cpu"]["ReservableCpuCores"]))
    }),
    metric("nomad_node_allocated_cores", NODE, |view| {
        let mut reserved = each(view, |node| {
            let tasks =
                view.answers.live_on(node).filter_map(|row| row["AllocatedResources"]["Tasks"].as_object());
            tasks.flat_map(|tasks| tasks.values()).map(|task| cores(&task["Cpu"]["ReservedCores"])).sum()
        });
        reserved.retain(|_, cores| *cores > 0.0);
        reserved
    }),
    metric("nomad_node_driver_healthy", &["node_id", "node", "driver"], |view| {
        let mut healthy = Numbers::new();
        for node in &view.answers.nodes {
            for (driver, told) in node["Drivers"].as_object().into_iter().flatten() {
                if told["Detected"] == true {
                    let mut key = texts(node, &["ID", "Name"]);
                    key.push(driver.clone());
                    healthy.insert(key, f64::from(told["Healthy"] == true));
                }
            }
        }
        healthy
    }),
];

/// Returns the number of cores in a list.
fn cores(list: &Value) -> f64 {
    list.as_array().map_or(0, Vec::len) as f64
}

/// Amounts of resources, in hertz and bytes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Amounts {
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
    pub(crate) disk: f64,
}

/// Returns a value of each node.
fn each(view: &View<'_>, value: impl Fn(&Value) -> f64) -> Numbers {
    view.answers.nodes.iter().map(|node| (texts(node, &["ID", "Name"]), value(node))).collect()
}

/// How the values of a pool's nodes are combined.
enum Fold {
    Sum,
    Largest,
}

/// Returns a value for each pool, calculated from the allocatable and allocated amounts of its active nodes.
fn of_pools(view: &View<'_>, value: fn(&Amounts, &Amounts) -> f64, fold: Fold) -> Numbers {
    let mut pools = Numbers::new();
    for node in &view.answers.nodes {
        let pool = pools.entry(texts(node, &["NodePool"])).or_insert(0.0);
        if state(node) == "active" {
            let value = value(&allocatable(node), &allocated(view.answers, node));
            *pool = match fold {
                Sum => *pool + value,
                Largest => pool.max(value),
            };
        }
    }
    pools
}

/// A node's state.
pub(crate) fn state(node: &Value) -> &str {
    match text(node, "Status") {
        "ready" if node["Drain"] == true => "draining",
        "ready" if text(node, "SchedulingEligibility") == "ineligible" => "ineligible",
        "ready" => "active",
        status => status,
    }
}

/// Returns the allocatable resources of a node.
pub(crate) fn allocatable(node: &Value) -> Amounts {
    let free = |part: &str, key: &str| {
        let side = |side: &str| number(&node[side][part][key]);
        side("NodeResources") - side("ReservedResources")
    };
    Amounts {
        cpu: free("Cpu", "CpuShares") * MHZ,
        memory: free("Memory", "MemoryMB") * MIB,
        disk: free("Disk", "DiskMB") * MIB,
    }
}

/// Returns the resources of its non-terminal allocations.
pub(crate) fn allocated(answers: &Answers, node: &Value) -> Amounts {
    amounts(answers.live_on(node))
}

/// Returns the resources of its system jobs that are to keep running.
pub(super) fn allocated_to_system_jobs(answers: &Answers, node: &Value) -> Amounts {
    let is_kept = |row: &&Value| text(row, "JobType") == "system" && text(row, "DesiredStatus") == "run";
    amounts(answers.live_on(node).filter(is_kept))
}

fn amounts<'a>(allocations: impl Iterator<Item = &'a Value>) -> Amounts {
    let allocations: Vec<&Value> = allocations.collect();
    let sum = |value: &dyn Fn(&Value) -> f64| allocations.iter().fold(0.0, |sum, row| sum + value(row));
    Amounts {
        cpu: sum(&|row| needs(row, |task| number(&task["Cpu"]["CpuShares"]))) * MHZ,
        memory: sum(&|row| needs(row, |task| number(&task["Memory"]["MemoryMB"]))) * MIB,
        disk: sum(&|row| number(&row["AllocatedResources"]["Shared"]["DiskMB"])) * MIB,
    }
}

/// Returns Nomad's total of an allocation for one resource: the maximum of what its tasks need before, during
/// and after the main ones. No task of the tests reserves cores.
pub(super) fn needs(allocation: &Value, need: impl Fn(&Value) -> f64) -> f64 {
    let resources = &allocation["AllocatedResources"];
    let sum_of = |phases: &[&str]| -> f64 {
        let tasks = resources["Tasks"].as_object().into_iter().flatten();
        let tasks =
            tasks.filter(|(name, _)| phases.contains(&phase(&resources["TaskLifecycles"][name.as_str()])));
        tasks.map(|(_, task)| need(task)).sum()
    };
    let during = sum_of(&["main", "poststart", "sidecar"]);
    during.max(sum_of(&["prestart", "sidecar"])).max(sum_of(&["poststop"]))
}

fn memory_max(task: &Value) -> f64 {
    let max = number(&task["Memory"]["MemoryMaxMB"]);
    if max > 0.0 { max } else { number(&task["Memory"]["MemoryMB"]) }
}
