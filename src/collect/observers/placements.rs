//! Delay of jobs from submission to their first allocation.
//!
//! A job is tracked from the first list that contains it until its first allocation is known for certain.
//! Because non-terminal and terminal allocations are read at different times, the earliest allocation in one
//! list may not be the first one. It is certain in these cases:
//!
//! - it is in a list of non-terminal allocations, and no allocation of the job had ended when the job was
//!   read after that list;
//! - otherwise, after the terminal allocations have been read as well, following a list of non-terminal ones;
//! - if the job is dead, after the terminal allocations have been read, because they contain all its
//!   allocations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::seen::{SeenJobs, hash};
use crate::nomad::api::{Allocation, Job};
use crate::snapshot::{DELAY_BOUNDS_SECONDS, PlacementDelays};
use crate::terms::{JobStatus, JobType, at};

/// Maximum number of jobs tracked. Further jobs are not counted.
const MAX_WAITING: usize = 200_000;
/// Tolerated clock skew between servers: an allocation may seem to be older than its job.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);

/// Jobs that were placed while the exporter was running, each counted once. Jobs that were placed before the
/// exporter first saw them are not counted.
#[derive(Debug, Default)]
pub(in crate::collect) struct Placements(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Whether a list of live jobs has been read. The jobs of the first list existed before.
    live_is_known: bool,
    /// The same for dead jobs.
    dead_is_known: bool,
    /// Jobs of the last list of live jobs.
    live: Arc<SeenJobs>,
    /// Jobs of all lists of live jobs since the last list of dead jobs, and of the one before it.
    since_dead: SeenJobs,
    /// The same, but since the previous list of dead jobs. A job that dies while the dead jobs are listed is
    /// in neither of the newest lists.
    recent: Arc<SeenJobs>,
    /// Jobs of the last list of dead jobs.
    dead: Arc<SeenJobs>,
    /// Tracked jobs, by a hash of namespace and job ID, which allocations also contain.
    waiting: Arc<HashMap<u64, Waiting>>,
    delays: Arc<PlacementDelays>,
}

/// The jobs whose first allocation was searched for in a list.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::collect) struct LookedFor(Arc<HashMap<u64, Waiting>>);

/// A tracked job.
#[derive(Clone, Debug, PartialEq)]
struct Waiting {
    job: u64,
    namespace: Arc<str>,
    job_type: JobType,
    submitted: SystemTime,
    /// Creation time of the earliest allocation so far.
    first: Option<SystemTime>,
    /// Whether a complete list of non-terminal allocations has been read since `first` is known.
    passed_live_list: bool,
    dead: bool,
}

/// Kind of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::collect) enum Which {
    /// Live jobs, or non-terminal allocations.
    Live,
    /// Dead jobs, or terminal allocations.
    Finished,
}

/// A list of jobs that is being read.
#[derive(Debug)]
pub(in crate::collect) struct JobPass {
    recent: Arc<SeenJobs>,
    dead: Arc<SeenJobs>,
    waiting: Arc<HashMap<u64, Waiting>>,
    seen: SeenJobs,
    /// Jobs that are in no previous list: hash of the name, job, and whether it is pending and none of its
    /// allocations has ended.
    new: Vec<(u64, Waiting, bool)>,
    /// Jobs whose first allocation is certain.
    sure: Vec<u64>,
}

/// When an allocation of a job was placed.
#[derive(Clone, Copy, Debug)]
pub(in crate::collect) struct Placed {
    /// Hash of the job's name.
    job: u64,
    /// Creation time.
    pub(in crate::collect) created: SystemTime,
}

/// A list of allocations that is being read.
#[derive(Debug)]
pub(in crate::collect) struct AllocationPass {
    waiting: Arc<HashMap<u64, Waiting>>,
    first: HashMap<u64, SystemTime>,
}

impl Placements {
    /// Starts the processing of a list of jobs.
    pub(in crate::collect) fn job_pass(&self, which: Which) -> JobPass {
        let state = self.state();
        let before = match which {
            Which::Live => &state.live,
            Which::Finished => &state.dead,
        };
        JobPass {
            recent: state.recent.clone(),
            dead: state.dead.clone(),
            waiting: state.waiting.clone(),
            seen: SeenJobs::as_large_as(before),
            new: Vec::new(),
            sure: Vec::new(),
        }
    }

    /// Starts the processing of a list of allocations.
    pub(in crate::collect) fn allocation_pass(&self) -> AllocationPass {
        AllocationPass { waiting: self.state().waiting.clone(), first: HashMap::new() }
    }

