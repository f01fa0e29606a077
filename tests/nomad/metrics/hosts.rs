//! Host statistics, as measured by the clients.

use serde_json::Value;

use super::MHZ;
use crate::answers::{number, text, texts};
use crate::comparison::{Metric, Numbers, View, metric};

const NODE: &[&str] = &["node_id", "node"];
const DISK: &[&str] = &["node_id", "node", "device"];
/// All clients share one host, on which other programs run too.
const NEAR: f64 = 0.2;

pub(super) const METRICS: &[Metric] = &[
    metric("nomad_node_host_stats_up", NODE, |view| {
        let ready = view.answers.nodes.iter().filter(|node| text(node, "Status") == "ready");
        let is_up = |node: &Value| f64::from(view.answers.hosts.contains_key(text(node, "ID")));
        ready.map(|node| (texts(node, &["ID", "Name"]), is_up(node))).collect()
    }),
    metric("nomad_node_host_cpu_total_hertz", NODE, |view| {
        hosts(view, |node, _| number(&node["NodeResources"]["Cpu"]["CpuShares"]) * MHZ)
    }),
    metric("nomad_node_host_memory_total_bytes", NODE, |view| {
        hosts(view, |_, host| number(&host["Memory"]["Total"]))
    }),
    metric("nomad_node_host_memory_used_bytes", NODE, |view| {
        hosts(view, |_, host| number(&host["Memory"]["Used"]))
    })
    .near(NEAR),
    metric("nomad_node_host_memory_available_bytes", NODE, |view| {
        hosts(view, |_, host| number(&host["Memory"]["Available"]))
    })
    .near(NEAR),
    metric("nomad_node_host_disk_size_bytes", DISK, |view| disks(view, |disk| number(&disk["Size"]))),
    metric("nomad_node_host_disk_used_bytes", DISK, |view| disks(view, |disk| number(&disk["Used"])))
        .near(NEAR),
    metric("nomad_node_host_disk_inodes_used_ratio", DISK, |view| {
        disks(view, |disk| number(&disk["InodesUsedPercent"]) / 100.0)
    })
    .near(NEAR),
    // Its uptime is in whole seconds.
    metric("nomad_node_host_boot_timestamp_seconds", NODE, |view| {
        hosts(view, |_, host| number(&host["Timestamp"]) / 1e9 - number(&host["Uptime"]))
    })
    .near(1e-8),
];

fn hosts(view: &View<'_>, value: impl Fn(&Value, &Value) -> f64) -> Numbers {
    let host = |node: &'_ Value| view.answers.hosts.get(text(node, "ID"));
    let nodes = view.answers.nodes.iter();
    nodes.filter_map(|node| Some((texts(node, &["ID", "Name"]), value(node, host(node)?)))).collect()
}

fn disks(view: &View<'_>, value: impl Fn(&Value) -> f64) -> Numbers {
    let mut numbers = Numbers::new();
    for node in &view.answers.nodes {
        let Some(host) = view.answers.hosts.get(text(node, "ID")) else { continue };
        let named =
            host["DiskStats"].as_array().into_iter().flatten().map(|disk| (text(disk, "Device"), disk));
        let own = Some(("alloc_dir", &host["AllocDirStats"])).filter(|(_, disk)| !disk.is_null());
        for (device, disk) in named.chain(own) {
            let mut key = texts(node, &["ID", "Name"]);
            key.push(device.to_owned());
            numbers.insert(key, value(disk));
        }
    }
    numbers
}
