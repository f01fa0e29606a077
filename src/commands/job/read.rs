//! Reads one job in a few requests.

use std::time::SystemTime;

use crate::commands::find::FoundJob;
use crate::commands::{Error, Problem};
use crate::nomad::api::{AllocationDetail, Evaluation, Job, JobDetail, fold_rows};
use crate::nomad::{self, Client, Endpoint, Request};
use crate::snapshot::{AllocationEnd, Ends};
use crate::terms::{JobKey, JobStatus, JobType, Outcome, hash_of};

/// Number of newest children whose outcome is read.
pub(super) const MAX_CHILDREN: usize = 10;

/// Data of a job.
pub(super) struct Read {
    pub(super) job: Job,
    pub(super) detail: Option<JobDetail>,
    /// Newest first; `None` without permission.
    pub(super) allocations: Option<Vec<AllocationDetail>>,
    /// Newest first; `None` without permission.
    pub(super) evaluations: Option<Vec<Evaluation>>,
    /// Child jobs, newest first. The first few have their outcome if they are dead.
    pub(super) children: Vec<(Job, Option<Outcome>)>,
    pub(super) problems: Vec<Problem>,
}

/// Reads a job.
pub(super) async fn read(client: &Client, found: &FoundJob) -> Result<Read, Error> {
    let (job, children) = job_and_children(client, found).await?;
    let mut problems = Vec::new();
    let detail = client.object::<JobDetail>(of(Endpoint::Job, &found.namespace, &found.id, ""));
    let allocations = allocations(client, &found.namespace, &found.id);
    let (detail, allocations, evaluations) = tokio::join!(detail, allocations, evaluations(client, found));
    let mut read = Read {
        job,
        detail: known(detail.map(|(detail, _)| detail), &mut problems),
        allocations: known(allocations, &mut problems),
        evaluations: known(evaluations, &mut problems),
        children: children.into_iter().map(|child| (child, None)).collect(),
        problems,
    };
    for (child, outcome) in read.children.iter_mut().take(MAX_CHILDREN) {
        if child.status == JobStatus::Dead {
            let id = child.id.clone().unwrap_or_default();
            let ended = allocations_outcome(client, child, &id).await;
            *outcome = known(ended, &mut read.problems);
        }
    }
    Ok(read)
}

fn known<T>(answer: Result<T, nomad::Error>, problems: &mut Vec<Problem>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            let problem = Problem::from(&error);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
            None
        }
    }
}

fn of(endpoint: Endpoint, namespace: &str, id: &str, part: &str) -> Request {
    Request::new(endpoint, format!("/v1/job/{}{part}", Request::escape(id))).query("namespace", namespace)
}

/// Reads the job and its children, whose IDs start with its ID.
async fn job_and_children(client: &Client, found: &FoundJob) -> Result<(Job, Vec<Job>), Error> {
    let request = Request::new(Endpoint::Jobs, "/v1/jobs");
    let request = request.query("namespace", &found.namespace).query("prefix", &found.id);
    let wanted = found.id.clone();
    let add = move |(own, children): &mut (Option<Job>, Vec<Job>), row: Job| {
        if row.id.as_deref() == Some(&wanted) {
            *own = Some(row);
        } else if row.parent() == Some(&wanted) {
            children.push(row);
        }
    };
    let (((job, mut children), _), _) =
        client.fetch(request, fold_rows((None, Vec::new()), move |fold, row| add(fold, row))).await?;
    children.sort_by_key(|child| std::cmp::Reverse(child.submitted()));
    // The job existed a moment ago.
    Ok((job.unwrap_or_default(), children))
}

async fn allocations(
    client: &Client,
    namespace: &str,
    id: &str,
) -> Result<Vec<AllocationDetail>, nomad::Error> {
    let add = |all: &mut Vec<AllocationDetail>, row| all.push(row);
    let request = of(Endpoint::JobAllocations, namespace, id, "/allocations");
    let ((mut all, _), _) = client.fetch(request, fold_rows(Vec::new(), add)).await?;
    all.sort_by(|one, other| (other.created(), &other.id).cmp(&(one.created(), &one.id)));
    Ok(all)
}

async fn evaluations(client: &Client, found: &FoundJob) -> Result<Vec<Evaluation>, nomad::Error> {
    let add = |all: &mut Vec<Evaluation>, row| all.push(row);
    let request = of(Endpoint::JobEvaluations, &found.namespace, &found.id, "/evaluations");
    let ((mut all, _), _) = client.fetch(request, fold_rows(Vec::new(), add)).await?;
    all.sort_by(|one, other| (other.created(), &other.id).cmp(&(one.created(), &one.id)));
    Ok(all)
}

async fn allocations_outcome(client: &Client, child: &Job, id: &str) -> Result<Outcome, nomad::Error> {
    if child.stop == Some(true) {
        return Ok(Outcome::Stopped);
    }
    Ok(outcome(child, &allocations(client, child.namespace(), id).await?))
}

/// Returns the outcome of a dead job by its allocations.
pub(super) fn outcome(job: &Job, allocations: &[AllocationDetail]) -> Outcome {
    if job.stop == Some(true) {
        return Outcome::Stopped;
    }
    let is_per_node = matches!(job.job_type, JobType::System | JobType::Sysbatch);
    let key: JobKey = job.key();
    let end = |it: &AllocationDetail| {
        let node = it.node_id.as_deref().filter(|_| is_per_node);
        AllocationEnd {
            job: key,
            version: it.job_version.unwrap_or_default(),
            name: it.name.0 ^ node.map_or(0, |node| hash_of(node) as u32),
            create_index: it.create_index.unwrap_or_default(),
            status: it.client_status,
            outcome: it.outcome(),
            changed: 0,
        }
    };
    let ends = Ends::from(allocations.iter().map(end).collect::<Vec<_>>());
    ends.outcome(key, job.create_index, None).unwrap_or(Outcome::Unknown)
}

/// Returns since when the job has been waiting: the creation of the oldest waiting evaluation.
pub(super) fn waits_since(evaluations: &[Evaluation]) -> Option<SystemTime> {
    evaluations.iter().filter(|it| it.status.waits()).filter_map(Evaluation::created).min()
}
