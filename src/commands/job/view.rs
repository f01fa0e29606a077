//! Data of `job`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::read::{self, MAX_CHILDREN, Read};
use crate::collect::block_reason;
use crate::commands::json::{TimeJson, Word};
use crate::commands::{Error, Problem, find, task_events};
use crate::nomad::Client;
use crate::nomad::api::{AllocationDetail, Evaluation, Job, PlacementFailure, TaskHistory, count};
use crate::terms::{
    BlockReason, ClientStatus, DesiredStatus, EvalStatus, JobStatus, JobType, Outcome, TemplateKind,
};

/// Maximum number of listed allocations and evaluations.
const MAX_ALLOCATIONS: usize = 20;
const MAX_EVALUATIONS: usize = 5;

/// JSON output of `job`.
#[derive(Debug, Serialize)]
pub struct JobView {
    pub(super) as_of: TimeJson,
    pub(super) namespace: String,
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) job_type: Word<JobType>,
    pub(super) status: Word<JobStatus>,
    pub(super) stopped: bool,
    pub(super) template: Option<Word<TemplateKind>>,
    /// The outcome, if the job is dead.
    pub(super) outcome: Option<Word<Outcome>>,
    pub(super) priority: Option<i64>,
    pub(super) node_pool: Option<String>,
    pub(super) version: Option<u64>,
    pub(super) submitted: Option<TimeJson>,
    pub(super) waits: Option<WaitJson>,
    pub(super) groups: Vec<GroupJson>,
    pub(super) children: Option<ChildrenJson>,
    /// Newest first.
    pub(super) allocations: Vec<AllocationJson>,
    /// Total number, including those that are not listed.
    pub(super) all_allocations: u64,
    /// Newest first.
    pub(super) evaluations: Vec<EvaluationJson>,
    pub(super) all_evaluations: u64,
    pub(super) problems: Vec<Problem>,
}

/// Why the job waits.
#[derive(Debug, Serialize)]
pub(super) struct WaitJson {
    pub(super) reason: Word<BlockReason>,
    pub(super) since: Option<TimeJson>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct GroupJson {
    pub(super) name: String,
    /// Desired number of allocations, from the specification.
    pub(super) desired: Option<u64>,
    pub(super) queued: u64,
    pub(super) starting: Option<u64>,
    pub(super) running: Option<u64>,
    pub(super) unknown: Option<u64>,
    pub(super) blocked: Option<BlockedJson>,
}

/// Why allocations of a group could not be placed.
#[derive(Debug, Serialize)]
pub(super) struct BlockedJson {
    pub(super) nodes_evaluated: Option<i64>,
    pub(super) nodes_filtered: Option<i64>,
    pub(super) nodes_exhausted: Option<i64>,
    /// Number of nodes that each constraint excluded.
    pub(super) constraints: BTreeMap<String, Option<i64>>,
    /// Number of nodes by exhausted resource.
    pub(super) dimensions: BTreeMap<String, Option<i64>>,
}

/// Child jobs.
#[derive(Debug, Serialize)]
pub(super) struct ChildrenJson {
    pub(super) pending: u64,
    pub(super) running: u64,
    pub(super) dead: u64,
    /// Newest first.
    pub(super) newest: Vec<ChildJson>,
}

#[derive(Debug, Serialize)]
pub(super) struct ChildJson {
    pub(super) id: String,
    pub(super) status: Word<JobStatus>,
    pub(super) outcome: Option<Word<Outcome>>,
    pub(super) submitted: Option<TimeJson>,
}

#[derive(Debug, Serialize)]
pub(super) struct AllocationJson {
    pub(super) id: String,
    pub(super) task_group: String,
    pub(super) node_id: String,
    pub(super) node: String,
    pub(super) status: Word<ClientStatus>,
    pub(super) desired: Word<DesiredStatus>,
    /// The outcome, if it has ended.
    pub(super) outcome: Option<Word<Outcome>>,
    pub(super) created: Option<TimeJson>,
    pub(super) modified: Option<TimeJson>,
    pub(super) restarts: u64,
    /// The last relevant events of tasks that failed, were restarted, or have not started.
    pub(super) events: Vec<EventJson>,
    /// Command that shows its log.
    pub(super) logs: String,
}

#[derive(Debug, Serialize)]
pub(super) struct EventJson {
    pub(super) task: String,
    pub(super) time: Option<TimeJson>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) message: String,
}

