//! Collector of non-terminal allocations.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::finished_allocations::{FinishedAllocationsFold, end};
use super::transitions::{TransitionsFold, is_starting};
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::cores_and_devices;
use crate::collect::earliest;
use crate::collect::kept::Kept;
use crate::collect::list::{self, Again};
use crate::collect::observers::{
    AllocationPass, Completions, Handover, LookedFor, Observers, Placements, Starts, StartsPass, Which,
};
use crate::collect::report::FetchError;
use crate::collect::units::{bytes, hertz};
use crate::nomad::api::Allocation;
use crate::nomad::{Endpoint, Request};
use crate::snapshot::{
    AllocatedTotal, AllocationEnd, LiveAllocations, LiveJobs, NamedJobs, NodeLoad, NodeLoads, RunningSince,
    Sections, Servers,
};
use crate::terms::{DesiredStatus, JobType, at};

/// Filter for non-terminal allocations. Excludes the terminal statuses instead of listing the others, so that
/// a status added by a newer Nomad counts as live.
pub(in crate::collect) const LIVE: &str =
    r#"ClientStatus != "complete" and ClientStatus != "failed" and ClientStatus != "lost""#;

/// Reads non-terminal allocations. Reads all allocations if the servers do not support filters.
pub(in crate::collect) struct AllocationsCollector {
    placements: Arc<Placements>,
    completions: Arc<Completions>,
    starts: Arc<Starts>,
    full_allocations: Arc<Handover<FinishedAllocationsFold>>,
    /// Time at which each stopping allocation in the last list was first seen with a desired status of stop
    /// or evict.
    told_to_stop: Arc<HashMap<u64, SystemTime>>,
    /// Creation times of the running allocations in the last list.
    running: RunningSince,
    /// The last list, with the other inputs of its fold: the jobs that had per-job series, and the jobs whose
    /// first allocation was searched for.
    kept: Kept<Allocation, (Option<NamedJobs>, LookedFor)>,
}

// The job list determines which jobs have per-job series.
reads!(AllocationsCollector: Servers, LiveJobs);

impl Collect for AllocationsCollector {
    fn new(observers: &Observers) -> Self {
        Self {
            placements: observers.placements.clone(),
            completions: observers.completions.clone(),
            starts: observers.starts.clone(),
            full_allocations: observers.full_allocations.clone(),
            told_to_stop: Arc::default(),
            running: RunningSince::default(),
            kept: Kept::default(),
        }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let filter_lists = upstream.get::<Servers>().await.unwrap_or_default().filter_lists;
        let request = |request: Request| {
            let request = request.query("task_states", "false").query("resources", "true");
            if filter_lists { request.query("filter", LIVE) } else { request }
        };
        let requests = context.over_namespaces(Endpoint::Allocations, "/v1/allocations").into_iter();
        let requests = requests.map(request).collect();
        let jobs = upstream.get::<LiveJobs>().await;
        let fold = AllocationsFold {
            live: LiveAllocations::default(),
            loads: NodeLoads::default(),
            stopping: Vec::new(),
            jobs: jobs.clone().unwrap_or_default(),
            pass: self.placements.allocation_pass(),
            starts: self.starts.pass(),
            transitions: TransitionsFold::new(context.settings.running_jobs),
            told_to_stop: self.told_to_stop.clone(),
            finished: (!filter_lists)
                .then(|| FinishedAllocationsFold::new(&self.placements, &self.completions)),
        };
        // Decoding is skipped only if both the list and the other inputs of the fold are unchanged.
        let again = if filter_lists {
            let beside = (jobs.map(|jobs| jobs.named.clone()), fold.pass.looked_for());
            self.kept.fold(context, requests, beside, fold, AllocationsFold::add).await?
        } else {
            let add = |fold: &mut AllocationsFold, row: Allocation| fold.add(&row);
            Again::New(list::fold(&context.client, requests, fold, add).await?)
        };
        let mut refresh = again.refresh(|fold| self.sections(fold));
        // Ages grow even if the list is unchanged.
        refresh.sections.running_ages = Some(Arc::new(self.running.ages((context.now)())));
        Ok(refresh)
    }
}

impl AllocationsCollector {
    fn sections(&mut self, fold: AllocationsFold) -> Sections {
        self.placements.commit_allocations(fold.pass, Which::Live);
        self.starts.commit(fold.starts);
        fold.finished.into_iter().for_each(|fold| self.full_allocations.put(fold));
        let TransitionsFold { transitions, running, told_to_stop, .. } = fold.transitions;
        self.running = running;
        self.told_to_stop = Arc::new(told_to_stop);
        Sections {
            allocations: Some(Arc::new(LiveAllocations { stopping: fold.stopping.into(), ..fold.live })),
            node_loads: Some(Arc::new(fold.loads)),
            transitions: Some(Arc::new(transitions)),
            ..Sections::default()
        }
    }
}