    /// Processes a complete list of live jobs. If dead jobs are never listed, only the live ones are
    /// remembered.
    pub(in crate::collect) fn commit_live(&self, pass: JobPass, dead_are_listed: bool) {
        let mut state = self.state();
        pass.sure.iter().for_each(|name| state.settle(*name));
        let first_list = !std::mem::replace(&mut state.live_is_known, true);
        if !pass.seen.is_incomplete() {
            for (name, waiting, untouched) in pass.new {
                if !first_list || untouched {
                    state.follow(name, waiting);
                }
            }
        }
        state.live = Arc::new(pass.seen);
        if dead_are_listed {
            let live = state.live.clone();
            state.since_dead.extend(&live);
            Arc::make_mut(&mut state.recent).extend(&live);
        } else {
            state.recent = state.live.clone();
            state.forget_vanished();
        }
    }

    /// Processes a complete list of dead jobs.
    pub(in crate::collect) fn commit_dead(&self, pass: JobPass) {
        let mut state = self.state();
        let first_list = !std::mem::replace(&mut state.dead_is_known, true);
        if !first_list && state.live_is_known && !pass.seen.is_incomplete() {
            for (name, waiting, _) in pass.new {
                state.follow(name, waiting);
            }
        }
        state.dead = Arc::new(pass.seen);
        let live = SeenJobs::clone(&state.live);
        state.recent = Arc::new(std::mem::replace(&mut state.since_dead, live));
        let dead = state.dead.clone();
        for waiting in Arc::make_mut(&mut state.waiting).values_mut() {
            waiting.dead = dead.contains(waiting.job);
        }
        state.forget_vanished();
    }

    /// Processes a complete list of allocations.
    pub(in crate::collect) fn commit_allocations(&self, pass: AllocationPass, which: Which) {
        let mut state = self.state();
        if !pass.waiting.is_empty() {
            let waiting = Arc::make_mut(&mut state.waiting);
            for (name, first) in &pass.first {
                if let Some(waiting) = waiting.get_mut(name) {
                    waiting.first = Some(waiting.first.map_or(*first, |known| known.min(*first)));
                }
            }
            match which {
                Which::Live => {
                    for name in pass.waiting.keys() {
                        if let Some(waiting) = waiting.get_mut(name) {
                            waiting.passed_live_list |= waiting.first.is_some();
                        }
                    }
                }
                Which::Finished => {
                    for (name, before) in pass.waiting.iter() {
                        if before.dead || before.passed_live_list {
                            state.settle_or_give_up(*name, before.dead);
                        }
                    }
                }
            }
        }
    }

    /// Clears all jobs. The jobs of the next lists are then not counted.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        *state = State { delays: state.delays.clone(), ..State::default() };
    }

    /// Returns the delays so far.
    pub(in crate::collect) fn delays(&self) -> Arc<PlacementDelays> {
        self.state().delays.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tracks a job, unless it has become known in the meantime.
    fn follow(&mut self, name: u64, waiting: Waiting) {
        let is_known = self.recent.contains(waiting.job) || self.dead.contains(waiting.job);
        if !is_known && self.waiting.len() < MAX_WAITING {
            Arc::make_mut(&mut self.waiting).insert(name, waiting);
        }
    }

    /// Counts a job whose first allocation is certain.
    fn settle(&mut self, name: u64) {
        let Some(first) = self.waiting.get(&name).and_then(|waiting| waiting.first) else { return };
        let Some(waiting) = Arc::make_mut(&mut self.waiting).remove(&name) else { return };
        let delay = first.duration_since(waiting.submitted).unwrap_or_default();
        at(&mut Arc::make_mut(&mut self.delays).by_namespace, &waiting.namespace)[waiting.job_type]
            .observe(&DELAY_BOUNDS_SECONDS, delay);
    }

    /// Counts a job, or removes it if it died without being placed.
    fn settle_or_give_up(&mut self, name: u64, dead: bool) {
        match self.waiting.get(&name) {
            Some(waiting) if waiting.first.is_some() => self.settle(name),
            Some(_) if dead => drop(Arc::make_mut(&mut self.waiting).remove(&name)),
            _ => {}
        }
    }

    /// Removes jobs that are in no list any more, because they were purged.
    fn forget_vanished(&mut self) {
        let (recent, dead) = (self.recent.clone(), self.dead.clone());
        let is_listed = |waiting: &Waiting| recent.contains(waiting.job) || dead.contains(waiting.job);
        if self.waiting.values().any(|waiting| !is_listed(waiting)) {
            Arc::make_mut(&mut self.waiting).retain(|_, waiting| is_listed(waiting));
        }
    }
}

impl JobPass {
    /// Starts with all jobs of the last list of dead jobs. Then only changes are added and removed.
    pub(in crate::collect) fn start_with_dead(&mut self) {
        self.seen = SeenJobs::clone(&self.dead);
    }

    /// Removes a job that is not dead any more, or that is added again.
    pub(in crate::collect) fn remove(&mut self, namespace: &str, id: &str, create_index: Option<u64>) {
        self.seen.remove(hash((namespace, id, create_index)));
    }

    /// Returns the jobs whose first allocation is searched for, with the earliest one so far.
    pub(in crate::collect) fn looked_for(&self) -> LookedFor {
        LookedFor(self.waiting.clone())
    }