#[derive(Debug, Serialize)]
pub(super) struct EvaluationJson {
    pub(super) id: String,
    pub(super) status: Word<EvalStatus>,
    pub(super) triggered_by: String,
    pub(super) created: Option<TimeJson>,
    /// When it may be processed.
    pub(super) wait_until: Option<TimeJson>,
}

impl JobView {
    /// Finds a job in these namespaces, and reads it.
    pub async fn read(
        client: &Client,
        namespaces: &[String],
        wanted: &str,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let found = find::job(client, namespaces, wanted).await?;
        let mut view = Self::new(read::read(client, &found).await?, now);
        (view.namespace, view.id) = (found.namespace, found.id);
        for allocation in &mut view.allocations {
            allocation.logs = format!(
                "nomad-exporter logs {} --namespace {} --alloc {}",
                quoted(&view.id),
                quoted(&view.namespace),
                allocation.short_id()
            );
        }
        Ok(view)
    }

    /// Returns whether everything could be read.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    fn new(read: Read, now: SystemTime) -> Self {
        let Read { job, detail, allocations, evaluations, children, problems } = read;
        let all = allocations.as_deref().unwrap_or_default();
        let open = evaluations.as_deref().unwrap_or_default();
        let is_dead = job.status == JobStatus::Dead && job.template().is_none();
        Self {
            as_of: TimeJson(now),
            namespace: String::new(),
            id: String::new(),
            job_type: Word(job.job_type),
            status: Word(job.status),
            stopped: job.stop == Some(true),
            template: job.template().map(Word),
            outcome: allocations.as_ref().filter(|_| is_dead).map(|all| Word(read::outcome(&job, all))),
            priority: job.priority,
            node_pool: job.node_pool.clone().filter(|pool| !pool.is_empty()),
            version: detail.as_ref().and_then(|detail| detail.version),
            submitted: job.submitted().map(TimeJson),
            waits: waits(open, now),
            groups: groups(&job, detail.as_ref(), allocations.as_deref(), open),
            children: (job.template().is_some() || !children.is_empty()).then(|| of_children(&children)),
            all_allocations: all.len() as u64,
            allocations: all.iter().take(MAX_ALLOCATIONS).map(AllocationJson::from).collect(),
            all_evaluations: open.len() as u64,
            evaluations: open.iter().take(MAX_EVALUATIONS).map(EvaluationJson::from).collect(),
            problems,
        }
    }
}

/// Returns why the job waits, if it has a waiting evaluation.
fn waits(evaluations: &[Evaluation], now: SystemTime) -> Option<WaitJson> {
    let open = || evaluations.iter().filter(|it| it.status.waits());
    let blocked = open().find(|it| it.status == EvalStatus::Blocked);
    let reason = match (blocked, open().next()?) {
        (Some(blocked), _) => block_reason(blocked),
        (None, pending) if pending.is_delayed(now) => BlockReason::Delayed,
        (None, _) => BlockReason::Scheduling,
    };
    Some(WaitJson { reason: Word(reason), since: read::waits_since(evaluations).map(TimeJson) })
}