/// Counts allocations and sums their resources while the list is decoded. Servers without filters send
/// terminal allocations too. These are used for job placement times and passed on to the collector of
/// finished allocations.
struct AllocationsFold {
    live: LiveAllocations,
    loads: NodeLoads,
    stopping: Vec<AllocationEnd>,
    jobs: Arc<LiveJobs>,
    pass: AllocationPass,
    starts: StartsPass,
    transitions: TransitionsFold,
    told_to_stop: Arc<HashMap<u64, SystemTime>>,
    finished: Option<FinishedAllocationsFold>,
}

impl AllocationsFold {
    fn add(&mut self, allocation: &Allocation) {
        self.pass.add(allocation);
        if let Some(finished) = &mut self.finished {
            finished.add(allocation);
        }
        if !allocation.client_status.is_live() {
            return;
        }
        let namespace = allocation.namespace.as_deref().unwrap_or_default();
        let counts = at(&mut self.live.counts.by_namespace, namespace);
        counts[allocation.job_type][allocation.client_status] += 1;
        if matches!(allocation.desired_status, DesiredStatus::Stop | DesiredStatus::Evict) {
            self.stopping.push(end(allocation));
        }
        let amounts = Amounts::of(allocation);
        add_allocated(&mut at(&mut self.live.allocated, namespace)[allocation.job_type], amounts);
        self.starts.add(allocation);
        self.transitions.add(allocation, &self.told_to_stop);
        self.add_to_node(allocation, amounts);
        self.add_to_job(allocation, namespace);
    }

    fn add_to_node(&mut self, allocation: &Allocation, amounts: Option<Amounts>) {
        let Some(node) = allocation.node_id.as_deref() else { return };
        let by_node = &mut self.loads.by_node;
        if !by_node.contains_key(node) {
            by_node.insert(node.to_owned(), NodeLoad::default());
        }
        add_load(by_node.get_mut(node).expect("it was just put there"), allocation, amounts);
    }

    fn add_to_job(&mut self, allocation: &Allocation, namespace: &str) {
        let Some(job_id) = allocation.job_id.as_deref() else { return };
        let Some(named) = self.jobs.named.find(namespace, job_id) else { return };
        let groups = at(at(&mut self.live.by_job, namespace), named);
        let group = allocation.task_group.as_deref().unwrap_or_default();
        at(groups, group)[allocation.client_status] += 1;
    }
}

/// Allocated resources of an allocation, in hertz and bytes.
#[derive(Clone, Copy)]
pub(in crate::collect) struct Amounts {
    cpu: f64,
    memory: f64,
    memory_max: f64,
    disk: f64,
}

impl Amounts {
    /// Returns the allocated resources, if they are known.
    pub(in crate::collect) fn of(allocation: &Allocation) -> Option<Self> {
        let total = allocation.allocated_resources.as_ref()?.total;
        Some(Self {
            cpu: hertz(total.cpu_mhz),
            memory: bytes(total.memory_mib),
            memory_max: bytes(total.memory_max_mib),
            disk: bytes(total.disk_mib),
        })
    }
}

/// Adds a non-terminal allocation to its namespace and job type.
fn add_allocated(total: &mut AllocatedTotal, amounts: Option<Amounts>) {
    match amounts {
        Some(amounts) => {
            total.cpu_hertz += amounts.cpu;
            total.memory_bytes += amounts.memory;
        }
        None => total.unsized_count += 1,
    }
}

/// Adds a non-terminal allocation to its node.
pub(in crate::collect) fn add_load(load: &mut NodeLoad, allocation: &Allocation, amounts: Option<Amounts>) {
    load.by_status[allocation.client_status] += 1;
    if is_starting(allocation) {
        earliest(&mut load.oldest_starting, allocation.created());
    }
    let is_system = allocation.job_type == JobType::System;
    let is_kept = is_system && allocation.desired_status == DesiredStatus::Run;
    load.system += u64::from(is_system);
    load.system_kept += u64::from(is_kept);
    match amounts {
        Some(Amounts { cpu, memory, memory_max, disk }) => {
            load.cpu_hertz += cpu;
            load.memory_bytes += memory;
            load.memory_max_bytes += memory_max;
            load.disk_bytes += disk;
            if is_kept {
                load.system_allocated
                    .iter_mut()
                    .zip([cpu, memory, disk])
                    .for_each(|(sum, part)| *sum += part);
            }
            let resources = allocation.allocated_resources.as_ref();
            resources
                .into_iter()
                .for_each(|held| load.cores_and_devices.add(&cores_and_devices::allocated(held), 1));
        }
        None => load.unsized_count += 1,
    }
}
