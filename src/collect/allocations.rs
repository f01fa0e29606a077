//! Allocations: the live ones every interval, the terminal ones less often.

use std::sync::Arc;

use super::at;
use super::context::Context;
use super::report::FetchError;
use super::store::{Refresh, Section};
use crate::nomad::Endpoint;
use crate::nomad::api::{AllocatedResources, Allocation, each_row};
use crate::snapshot::{AllocationCounts, LiveAllocations, NodeLoad};
use crate::terms::{DesiredStatus, JobType};

/// Everything but the terminal statuses, so that a status of a newer Nomad is live and not lost.
const LIVE: &str = r#"ClientStatus != "complete" and ClientStatus != "failed" and ClientStatus != "lost""#;
const TERMINAL: &str = r#"ClientStatus == "complete" or ClientStatus == "failed" or ClientStatus == "lost""#;

/// Reads the live allocations; from servers that cannot filter, all of them.
pub(super) async fn fetch_live(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let filtered = context.lists_are_filtered().await;
    let (fold, mut refresh) = fetch(&context, filtered.then_some(LIVE), true).await?;
    refresh.sections.push(Section::Allocations(fold.live));
    if !filtered {
        refresh.sections.push(Section::FinishedAllocations(fold.finished));
    }
    Ok(refresh)
}

/// Reads the terminal allocations, unless the live refresh does. Only their number counts, so their resources
/// are not asked for.
pub(super) async fn fetch_finished(context: Arc<Context>) -> Result<Refresh, FetchError> {
    if !context.lists_are_filtered().await {
        return Ok(Refresh::default());
    }
    let (fold, mut refresh) = fetch(&context, Some(TERMINAL), false).await?;
    refresh.sections.push(Section::FinishedAllocations(fold.finished));
    Ok(refresh)
}

async fn fetch(
    context: &Context,
    filter: Option<&str>,
    resources: bool,
) -> Result<(Fold, Refresh), FetchError> {
    let mut request = context.list(Endpoint::Allocations, "/v1/allocations").query("task_states", "false");
    if resources {
        request = request.query("resources", "true");
    }
    if let Some(filter) = filter {
        request = request.query("filter", filter);
    }
    let decode = |json: &mut _| {
        let mut fold = Fold::default();
        let objects = each_row(json, |allocation: Allocation| fold.add(&allocation))?;
        Ok((fold, objects))
    };
    let ((fold, objects), meta) = context.client.fetch(request, decode).await?;
    Ok((fold, Refresh { sections: Vec::new(), objects, meta }))
}

/// Counts and sums allocations as they come.
#[derive(Default)]
struct Fold {
    live: LiveAllocations,
    finished: AllocationCounts,
}

impl Fold {
    fn add(&mut self, allocation: &Allocation) {
        let live = allocation.client_status.is_live();
        let counts = if live { &mut self.live.counts } else { &mut self.finished };
        let namespace = allocation.namespace.as_deref().unwrap_or_default();
        at(&mut counts.by_namespace, namespace)[allocation.job_type][allocation.client_status] += 1;
        if let (true, Some(node)) = (live, allocation.node_id.as_deref()) {
            if !self.live.by_node.contains_key(node) {
                self.live.by_node.insert(node.to_owned(), NodeLoad::default());
            }
            let load = self.live.by_node.get_mut(node).expect("it was just put there");
            add_load(load, allocation);
        }
    }
}

fn add_load(load: &mut NodeLoad, allocation: &Allocation) {
    load.by_status[allocation.client_status] += 1;
    if allocation.job_type == JobType::System {
        load.system += 1;
        load.system_kept += u64::from(allocation.desired_status == DesiredStatus::Run);
    }
    match allocation.allocated_resources.as_ref().map(AllocatedResources::total) {
        Some(total) => {
            load.cpu_hertz += super::nodes::hertz(total.cpu_mhz);
            load.memory_bytes += super::nodes::bytes(total.memory_mib);
            load.memory_max_bytes += super::nodes::bytes(total.memory_max_mib);
            load.disk_bytes += super::nodes::bytes(total.disk_mib);
        }
        None => load.unsized_count += 1,
    }
}
