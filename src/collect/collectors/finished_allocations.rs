//! Terminal allocations that Nomad still retains.

use std::sync::Arc;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::observers::{AllocationPass, Handover, Observers, Placements, Which};
use crate::collect::report::FetchError;
use crate::collect::{at, list};
use crate::nomad::Endpoint;
use crate::nomad::api::Allocation;
use crate::snapshot::{AllocationCounts, LiveAllocations, Sections, Servers};

const TERMINAL: &str = r#"ClientStatus == "complete" or ClientStatus == "failed" or ClientStatus == "lost""#;

/// Reads the terminal allocations. Those of servers that cannot filter come with the live ones. Only their number and
/// age count, so their resources are not asked for.
pub(in crate::collect) struct FinishedAllocationsCollector {
    placements: Arc<Placements>,
    full_allocations: Arc<Handover<FinishedAllocationsFold>>,
}

reads!(FinishedAllocationsCollector: Servers, LiveAllocations);

impl Collect for FinishedAllocationsCollector {
    fn new(observers: &Observers) -> Self {
        Self {
            placements: observers.placements.clone(),
            full_allocations: observers.full_allocations.clone(),
        }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        if !upstream.get::<Servers>().await.unwrap_or_default().filter_lists {
            upstream.need::<LiveAllocations>().await?;
            let sections = self.full_allocations.take().map(|fold| self.sections(fold)).unwrap_or_default();
            return Ok(Refresh { sections, ..Refresh::default() });
        }
        let requests = context.over_namespaces(Endpoint::Allocations, "/v1/allocations").into_iter();
        let requests =
            requests.map(|request| request.query("task_states", "false").query("filter", TERMINAL)).collect();
        let fold = FinishedAllocationsFold::new(&self.placements);
        let add = |fold: &mut FinishedAllocationsFold, allocation: Allocation| fold.add(&allocation);
        let folded = list::fold(&context.client, requests, fold, add).await?;
        Ok(folded.refresh(|fold| self.sections(fold)))
    }
}

impl FinishedAllocationsCollector {
    fn sections(&self, fold: FinishedAllocationsFold) -> Sections {
        self.placements.commit_allocations(fold.pass, Which::Finished);
        Sections { finished_allocations: Some(Arc::new(fold.counts)), ..Sections::default() }
    }
}

/// Counts allocations as they come. Live ones, which a server that cannot filter sends too, are left to another
/// collector, and tell only when a job was placed.
#[derive(Debug)]
pub(in crate::collect) struct FinishedAllocationsFold {
    counts: AllocationCounts,
    pass: AllocationPass,
}

impl FinishedAllocationsFold {
    pub(in crate::collect) fn new(placements: &Placements) -> Self {
        Self { counts: AllocationCounts::default(), pass: placements.allocation_pass() }
    }

    pub(in crate::collect) fn add(&mut self, allocation: &Allocation) {
        self.pass.add(allocation);
        if !allocation.client_status.is_live() {
            let namespace = allocation.namespace.as_deref().unwrap_or_default();
            at(&mut self.counts.by_namespace, namespace)[allocation.job_type][allocation.client_status] += 1;
        }
    }
}
