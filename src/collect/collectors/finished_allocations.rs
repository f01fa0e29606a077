//! Terminal allocations that Nomad still retains.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::events::{RowKey, Table};
use crate::collect::follower::ChangedRows;
use crate::collect::history::History;
use crate::collect::list::Known;
use crate::collect::observers::{
    AllocationPass, Completions, Handover, LookedFor, Observers, Periodic, Placed, Placements, Which,
};
use crate::collect::report::FetchError;
use crate::nomad::Endpoint;
use crate::nomad::api::Allocation;
use crate::snapshot::{
    AllocationCounts, AllocationEnd, Ends, FinishedAllocations, FinishedJobs, LiveAllocations, LiveJobs,
    Sections, Servers,
};
use crate::terms::{ByTerm, ClientStatus, JobKey, JobType, Outcome, at, hash_of};

const TERMINAL: &str = r#"ClientStatus == "complete" or ClientStatus == "failed" or ClientStatus == "lost""#;

/// Number of history intervals for which an allocation is remembered after it was placed.
const RECENT_INTERVALS: u32 = 3;
/// Maximum number of allocations remembered like that.
const MAX_RECENT: usize = 100_000;

/// Collector of terminal allocations. If servers cannot filter, they are read together with the non-terminal
/// ones. Only their number, age and outcome matter, so their resources are not requested.
pub(in crate::collect) struct FinishedAllocationsCollector {
    placements: Arc<Placements>,
    completions: Arc<Completions>,
    periodic: Arc<Periodic>,
    full_allocations: Arc<Handover<FinishedAllocationsFold>>,
    /// The last list, with the other inputs of its fold.
    known: Known<Beside>,
    history: History,
    /// The last result. Changes are applied to it while they are read row by row.
    last: Option<Last>,
}

/// The jobs whose first allocation was searched for, and the number of complete lists of dead jobs when the list was
/// requested.
type Beside = (LookedFor, u64);

#[derive(Clone)]
struct Last {
    finished: Arc<FinishedAllocations>,
    /// Hashes of the IDs of lost allocations, which may run again.
    lost: HashSet<u64>,
    /// Allocations that were placed recently. Their job may not have been known yet.
    recent: Vec<Placed>,
    beside: Beside,
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
            history: History::new(Table::FinishedAllocations),
            last: None,
        }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        if !upstream.get::<Servers>().await.unwrap_or_default().filter_lists {
            upstream.need::<LiveAllocations>().await?;
            let joins = Joins::newest(upstream).await;
            let sections = self.full_allocations.take().map(|fold| self.sections(fold, &joins, None));
            return Ok(Refresh { sections: sections.unwrap_or_default(), ..Refresh::default() });
        }
        let requests = context.over_namespaces(Endpoint::Allocations, "/v1/allocations").into_iter();
        let requests: Vec<_> =
            requests.map(|request| request.query("task_states", "false").query("filter", TERMINAL)).collect();
        // Wait for the list of dead jobs, so that this list contains the allocations of all of them.
        upstream.settled::<FinishedJobs>().await;
        let mut fold = FinishedAllocationsFold::new(&self.placements, &self.completions);
        let recent = context.settings.history_interval * RECENT_INTERVALS;
        fold.recent_since = (context.now)().checked_sub(recent);
        let beside = (fold.pass.looked_for(), fold.began_after);
        let (stream, last) = (context.events.stream(), self.last.take());
        if let Some(last) = &last {
            let is_used = |key: &RowKey, is_over: bool| is_over || last.lost.contains(&hash_of(&key.id));
            if let Some(changes) = self.history.changes(context, &requests, is_used).await? {
                let joins = Joins::newest(upstream).await;
                return Ok(self.apply(changes, last, beside, fold, &joins));
            }
            fold.known = Some(last.finished.clone());
        }
        fold.ends.reserve_exact(self.history.capacity());
        let add = |fold: &mut FinishedAllocationsFold, allocation: Allocation| fold.add(&allocation);
        let again = self.known.fold(&context.client, requests, true, beside.clone(), fold, add).await?;
        self.history.listed(context, stream, &again, |fold| &fold.new).await;
        self.last = last.filter(|_| self.history.is_followed());
        let joins = Joins::newest(upstream).await;
        Ok(again.refresh(|fold| self.sections(fold, &joins, Some(beside))))
    }
}

/// Sections that terminal allocations are joined with.
struct Joins {
    live: Option<Arc<LiveAllocations>>,
    jobs: Option<Arc<LiveJobs>>,
    dead: Option<Arc<FinishedJobs>>,
}

impl Joins {
    async fn newest(upstream: &Newest<'_, FinishedAllocationsCollector>) -> Self {
        Self { live: upstream.get().await, jobs: upstream.get().await, dead: upstream.get().await }
    }
}

