//! Nodes.

use std::sync::Arc;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::cores_and_devices;
use crate::collect::list::Known;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::collect::units::{bytes, hertz};
use crate::nomad::api::{self, NodeResources};
use crate::nomad::{Endpoint, Request};
use crate::snapshot::{Capacity, LastDrain, Node, Sections, Servers};
use crate::terms::{DrainStatus, Eligibility, NodeState, NodeStatus};

/// Collector of all nodes with their resources.
pub(in crate::collect) struct NodesCollector {
    known: Known<()>,
}

reads!(NodesCollector: Servers);

impl Collect for NodesCollector {
    fn new(_: &Observers) -> Self {
        Self { known: Known::default() }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let request = Request::new(Endpoint::Nodes, "/v1/nodes").query("resources", "true");
        let add = |nodes: &mut Vec<Node>, row: api::Node| nodes.extend(node(row));
        let pages = upstream.get::<Servers>().await.unwrap_or_default().filter_lists;
        let again = self.known.fold(&context.client, vec![request], pages, (), Vec::new(), add).await?;
        Ok(again.refresh(|nodes| Sections { nodes: Some(Arc::new(nodes.into())), ..Sections::default() }))
    }
}

/// Converts a node. Returns `None` if it has no ID, because its series would be ambiguous.
pub(in crate::collect) fn node(row: api::Node) -> Option<Node> {
    let id = row.id.clone().filter(|id| !id.is_empty())?;
    let (has, reserved) = (row.node_resources.as_ref(), row.reserved_resources.as_ref());
    let mut drivers: Vec<(String, bool)> = row.drivers.iter().flatten().filter_map(driver).collect();
    drivers.sort_unstable();
    let version = row.version().unwrap_or_default().to_owned();
    Some(Node {
        state: state(&row),
        eligible: row.scheduling_eligibility == Eligibility::Eligible,
        draining: is_draining(&row),
        last_drain: row
            .last_drain
            .value
            .as_ref()
            .map(|drain| LastDrain { started: drain.started_at.0, status: drain.status }),
        allocatable: Capacity {
            cpu_hertz: left(has, reserved, NodeResources::cpu_mhz).map(hertz),
            memory_bytes: left(has, reserved, NodeResources::memory_mib).map(bytes),
            disk_bytes: left(has, reserved, NodeResources::disk_mib).map(bytes),
        },
        cores: cores_and_devices::allocatable_cores(has, reserved),
        devices: cores_and_devices::healthy_devices(has),
        cpu_total_hertz: left(has, None, NodeResources::cpu_mhz).map(hertz),
        drivers,
        modify_index: row.modify_index.filter(|_| is_draining(&row)).unwrap_or_default(),
        id,
        name: row.name.unwrap_or_default(),
        datacenter: row.datacenter.unwrap_or_default(),
        pool: row.node_pool.unwrap_or_default(),
        class: row.node_class.unwrap_or_default(),
        version,
        address: row.address.unwrap_or_default(),
    })
}

fn is_draining(row: &api::Node) -> bool {
    // Nomad has derived Drain from the drain strategy since 1.1. Without it, the status of the last drain is
    // equivalent.
    let of_last = || row.last_drain.value.as_ref().is_some_and(|drain| drain.status == DrainStatus::Draining);
    row.drain.unwrap_or_else(of_last)
}

fn state(row: &api::Node) -> NodeState {
    match row.status {
        NodeStatus::Down => NodeState::Down,
        NodeStatus::Disconnected => NodeState::Disconnected,
        NodeStatus::Initializing => NodeState::Initializing,
        NodeStatus::Ready if is_draining(row) => NodeState::Draining,
        NodeStatus::Ready if row.scheduling_eligibility == Eligibility::Eligible => NodeState::Active,
        NodeStatus::Ready => NodeState::Ineligible,
        NodeStatus::Other => NodeState::Other,
    }
}

fn driver((name, driver): (&String, &Option<api::Driver>)) -> Option<(String, bool)> {
    let driver = driver.as_ref().filter(|driver| driver.detected == Some(true))?;
    Some((name.clone(), driver.healthy == Some(true)))
}

/// Returns the resource minus its reserved part, and 0 if that is negative.
fn left(
    has: Option<&NodeResources>,
    reserved: Option<&NodeResources>,
    dimension: fn(&NodeResources) -> Option<i64>,
) -> Option<u64> {
    let has = has.and_then(dimension)?;
    let reserved = reserved.and_then(dimension).unwrap_or_default();
    Some(u64::try_from(has.saturating_sub(reserved)).unwrap_or_default())
}
