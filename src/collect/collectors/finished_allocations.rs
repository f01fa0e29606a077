//! Terminal allocations that Nomad still retains.

use std::sync::Arc;
use std::time::SystemTime;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::list::Known;
use crate::collect::observers::{
    AllocationPass, Completions, Handover, LookedFor, Observers, Periodic, Placements, Which,
};
use crate::collect::report::FetchError;
use crate::nomad::Endpoint;
use crate::nomad::api::Allocation;
use crate::snapshot::{
    AllocationCounts, AllocationEnd, Ends, FinishedAllocations, FinishedJobs, LiveAllocations, LiveJobs,
    Sections, Servers,
};
use crate::terms::{JobKey, JobType, Outcome, at, hash_of};

const TERMINAL: &str = r#"ClientStatus == "complete" or ClientStatus == "failed" or ClientStatus == "lost""#;

/// Collector of terminal allocations. If servers cannot filter, they are read together with the non-terminal
/// ones. Only their number, age and outcome matter, so their resources are not requested.
pub(in crate::collect) struct FinishedAllocationsCollector {
    placements: Arc<Placements>,
    completions: Arc<Completions>,
    periodic: Arc<Periodic>,
    full_allocations: Arc<Handover<FinishedAllocationsFold>>,
    /// The last list, the jobs whose first allocation was searched for in it, and the number of complete
    /// lists of dead jobs when it was requested.
    known: Known<(LookedFor, u64)>,
}

reads!(FinishedAllocationsCollector: Servers, LiveJobs, LiveAllocations, FinishedJobs);

impl Collect for FinishedAllocationsCollector {
    fn new(observers: &Observers) -> Self {
        Self {
            placements: observers.placements.clone(),
            completions: observers.completions.clone(),
            periodic: observers.periodic.clone(),
            full_allocations: observers.full_allocations.clone(),
            known: Known::default(),
        }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        if !upstream.get::<Servers>().await.unwrap_or_default().filter_lists {
            let live = upstream.need::<LiveAllocations>().await?;
            let (jobs, dead) = (upstream.get::<LiveJobs>().await, upstream.get::<FinishedJobs>().await);
            let fold = self.full_allocations.take();
            let sections =
                fold.map(|fold| self.sections(fold, Some(&live), jobs.as_deref(), dead.as_deref()));
            let sections = sections.unwrap_or_default();
            return Ok(Refresh { sections, ..Refresh::default() });
        }
        let requests = context.over_namespaces(Endpoint::Allocations, "/v1/allocations").into_iter();
        let requests =
            requests.map(|request| request.query("task_states", "false").query("filter", TERMINAL)).collect();
        // Wait for the list of dead jobs, so that this list contains the allocations of all of them.
        upstream.settled::<FinishedJobs>().await;
        let fold = FinishedAllocationsFold::new(&self.placements, &self.completions);
        let add = |fold: &mut FinishedAllocationsFold, allocation: Allocation| fold.add(&allocation);
        let beside = (fold.pass.looked_for(), fold.began_after);
        let again = self.known.fold(&context.client, requests, true, beside, fold, add).await?;
        let live = upstream.get::<LiveAllocations>().await;
        let (jobs, dead) = (upstream.get::<LiveJobs>().await, upstream.get::<FinishedJobs>().await);
        Ok(again.refresh(|fold| self.sections(fold, live.as_deref(), jobs.as_deref(), dead.as_deref())))
    }
}

impl FinishedAllocationsCollector {
    fn sections(
        &self,
        fold: FinishedAllocationsFold,
        live: Option<&LiveAllocations>,
        jobs: Option<&LiveJobs>,
        dead: Option<&FinishedJobs>,
    ) -> Sections {
        self.placements.commit_allocations(fold.pass, Which::Finished);
        let FinishedAllocationsFold { counts, ends, began_after, .. } = fold;
        let ends = Ends::from(ends);
        self.completions.commit_ends(&ends, live.map(|live| &live.stopping), began_after);
        if let Some(dead) = dead {
            let stopping = live.map(|live| &live.stopping);
            self.periodic.add(periodic_runs(dead, &ends, stopping), jobs.map(|jobs| &jobs.periodic));
        }
        let finished = FinishedAllocations { counts, ends, began_after };
        Sections { finished_allocations: Some(Arc::new(finished)), ..Sections::default() }
    }
}

/// Returns the ended runs of periodic jobs: namespace, parent, outcome and time of the end.
fn periodic_runs<'a>(
    dead: &'a FinishedJobs,
    ends: &'a Ends,
    stopping: Option<&'a Ends>,
) -> impl Iterator<Item = (&'a str, &'a str, Outcome, SystemTime)> {
    dead.periodic.iter().filter_map(move |(place, parent)| {
        let job = dead.jobs.get(*place as usize)?;
        let namespace = dead.namespaces.get(job.namespace as usize)?;
        let outcome =
            if job.stopped { Outcome::Stopped } else { ends.outcome(job.key, job.create_index, stopping)? };
        Some((namespace.as_str(), &**parent, outcome, ends.ended(job.key, job.create_index)?))
    })
}

/// Counts the allocations of a list. Non-terminal ones, which servers without filters send too, are counted
/// by another collector; here they are only used to determine when a job was placed.
#[derive(Debug)]
pub(in crate::collect) struct FinishedAllocationsFold {
    counts: AllocationCounts,
    ends: Vec<AllocationEnd>,
    began_after: u64,
    pass: AllocationPass,
}

impl FinishedAllocationsFold {
    pub(in crate::collect) fn new(placements: &Placements, completions: &Completions) -> Self {
        Self {
            counts: AllocationCounts::default(),
            ends: Vec::new(),
            began_after: completions.lists(),
            pass: placements.allocation_pass(),
        }
    }

    pub(in crate::collect) fn add(&mut self, allocation: &Allocation) {
        self.pass.add(allocation);
        if !allocation.client_status.is_live() {
            let namespace = allocation.namespace.as_deref().unwrap_or_default();
            at(&mut self.counts.by_namespace, namespace)[allocation.job_type][allocation.client_status] += 1;
            self.ends.push(end(allocation));
        }
    }
}

/// Returns how an allocation ended, or will end if it is stopping.
pub(in crate::collect) fn end(allocation: &Allocation) -> AllocationEnd {
    let namespace = allocation.namespace.as_deref().unwrap_or_default();
    // Allocations of system jobs have the same name on every node.
    let is_per_node = matches!(allocation.job_type, JobType::System | JobType::Sysbatch);
    let node = allocation.node_id.as_deref().filter(|_| is_per_node);
    AllocationEnd {
        job: JobKey::new(namespace, allocation.job_id.as_deref().unwrap_or_default()),
        version: allocation.job_version.unwrap_or_default(),
        name: allocation.name.0 ^ node.map_or(0, |node| hash_of(node) as u32),
        create_index: allocation.create_index.unwrap_or_default(),
        outcome: allocation.outcome(),
        changed: allocation.modified().map_or(0, seconds),
    }
}

/// Returns Unix seconds, which fit until 2106.
fn seconds(time: SystemTime) -> u32 {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX)
}