/// Returns the groups of the specification, and removed groups that still have allocations.
fn groups(
    job: &Job,
    detail: Option<&crate::nomad::api::JobDetail>,
    allocations: Option<&[AllocationDetail]>,
    evaluations: &[Evaluation],
) -> Vec<GroupJson> {
    let mut groups: BTreeMap<&str, GroupJson> = BTreeMap::new();
    let is_per_node = matches!(job.job_type, JobType::System | JobType::Sysbatch);
    for (name, desired) in detail.iter().flat_map(|detail| detail.groups()) {
        groups.entry(name).or_default().desired = desired.filter(|_| !is_per_node);
    }
    let waits = evaluations.iter().any(|it| it.status.waits());
    for (name, summary) in job.groups().filter(|_| waits) {
        if let Some(group) = groups.get_mut(name) {
            group.queued = count(summary.queued);
        }
    }
    for group in groups.values_mut() {
        let none = allocations.map(|_| 0);
        (group.starting, group.running, group.unknown) = (none, none, none);
    }
    let live = allocations.into_iter().flatten().filter(|it| it.client_status.is_live());
    for allocation in live {
        let group = groups.entry(allocation.task_group.as_deref().unwrap_or_default()).or_default();
        let counted = match allocation.client_status {
            ClientStatus::Pending => &mut group.starting,
            ClientStatus::Running => &mut group.running,
            _ => &mut group.unknown,
        };
        *counted = Some(counted.unwrap_or_default() + 1);
    }
    // If an evaluation is blocked, the newest one with a reason applies.
    let is_blocked = evaluations.iter().any(|it| it.status == EvalStatus::Blocked);
    let failed = evaluations.iter().filter(|_| is_blocked).filter_map(|it| it.failed_groups.as_ref());
    let newest = failed.filter(|groups| !groups.is_empty()).take(1).flatten();
    for (name, failure) in newest {
        if let Some(group) = groups.get_mut(name.as_str()) {
            group.blocked = failure.as_ref().map(BlockedJson::from);
        }
    }
    groups.into_iter().map(|(name, group)| GroupJson { name: name.to_owned(), ..group }).collect()
}

fn of_children(children: &[(Job, Option<Outcome>)]) -> ChildrenJson {
    let of = |status| children.iter().filter(|(child, _)| child.status == status).count() as u64;
    let newest = children.iter().take(MAX_CHILDREN).map(|(child, outcome)| ChildJson {
        id: child.id.clone().unwrap_or_default(),
        status: Word(child.status),
        outcome: outcome.map(Word),
        submitted: child.submitted().map(TimeJson),
    });
    ChildrenJson {
        pending: of(JobStatus::Pending),
        running: of(JobStatus::Running),
        dead: of(JobStatus::Dead),
        newest: newest.collect(),
    }
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:@".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl AllocationJson {
    /// Returns the short ID, as in Nomad's CLI.
    pub(super) fn short_id(&self) -> &str {
        self.id.split('-').next().unwrap_or_default()
    }
}

impl From<&AllocationDetail> for AllocationJson {
    fn from(it: &AllocationDetail) -> Self {
        let is_over = !it.client_status.is_live();
        let tells =
            |task: &TaskHistory| task.failed == Some(true) || task.restarts() > 0 || !task.has_started();
        let events = it.tasks().filter(|(_, task)| tells(task)).flat_map(|(name, task)| {
            task_events::relevant(task).into_iter().map(move |told| EventJson {
                task: name.to_owned(),
                time: told.time.map(TimeJson),
                kind: told.kind,
                message: told.message,
            })
        });
        Self {
            id: it.id.clone().unwrap_or_default(),
            task_group: it.task_group.clone().unwrap_or_default(),
            node_id: it.node_id.clone().unwrap_or_default(),
            node: it.node_name.clone().unwrap_or_default(),
            status: Word(it.client_status),
            desired: Word(it.desired_status),
            outcome: is_over.then(|| Word(it.outcome())),
            created: it.created().map(TimeJson),
            modified: it.modified().map(TimeJson),
            restarts: it.tasks().map(|(_, task)| u64::from(task.restarts())).sum(),
            events: events.collect(),
            logs: String::new(),
        }
    }
}

impl From<&Evaluation> for EvaluationJson {
    fn from(it: &Evaluation) -> Self {
        Self {
            id: it.id.clone().unwrap_or_default(),
            status: Word(it.status),
            triggered_by: it.triggered_by.clone().unwrap_or_default(),
            created: it.created().map(TimeJson),
            wait_until: it.wait_until().map(TimeJson),
        }
    }
}

impl From<&PlacementFailure> for BlockedJson {
    fn from(failure: &PlacementFailure) -> Self {
        Self {
            nodes_evaluated: failure.nodes_evaluated,
            nodes_filtered: failure.nodes_filtered,
            nodes_exhausted: failure.nodes_exhausted,
            constraints: failure.constraint_filtered.clone().unwrap_or_default().into_iter().collect(),
            dimensions: failure.dimension_exhausted.clone().unwrap_or_default().into_iter().collect(),
        }
    }
}
