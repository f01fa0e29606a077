//! `status`: shows the cluster on one screen, from the same data as the metrics.

mod screen;
mod watch;

use std::process::ExitCode;
use std::time::SystemTime;

use serde::Serialize;

use super::json::{LevelsJson, NamespacesJson, TimeJson, Word, print_json};
use super::table::Cell;
use super::terminal::{Terminal, Tone, print};
use super::{Error, Problem, Session, problems};
use crate::config::{Config, StatusArgs};
use crate::human;
use crate::snapshot::{CollectorId, DrainState, Levels, Missing, Pool, ResourceTotals, Snapshot, Totals};
use crate::terms::{BlockReason, NodeState};

/// Collectors for the screen.
const COLLECTORS: &[CollectorId] = &[
    CollectorId::Servers,
    CollectorId::Namespaces,
    CollectorId::Token,
    CollectorId::Jobs,
    CollectorId::Nodes,
    CollectorId::Allocations,
    CollectorId::Evaluations,
    CollectorId::Specifications,
    CollectorId::Drains,
    CollectorId::HostStats,
    CollectorId::FinishedJobs,
];

/// Shows the cluster. Succeeds if everything could be read.
pub(super) async fn run(config: Config, args: &StatusArgs) -> Result<ExitCode, Error> {
    let mut collectors = Session::for_all_namespaces(config)?.collectors(COLLECTORS);
    if args.watch {
        return watch::run(collectors, args).await.map(|()| ExitCode::SUCCESS);
    }
    collectors.refresh_all().await;
    let status = Status::new(&collectors.snapshot());
    if status.collectors_up == 0 {
        return Err(Error::Nothing(status.problems));
    }
    if args.show.json {
        print_json(&status)?;
    } else {
        print(&status.screen(&Terminal::of(&std::io::stdout(), args.show.color.color)))?;
    }
    Ok(if status.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// JSON output of `status`; unknown values are absent.
#[derive(Debug, Serialize)]
pub struct Status {
    as_of: TimeJson,
    namespaces: NamespacesJson,
    jobs: JobsJson,
    oldest_pending: Option<Vec<PendingJobJson>>,
    clients: Option<Vec<ClientCount>>,
    levels: LevelsJson,
    pools: Option<Vec<PoolStatus>>,
    drains: Option<Vec<DrainJson>>,
    problems: Vec<Problem>,
    #[serde(skip)]
    shown_levels: Levels,
    #[serde(skip)]
    collectors_up: usize,
}

#[derive(Debug, Serialize)]
struct JobsJson {
    pending: Option<u64>,
    running: Option<u64>,
    dead: Option<u64>,
    queued_allocations: Option<u64>,
    /// Evaluations that wait for a scheduler.
    pending_evaluations: Option<u64>,
}

#[derive(Debug, Serialize)]
struct PendingJobJson {
    namespace: String,
    id: String,
    since: TimeJson,
    reason: Option<Word<BlockReason>>,
}

#[derive(Debug, Serialize)]
struct ClientCount {
    state: Word<NodeState>,
    count: u64,
}

#[derive(Debug, Serialize)]
struct PoolStatus {
    name: String,
    active_clients: u64,
    other_clients: u64,
    cpu_hertz: ResourceTotalsJson,
    memory_bytes: ResourceTotalsJson,
    queued_allocations: u64,
    unsized_allocations: u64,
    unplaceable_allocations: u64,
    missing_clients: Option<u64>,
    #[serde(skip)]
    pool: Pool,
}

#[derive(Debug, Serialize)]
struct ResourceTotalsJson {
    allocatable: f64,
    allocated: f64,
    /// Absent if the requests of the queued allocations are unknown.
    requested: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct DrainJson {
    id: String,
    name: String,
    /// Absent if it is unknown which tasks still run.
    drained: Option<bool>,
    started: Option<TimeJson>,
    deadline: Option<TimeJson>,
    remaining_allocations: Option<u64>,
}

impl Status {
    /// Creates the status from a snapshot.
    pub fn new(snapshot: &Snapshot) -> Self {
        let (sections, joins) = (&snapshot.sections, &snapshot.joins);
        let totals = Totals::new(snapshot);
        let levels = sections.capacity_levels();
        Self {
            as_of: TimeJson(snapshot.taken_at),
            namespaces: NamespacesJson::from(&joins.coverage),
            jobs: JobsJson {
                pending: totals.pending_jobs,
                running: totals.running_jobs,
                dead: totals.dead_jobs,
                queued_allocations: totals.queued_allocations,
                pending_evaluations: totals.pending_evaluations,
            },
            oldest_pending: oldest_pending(snapshot),
            clients: totals.nodes.map(|by_state| {
                let shown =
                    by_state.iter().filter(|(state, count)| *state == NodeState::Active || **count > 0);
                let mut clients: Vec<_> =
                    shown.map(|(state, count)| ClientCount { state: Word(state), count: *count }).collect();
                clients.sort_by_key(|client| client.state.0 != NodeState::Active);
                clients
            }),
            levels: LevelsJson::from(&levels),
            pools: joins
                .pools
                .as_ref()
                .map(|pools| pools.iter().map(|(name, pool)| PoolStatus::new(name, pool)).collect()),
            drains: joins.drains.as_ref().map(|drains| drains.iter().map(DrainJson::from).collect()),
            problems: problems(snapshot),
            shown_levels: levels,
            // The token's permissions are not cluster data.
            collectors_up: snapshot
                .collectors
                .iter()
                .filter(|collector| collector.up == Some(true) && collector.id != CollectorId::Token)
                .count(),
        }
    }

    fn as_of(&self) -> SystemTime {
        self.as_of.0
    }
}

fn oldest_pending(snapshot: &Snapshot) -> Option<Vec<PendingJobJson>> {
    let pending = snapshot.joins.pending.as_ref()?;
    let jobs = pending.oldest.iter().map(|(job, reason)| PendingJobJson {
        reason: reason.map(Word),
        namespace: job.namespace.clone(),
        id: job.id.clone(),
        since: TimeJson(job.since),
    });
    Some(jobs.collect())
}

impl PoolStatus {
    fn new(name: &str, pool: &Pool) -> Self {
        let totals = |totals: &ResourceTotals| ResourceTotalsJson {
            allocatable: totals.allocatable,
            allocated: totals.allocated,
            requested: pool.is_requested_known().then_some(totals.requested),
        };
        Self {
            name: name.to_owned(),
            active_clients: pool.active_nodes,
            other_clients: pool.other_nodes,
            cpu_hertz: totals(&pool.cpu),
            memory_bytes: totals(&pool.memory),
            queued_allocations: pool.queued,
            unsized_allocations: pool.unsized_allocations,
            unplaceable_allocations: pool.unplaceable,
            missing_clients: match pool.missing() {
                Missing::Clients(missing) => Some(missing),
                Missing::All | Missing::Unknown => None,
            },
            pool: pool.clone(),
        }
    }
}

impl From<&DrainState> for DrainJson {
    fn from(drain: &DrainState) -> Self {
        Self {
            id: drain.node.id.clone(),
            name: drain.node.name.clone(),
            drained: drain.drained,
            started: drain.started.map(TimeJson),
            deadline: drain.deadline.map(TimeJson),
            remaining_allocations: drain.remaining,
        }
    }
}

impl DrainJson {
    /// Returns a short description of the drain.
    pub(super) fn cells(&self, now: SystemTime) -> Vec<Cell> {
        let since = self.started.map(|started| format!("since {}", human::ago(now, started.0)));
        let deadline = self.deadline.map(|deadline| format!("deadline {}", human::until(now, deadline.0)));
        let remaining = self.remaining_allocations.map_or("?".to_owned(), |count| count.to_string());
        let remaining = format!("{remaining} remaining");
        let facts = since.into_iter().chain(deadline).chain([remaining]).map(|fact| fact.as_str().into());
        facts.chain([self.safety()]).collect()
    }

    /// Returns whether the client is safe to terminate.
    fn safety(&self) -> Cell {
        match self.drained == Some(true) {
            true => Cell::toned("safe to terminate", Tone::Good),
            false => Cell::toned("not drained", Tone::Warn),
        }
    }
}