impl FinishedAllocationsCollector {
    /// Applies changes to the last result.
    fn apply(
        &mut self,
        changes: ChangedRows<Allocation>,
        last: &Last,
        beside: Beside,
        mut fold: FinishedAllocationsFold,
        joins: &Joins,
    ) -> Refresh {
        let (objects, meta) = (last.finished.ends.len() as u64, changes.meta);
        if changes.rows.is_empty() && beside == last.beside {
            self.last = Some(last.clone());
            return Refresh { objects, meta, ..Refresh::default() };
        }
        let is_row = |key: &RowKey, row: &Allocation| row.id.as_deref() == Some(&key.id);
        let changed: Vec<Allocation> = changes.existing(is_row).collect();
        fold.start_with(last, &changed);
        changed.iter().for_each(|allocation| fold.add(allocation));
        // The sections of the last list are no longer shown.
        self.known.forget();
        Refresh { sections: self.sections(fold, joins, Some(beside)), objects, meta }
    }

    /// Returns the sections. `beside` is `None` if the list cannot be followed.
    fn sections(
        &mut self,
        fold: FinishedAllocationsFold,
        Joins { live, jobs, dead }: &Joins,
        beside: Option<Beside>,
    ) -> Sections {
        self.placements.commit_allocations(fold.pass, Which::Finished);
        let FinishedAllocationsFold { counts, ends, began_after, lost, recent, .. } = fold;
        let ends = Ends::from(ends);
        let stopping = live.as_ref().map(|live| &live.stopping);
        self.completions.commit_ends(&ends, stopping, began_after);
        if let Some(dead) = dead {
            let jobs = jobs.as_ref().map(|jobs| &jobs.periodic);
            self.periodic.add(periodic_runs(dead, &ends, stopping), jobs);
        }
        let finished = Arc::new(FinishedAllocations { counts, ends, began_after });
        let beside = beside.filter(|_| self.history.is_followed());
        self.last = beside.map(|beside| Last { finished: finished.clone(), lost, recent, beside });
        Sections { finished_allocations: Some(finished), ..Sections::default() }
    }
}

/// Returns the ended runs of periodic jobs: namespace, parent, outcome and time of the end.
fn periodic_runs<'a>(
    dead: &'a FinishedJobs,
    ends: &'a Ends,
    stopping: Option<&'a Ends>,
) -> impl Iterator<Item = (&'a str, &'a str, Outcome, SystemTime)> {
    dead.periodic.iter().filter_map(move |(job, parent)| {
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
    lost: HashSet<u64>,
    recent: Vec<Placed>,
    /// Allocations that were placed earlier are not remembered.
    recent_since: Option<SystemTime>,
    /// What is compared with the list.
    known: Option<Arc<FinishedAllocations>>,
    /// Hashes of the keys of allocations that were unknown.
    new: Vec<u64>,
}

impl FinishedAllocationsFold {
    pub(in crate::collect) fn new(placements: &Placements, completions: &Completions) -> Self {
        Self {
            counts: AllocationCounts::default(),
            ends: Vec::new(),
            began_after: completions.lists(),
            pass: placements.allocation_pass(),
            lost: HashSet::new(),
            recent: Vec::new(),
            recent_since: None,
            known: None,
            new: Vec::new(),
        }
    }

    /// Starts with the last result, without the allocations that changed. Then only those are added.
    fn start_with(&mut self, last: &Last, changed: &[Allocation]) {
        self.counts = last.finished.counts.clone();
        self.lost.clone_from(&last.lost);
        // Sized at once, because growing would leave as much memory free but resident.
        self.ends.reserve_exact(last.finished.ends.len() + changed.len());
        let changed: HashMap<_, _> = changed.iter().map(|row| (end(row).key(), row)).collect();
        for known in last.finished.ends.iter() {
            let Some(row) = changed.get(&known.key()) else {
                self.ends.push(*known);
                continue;
            };
            let namespace = row.namespace.as_deref().unwrap_or_default();
            let count = &mut at(&mut self.counts.by_namespace, namespace)[row.job_type][known.status];
            *count = count.saturating_sub(1);
            self.lost.remove(&hash_of(row.id.as_deref().unwrap_or_default()));
        }
        self.counts.by_namespace.retain(|_, counts| *counts != ByTerm::default());
        let is_recent = |placed: &&Placed| Some(placed.created) >= self.recent_since;
        self.recent = last.recent.iter().filter(is_recent).copied().collect();
        self.recent.iter().for_each(|placed| self.pass.add_placed(*placed));
    }

    pub(in crate::collect) fn add(&mut self, allocation: &Allocation) {
        self.pass.add(allocation);
        if allocation.client_status.is_live() {
            return;
        }
        let namespace = allocation.namespace.as_deref().unwrap_or_default();
        at(&mut self.counts.by_namespace, namespace)[allocation.job_type][allocation.client_status] += 1;
        let (id, end) = (allocation.id.as_deref().unwrap_or_default(), end(allocation));
        self.ends.push(end);
        if self.known.as_ref().is_some_and(|known| !known.ends.contains(&end)) {
            self.new.push(RowKey::new(namespace, id).hash());
        }
        if allocation.client_status == ClientStatus::Lost {
            self.lost.insert(hash_of(id));
        }
        if let Some(placed) = Placed::of(allocation)
            && self.recent_since.is_some_and(|since| placed.created >= since)
            && self.recent.len() < MAX_RECENT
        {
            self.recent.push(placed);
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
        status: allocation.client_status,
        outcome: allocation.outcome(),
        changed: allocation.modified().map_or(0, seconds),
    }
}

/// Returns Unix seconds, which fit until 2106.
fn seconds(time: SystemTime) -> u32 {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX)
}
