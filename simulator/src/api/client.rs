//! Client statistics: usage of hosts and allocations.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Refusal};
use crate::cluster::{Allocation, AllocationId, ClientStatus, Node, NodeStatus, SeededNumbers};
use crate::time::{nanos, seconds};
use crate::version::since;

use super::access::Capability;
use super::{Call, Reply};

const MIB: u64 = 1024 * 1024;

impl Call<'_> {
    pub(super) fn client_stats(&self) -> Reply {
        self.access.require(self.version(), |policy| policy.node)?;
        let Some(id) = self.request.query.get("node_id") else {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "No local Node and node_id not provided"));
        };
        let unknown = || Refusal::new(StatusCode::NOT_FOUND, format!("Unknown node {id}"));
        let node = self.find_node(id).ok_or_else(unknown)?;
        self.check_path(node)?;
        Ok(Answer::json(&self.host_stats(node)))
    }

    pub(super) fn allocation_stats(&self, id: &str) -> Reply {
        self.access.require_known(self.version())?;
        let found = id.parse().ok().and_then(|id: AllocationId| self.cluster.allocations.get(&id));
        let unknown = || Refusal::new(StatusCode::NOT_FOUND, format!("Unknown allocation {id:?}"));
        let allocation = found.ok_or_else(unknown)?;
        if !self.access.sees(Capability::ReadJob, &allocation.job.namespace) {
            return Err(Refusal::forbidden());
        }
        let no_node =
            || Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("Unknown node {}", allocation.node));
        self.check_path(self.cluster.nodes.get(&allocation.node).ok_or_else(no_node)?)?;
        Ok(Answer::json(&self.usage(allocation)))
    }

    /// Servers reach a client only through the connection that the client keeps open.
    pub(super) fn check_path(&self, node: &Node) -> Result<(), Refusal> {
        if node.status == NodeStatus::Ready {
            return Ok(());
        }
        Err(Refusal::new(StatusCode::NOT_FOUND, "No path to node"))
    }

    /// Random numbers seeded with an ID and the current second, so that reading does not change the model.
    fn chance(&self, seed: u64) -> SeededNumbers {
        SeededNumbers::new(seed ^ seconds(self.cluster.now))
    }

    fn host_stats(&self, node: &Node) -> Value {
        let mut chance = self.chance(node.id.seed());
        let live = node.live.iter().filter_map(|id| self.cluster.allocations.get(id));
        let running = live.filter(|allocation| allocation.client == ClientStatus::Running);
        let promised =
            running.map(|allocation| allocation.total.cpu).sum::<u64>() as f64 / node.spec.cpu.max(1) as f64;
        let busy = (promised * (0.6 + 0.3 * chance.unit()) + 0.03).min(1.0);
        let core_mhz = node.spec.core_mhz() as f64;
        let cores: Vec<Value> = (0..node.spec.cores)
            .map(|core| {
                let percent = (busy * 100.0 + 10.0 * (chance.unit() - 0.5)).clamp(0.0, 100.0);
                let mut row = json!({
                    "CPU": format!("cpu{core}"),
                    "User": percent * 0.8,
                    "System": percent * 0.2,
                    "Idle": 100.0 - percent,
                });
                if self.version() >= since::CPU_TICKS {
                    row["TotalPercent"] = json!(percent);
                    row["TotalTicks"] = json!(percent / 100.0 * core_mhz);
                } else {
                    row["Total"] = json!(percent);
                }
                row
            })
            .collect();
        let total = node.spec.memory_mb * MIB;
        let used = (total as f64 * (0.1 + 0.7 * busy)) as u64;
        let disk = |device: &str, mountpoint: &str| {
            let size = node.spec.disk_mb * MIB;
            let taken = size / 10 + node.allocated.disk_mb * MIB / 2;
            json!({
                "Device": device, "Mountpoint": mountpoint, "Size": size, "Used": taken,
                "Available": size.saturating_sub(taken),
                "UsedPercent": taken as f64 / size.max(1) as f64 * 100.0,
                "InodesUsedPercent": 4.5,
            })
        };
        let uptime = self.cluster.now.duration_since(node.registered).unwrap_or_default().as_secs();
        json!({
            "Memory": {"Total": total, "Used": used, "Available": total - used, "Free": (total - used) / 2},
            "CPU": cores,
            "CPUTicksConsumed": busy * node.spec.cpu as f64,
            "DiskStats": [disk("/dev/vda", "/")],
            "AllocDirStats": disk("", ""),
            "DeviceStats": null,
            "Uptime": uptime + 600,
            "Timestamp": nanos(self.cluster.now),
        })
    }

    fn usage(&self, allocation: &Allocation) -> Value {
        let mut chance = self.chance(allocation.id.seed());
        let timestamp = nanos(self.cluster.now);
        let mut tasks = Map::new();
        let (mut all_cpu, mut all_memory) = (0.0, 0);
        for task in allocation.task_group().into_iter().flat_map(|group| &group.tasks) {
            let promised = if task.cores > 0 { task.cores * allocation.core_mhz } else { task.cpu };
            let cpu = promised as f64 * (0.3 + 0.6 * chance.unit());
            let memory = (task.memory_mb as f64 * (0.4 + 0.5 * chance.unit())) as u64 * MIB;
            all_cpu += cpu;
            all_memory += memory;
            let usage = self.resource_usage(cpu, memory, allocation.core_mhz);
            tasks.insert(
                task.name.clone(),
                json!({"ResourceUsage": usage, "Timestamp": timestamp, "Pids": null}),
            );
        }
        let usage = self.resource_usage(all_cpu, all_memory, allocation.core_mhz);
        json!({"ResourceUsage": usage, "Tasks": tasks, "Timestamp": timestamp})
    }

    fn resource_usage(&self, cpu: f64, memory: u64, core_mhz: u64) -> Value {
        json!({
            "MemoryStats": {
                "RSS": memory * 9 / 10, "Usage": memory, "MaxUsage": memory,
                "Cache": 0, "Swap": 0, "MappedFile": 0, "KernelUsage": 0, "KernelMaxUsage": 0,
                "Measured": ["RSS", "Cache", "Swap", "Usage"],
            },
            "CpuStats": {
                "Percent": cpu / core_mhz.max(1) as f64 * 100.0, "TotalTicks": cpu,
                "SystemMode": 1.0, "UserMode": 1.0, "ThrottledPeriods": 0, "ThrottledTime": 0,
                "Measured": ["System Mode", "User Mode", "Percent"],
            },
            "DeviceStats": [],
        })
    }
}
