//! Allocations: the live ones every interval, the terminal ones less often.

use std::sync::Arc;

use super::at;
use super::context::Context;
use super::list;
use super::observers::{AllocationPass, Which};
use super::report::FetchError;
use super::store::{Refresh, Section};
use crate::nomad::api::{AllocatedResources, Allocation};
use crate::nomad::{Endpoint, Request};
use crate::snapshot::{AllocationCounts, LiveAllocations, LiveJobs, NodeLoad};
use crate::terms::{DesiredStatus, JobType};

/// Everything but the terminal statuses, so that a status of a newer Nomad is live and not lost.
pub(super) const LIVE: &str =
    r#"ClientStatus != "complete" and ClientStatus != "failed" and ClientStatus != "lost""#;
const TERMINAL: &str = r#"ClientStatus == "complete" or ClientStatus == "failed" or ClientStatus == "lost""#;

/// Reads the live allocations; from servers that cannot filter, all of them.
pub(super) async fn fetch_live(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let filtered = context.servers().await.filter_lists;
    let (which, filter) = if filtered { (Which::Live, Some(LIVE)) } else { (Which::All, None) };
    let requests = requests(&context, filter).map(|request| request.query("resources", "true"));
    let mut requests: Vec<_> = requests.collect();
    // Which jobs have series of their own is for the list of jobs to say.
    let jobs = if context.is_on("jobs") { context.after(&["jobs"]).await.jobs } else { None };
    let fold = Fold::new(&context, jobs.clone());
    let sections = |fold: Fold| {
        let delays = context.placements.commit_allocations(fold.placements, which);
        let mut sections = vec![Section::Placements(delays), Section::Allocations(fold.live)];
        if !filtered {
            sections.push(Section::FinishedAllocations(fold.finished));
        }
        sections
    };
    // The answer is known while nothing in it changed, and the same is looked for in it as before.
    if filtered && requests.len() == 1 {
        let beside = (jobs.map(|jobs| jobs.named.clone()), fold.placements.looked_for());
        let (request, known) = (requests.remove(0), &context.known_allocations);
        let again = known.fold(&context.client, request, beside, fold, Fold::add, Section::SameAllocations);
        return Ok(again.await?.refresh(sections));
    }
    Ok(list::fold(&context.client, requests, fold, Fold::add).await?.refresh(sections))
}

/// Reads the terminal allocations, unless the live refresh does. Only their number and age count, so their
/// resources are not asked for.
pub(super) async fn fetch_finished(context: Arc<Context>) -> Result<Refresh, FetchError> {
    if !context.servers().await.filter_lists {
        return Ok(Refresh::default());
    }
    let requests = requests(&context, Some(TERMINAL)).collect();
    let folded = list::fold(&context.client, requests, Fold::new(&context, None), Fold::add).await?;
    Ok(folded.refresh(|fold| {
        let delays = context.placements.commit_allocations(fold.placements, Which::Finished);
        vec![Section::Placements(delays), Section::FinishedAllocations(fold.finished)]
    }))
}

fn requests(context: &Context, filter: Option<&'static str>) -> impl Iterator<Item = Request> {
    let requests = context.over_namespaces(Endpoint::Allocations, "/v1/allocations").into_iter();
    requests.map(move |request| {
        let request = request.query("task_states", "false");
        match filter {
            Some(filter) => request.query("filter", filter),
            None => request,
        }
    })
}

/// Counts and sums allocations as they come.
struct Fold {
    live: LiveAllocations,
    finished: AllocationCounts,
    jobs: Arc<LiveJobs>,
    placements: AllocationPass,
}

impl Fold {
    fn new(context: &Context, jobs: Option<Arc<LiveJobs>>) -> Self {
        Self {
            live: LiveAllocations::default(),
            finished: AllocationCounts::default(),
            jobs: jobs.unwrap_or_default(),
            placements: context.placements.allocation_pass(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "rows are handed over")]
    fn add(&mut self, allocation: Allocation) {
        let allocation = &allocation;
        self.placements.add(allocation);
        let live = allocation.client_status.is_live();
        let counts = if live { &mut self.live.counts } else { &mut self.finished };
        let namespace = allocation.namespace.as_deref().unwrap_or_default();
        at(&mut counts.by_namespace, namespace)[allocation.job_type][allocation.client_status] += 1;
        if live {
            self.add_to_node(allocation);
            self.add_to_job(allocation, namespace);
        }
    }

    fn add_to_node(&mut self, allocation: &Allocation) {
        let Some(node) = allocation.node_id.as_deref() else { return };
        if !self.live.by_node.contains_key(node) {
            self.live.by_node.insert(node.to_owned(), NodeLoad::default());
        }
        add_load(self.live.by_node.get_mut(node).expect("it was just put there"), allocation);
    }

    fn add_to_job(&mut self, allocation: &Allocation, namespace: &str) {
        let Some(job_id) = allocation.job_id.as_deref() else { return };
        let Some(named) = self.jobs.named.find(namespace, job_id) else { return };
        let groups = at(at(&mut self.live.by_job, namespace), named);
        let group = allocation.task_group.as_deref().unwrap_or_default();
        at(groups, group)[allocation.client_status] += 1;
    }
}

/// Adds a live allocation to what its node holds.
pub(super) fn add_load(load: &mut NodeLoad, allocation: &Allocation) {
    load.by_status[allocation.client_status] += 1;
    if allocation.job_type == JobType::System {
        load.system += 1;
        load.system_kept += u64::from(allocation.desired_status == DesiredStatus::Run);
    }
    match allocation.allocated_resources.as_ref().map(AllocatedResources::total) {
        Some(total) => {
            load.cpu_hertz += super::units::hertz(total.cpu_mhz);
            load.memory_bytes += super::units::bytes(total.memory_mib);
            load.memory_max_bytes += super::units::bytes(total.memory_max_mib);
            load.disk_bytes += super::units::bytes(total.disk_mib);
        }
        None => load.unsized_count += 1,
    }
}