    /// Adds a job of the list.
    pub(in crate::collect) fn add(&mut self, job: &Job) {
        let id = job.id.as_deref().unwrap_or_default();
        // The create index is the same for all versions of the job, until it is purged and registered again.
        let hashed = hash((job.namespace(), id, job.create_index));
        self.seen.insert(hashed);
        let name = name_of(job.namespace(), id);
        let ended =
            job.sum(|group| group.complete) + job.sum(|group| group.failed) + job.sum(|group| group.lost);
        if let Some(waiting) = self.waiting.get(&name) {
            if waiting.passed_live_list && ended == 0 {
                self.sure.push(name);
            }
            return;
        }
        let Some(submitted) = job.submitted() else { return };
        if self.new.len() < MAX_WAITING && !self.recent.contains(hashed) && !self.dead.contains(hashed) {
            let waiting = Waiting {
                job: hashed,
                namespace: job.namespace().into(),
                job_type: job.job_type,
                submitted,
                first: None,
                passed_live_list: false,
                dead: job.status == JobStatus::Dead,
            };
            let untouched = job.status == JobStatus::Pending && ended == 0;
            self.new.push((name, waiting, untouched));
        }
    }
}

impl AllocationPass {
    /// Returns the jobs whose first allocation is searched for, with the earliest one so far.
    pub(in crate::collect) fn looked_for(&self) -> LookedFor {
        LookedFor(self.waiting.clone())
    }

    /// Adds an allocation of the list.
    pub(in crate::collect) fn add(&mut self, allocation: &Allocation) {
        if !self.waiting.is_empty()
            && let Some(placed) = Placed::of(allocation)
        {
            self.add_placed(placed);
        }
    }

    /// Adds an allocation.
    pub(in crate::collect) fn add_placed(&mut self, Placed { job, created }: Placed) {
        let Some(waiting) = self.waiting.get(&job) else { return };
        // It belongs to an earlier job with this ID.
        if created + CLOCK_TOLERANCE < waiting.submitted {
            return;
        }
        self.first.entry(job).and_modify(|first| *first = created.min(*first)).or_insert(created);
    }
}

impl Placed {
    /// Returns when an allocation was placed, if it has a job and a creation time.
    pub(in crate::collect) fn of(allocation: &Allocation) -> Option<Self> {
        let (namespace, job_id) = (allocation.namespace.as_deref()?, allocation.job_id.as_deref()?);
        Some(Self { job: name_of(namespace, job_id), created: allocation.created()? })
    }
}

/// Returns the hash under which a job and its allocations are matched.
fn name_of(namespace: &str, job_id: &str) -> u64 {
    hash((namespace, job_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBMITTED: i64 = 1_795_354_600_000_000_000;

    fn job(status: &str) -> Job {
        let row = serde_json::json!({"ID": "build", "Namespace": "ci", "Type": "batch", "Status": status,
            "CreateIndex": 7, "SubmitTime": SUBMITTED});
        serde_json::from_value(row).unwrap()
    }

    fn list(placements: &Placements, jobs: &[Job]) -> JobPass {
        let mut pass = placements.job_pass(Which::Live);
        jobs.iter().for_each(|job| pass.add(job));
        pass
    }

    /// Lists the allocation of the job, and returns the number of jobs counted after that.
    fn count(placements: &Placements, which: Which) -> u64 {
        let mut pass = placements.allocation_pass();
        let row = serde_json::json!({"Namespace": "ci", "JobID": "build", "CreateTime": SUBMITTED + 5});
        pass.add(&serde_json::from_value(row).unwrap());
        placements.commit_allocations(pass, which);
        placements.delays().by_namespace.values().map(|by_type| by_type[JobType::Batch].count()).sum()
    }

    /// A list of dead jobs that is read while a job dies does not contain it yet; lists of live jobs that are
    /// processed meanwhile no longer contain it.
    #[test]
    fn a_job_that_dies_while_the_dead_are_listed_counts_once() {
        for is_settled in [false, true] {
            let placements = Placements::default();
            placements.commit_live(list(&placements, &[]), true);
            placements.commit_dead(list(&placements, &[]));
            placements.commit_live(list(&placements, &[job("pending")]), true);
            if is_settled {
                count(&placements, Which::Live);
                placements.commit_live(list(&placements, &[job("running")]), true);
                assert_eq!(count(&placements, Which::Live), 1);
            }
            let dead_before_it_died = list(&placements, &[]);
            placements.commit_live(list(&placements, &[]), true);
            placements.commit_dead(dead_before_it_died);
            for _ in 0..3 {
                placements.commit_dead(list(&placements, &[job("dead")]));
                count(&placements, Which::Finished);
            }
            assert_eq!(count(&placements, Which::Finished), 1, "settled before: {is_settled}");
        }
    }
}
