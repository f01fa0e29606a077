//! Families about the hosts of the nodes, as their clients measure them.

use super::family::{Family, Kind};
use super::nodes::{NODE, each_node};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, Disk, Host, Node};

const DISK: &[&str] = &["node_id", "node", "device"];
const COLLECTORS: &[CollectorId] = &[CollectorId::Nodes, CollectorId::HostStats];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_node_host_stats_up",
        help: "1 if the client of a ready node returned its host statistics in the last refresh, 0 otherwise.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: COLLECTORS,
        emit: |view, out| {
            each_asked_node(view, |node, host| out.add(&[&node.id, &node.name], f64::from(host.is_some())));
        },
    },
    Family {
        name: "nomad_node_host_cpu_used_hertz",
        help: "CPU used by everything on the host.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: COLLECTORS,
        emit: |view, out| of_host(view, out, |_, host| host.cpu_used_hertz),
    },
    Family {
        name: "nomad_node_host_cpu_total_hertz",
        help: "Total CPU of the host, including reserved resources.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: COLLECTORS,
        emit: |view, out| of_host(view, out, |node, _| node.cpu_total_hertz),
    },
    Family {
        name: "nomad_node_host_memory_total_bytes",
        help: "Total memory of the host.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: COLLECTORS,
        emit: |view, out| of_host(view, out, |_, host| host.memory_total_bytes),
    },
    Family {
        name: "nomad_node_host_memory_used_bytes",
        help: "Memory used on the host.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: COLLECTORS,
        emit: |view, out| of_host(view, out, |_, host| host.memory_used_bytes),
    },
    Family {
        name: "nomad_node_host_memory_available_bytes",
        help: "Memory available on the host.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: COLLECTORS,
        emit: |view, out| of_host(view, out, |_, host| host.memory_available_bytes),
    },
    Family {
        name: "nomad_node_host_disk_size_bytes",
        help: "Size of a disk of the host. The file system of the allocation directory is the device alloc_dir.",
        kind: Kind::Gauge,
        labels: DISK,
        collectors: COLLECTORS,
        emit: |view, out| of_disks(view, out, |disk| disk.size_bytes),
    },
    Family {
        name: "nomad_node_host_disk_used_bytes",
        help: "Disk space used on a disk of the host.",
        kind: Kind::Gauge,
        labels: DISK,
        collectors: COLLECTORS,
        emit: |view, out| of_disks(view, out, |disk| disk.used_bytes),
    },
    Family {
        name: "nomad_node_host_disk_inodes_used_ratio",
        help: "Ratio of used inodes on a disk of the host, from 0 to 1.",
        kind: Kind::Gauge,
        labels: DISK,
        collectors: COLLECTORS,
        emit: |view, out| of_disks(view, out, |disk| disk.inodes_used_ratio),
    },
    Family {
        name: "nomad_node_host_boot_timestamp_seconds",
        help: "Unix time at which the host was booted.",
        kind: Kind::Gauge,
        labels: NODE,
        collectors: COLLECTORS,
        emit: |view, out| {
            each_host(view, |node, host| out.add_time(&[&node.id, &node.name], host.booted));
        },
    },
];

/// Calls for every node whose client was asked, with what it answered.
fn each_asked_node(view: &View<'_>, mut call: impl FnMut(&Node, Option<&Host>)) {
    let Some(hosts) = &view.sections().hosts else { return };
    each_node(view, |node| {
        if let Some(host) = hosts.by_node.get(&node.id) {
            call(node, host.as_ref());
        }
    });
}

fn each_host(view: &View<'_>, mut call: impl FnMut(&Node, &Host)) {
    each_asked_node(view, |node, host| {
        if let Some(host) = host {
            call(node, host);
        }
    });
}

fn of_host(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&Node, &Host) -> Option<f64>) {
    each_host(view, |node, host| out.add_some(&[&node.id, &node.name], value(node, host)));
}

fn of_disks(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&Disk) -> Option<f64>) {
    each_host(view, |node, host| {
        for disk in &host.disks {
            out.add_some(&[&node.id, &node.name, &disk.device], value(disk));
        }
    });
}
