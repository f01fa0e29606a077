//! `jobs`: lists jobs, waiting ones first.

use std::collections::BinaryHeap;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::json::{TimeJson, Word, print_json};
use super::lines::{and_more, counted, line, problem_lines};
use super::table::{Cell, Column, table};
use super::terminal::{Terminal, Tone, print};
use super::{Error, Problem, Session, problems};
use crate::config::{Config, JobsArgs};
use crate::human;
use crate::nomad::api::{self, fold_rows};
use crate::nomad::{Client, Endpoint, Request};
use crate::snapshot::{CollectorId, Snapshot};
use crate::terms::{BlockReason, ByTerm, JobKey, JobStatus, JobType, Outcome, TemplateKind, Term};

/// Collectors for the reasons of waiting jobs.
const WAITING: &[CollectorId] = &[CollectorId::Servers, CollectorId::Namespaces, CollectorId::Evaluations];
/// Collectors for the outcomes of dead jobs.
const ENDED: &[CollectorId] =
    &[CollectorId::Servers, CollectorId::Allocations, CollectorId::FinishedAllocations];

/// Lists jobs. Succeeds if everything could be read.
pub(super) async fn run(config: Config, args: &JobsArgs) -> Result<ExitCode, Error> {
    let session = Session::new(config)?;
    let namespaces = session.settings.namespaces.names();
    let mut jobs = Jobs::read(&session.client, namespaces, args, SystemTime::now()).await?;
    let waiting = if jobs.jobs.iter().any(JobJson::may_wait) { WAITING } else { &[] };
    let ended = if jobs.jobs.iter().any(JobJson::has_ended) { ENDED } else { &[] };
    let ids = [waiting, ended].concat();
    if !ids.is_empty() {
        let mut collectors = session.collectors(&ids);
        collectors.refresh_all().await;
        jobs.explain(&collectors.snapshot());
    }
    if args.show.json {
        print_json(&jobs)?;
    } else {
        print(&jobs.screen(&Terminal::of(&std::io::stdout(), args.show.color.color)))?;
    }
    Ok(if jobs.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// JSON output of `jobs`.
#[derive(Debug, Serialize)]
pub struct Jobs {
    as_of: TimeJson,
    counts: Counts,
    jobs: Vec<JobJson>,
    problems: Vec<Problem>,
}

/// Number of matching jobs, including those that are not listed.
#[derive(Debug, Serialize)]
struct Counts {
    pending: u64,
    running: u64,
    dead: u64,
    other: u64,
    templates: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct JobJson {
    namespace: String,
    id: String,
    #[serde(rename = "type")]
    job_type: Word<JobType>,
    status: Word<JobStatus>,
    /// Kind of a periodic or parameterized parent.
    template: Option<Word<TemplateKind>>,
    priority: Option<i64>,
    node_pool: Option<String>,
    submitted: Option<TimeJson>,
    queued_allocations: u64,
    /// Why a pending job waits.
    reason: Option<Word<BlockReason>>,
    /// Outcome of a dead job.
    outcome: Option<Word<Outcome>>,
    /// Raft index of its summary.
    #[serde(skip)]
    summary_index: Option<u64>,
    #[serde(skip)]
    create_index: Option<u64>,
}

impl Jobs {
    /// Reads the matching jobs in these namespaces, and keeps those to list.
    pub async fn read(
        client: &Client,
        namespaces: &[String],
        args: &JobsArgs,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let mut fold = Fold {
            status: args.status,
            job_type: args.job_type,
            limit: args.limit,
            counts: ByTerm::default(),
            templates: 0,
            listed: BinaryHeap::new(),
        };
        for namespace in namespaces {
            let mut request = Request::new(Endpoint::Jobs, "/v1/jobs").query("namespace", namespace);
            if let Some(filter) = filter(args) {
                request = request.query("filter", filter);
            }
            ((fold, _), _) = client.fetch(request, fold_rows(fold, Fold::add)).await?;
        }
        let counts = &fold.counts;
        Ok(Self {
            as_of: TimeJson(now),
            counts: Counts {
                pending: counts[JobStatus::Pending],
                running: counts[JobStatus::Running],
                dead: counts[JobStatus::Dead],
                other: counts[JobStatus::Other],
                templates: fold.templates,
            },
            jobs: fold.listed.into_sorted_vec().into_iter().map(|listed| listed.job).collect(),
            problems: Vec::new(),
        })
    }

    /// Adds reasons and outcomes from a snapshot.
    pub fn explain(&mut self, snapshot: &Snapshot) {
        let sections = &snapshot.sections;
        if let Some(evaluations) = &sections.evaluations {
            for job in self.jobs.iter_mut().filter(|job| job.may_wait()) {
                if job.status.0 == JobStatus::Pending {
                    job.reason = Some(Word(evaluations.reason(&job.namespace, &job.id)));
                }
                if !evaluations.confirms(job.key(), job.summary_index) {
                    job.queued_allocations = 0;
                }
            }
        }
        if let Some(ended) = &sections.finished_allocations {
            let stopping = sections.allocations.as_ref().map(|allocations| &allocations.stopping);
            for job in self.jobs.iter_mut().filter(|job| job.has_ended()) {
                let outcome = ended.ends.outcome(job.key(), job.create_index, stopping);
                job.outcome = Some(Word(outcome.unwrap_or(Outcome::Unknown)));
            }
        }
        self.problems = problems(snapshot);
    }

    /// Renders the screen.
    pub fn screen(&self, terminal: &Terminal) -> String {
        const COLUMNS: [Column; 7] = [
            Column::text("JOB", 0),
            Column::text("NAMESPACE", 2),
            Column::text("TYPE", 3),
            Column::text("STATUS", 0),
            Column::number("AGE", 1),
            Column::number("QUEUED", 4),
            Column::text("REASON", 1),
        ];
        let counts = [
            counted(Some(self.counts.pending), "pending", Tone::Warn),
            counted(Some(self.counts.running), "running", Tone::Good),
            counted(Some(self.counts.dead), "dead", Tone::Muted),
            counted(Some(self.counts.templates), "templates", Tone::Muted),
        ];
        let rows: Vec<_> = self.jobs.iter().map(|job| job.row(self.as_of.0)).collect();
        let all = self.counts.all();
        let list = match all {
            0 => format!("{}\n", terminal.paint(Tone::Muted, "no such job")),
            _ => table(terminal, &COLUMNS, rows),
        };
        let more = and_more(terminal, self.jobs.len(), all, "; give a higher --limit");
        format!(
            "{list}{more}\n{}{}",
            line(terminal, "Jobs", &counts),
            problem_lines(terminal, &self.problems)
        )
    }
}

impl Counts {
    fn all(&self) -> u64 {
        self.pending + self.running + self.dead + self.other + self.templates
    }
}

impl JobJson {
    fn new(row: api::Job) -> Self {
        let is_dead = row.status == JobStatus::Dead;
        Self {
            namespace: row.namespace().to_owned(),
            job_type: Word(row.job_type),
            status: Word(row.status),
            template: row.template().map(Word),
            priority: row.priority,
            submitted: row.submitted().map(TimeJson),
            queued_allocations: row.sum(|group| group.queued),
            reason: None,
            outcome: is_dead.then(|| Word(row.summarized_outcome())),
            create_index: row.create_index,
            summary_index: row.job_summary.as_ref().and_then(|summary| summary.modify_index),
            node_pool: row.node_pool.filter(|pool| !pool.is_empty()),
            id: row.id.unwrap_or_default(),
        }
    }

    fn key(&self) -> JobKey {
        JobKey::new(&self.namespace, &self.id)
    }

    /// Returns whether any of its allocations wait, according to the job's summary.
    fn may_wait(&self) -> bool {
        self.status.0 == JobStatus::Pending || self.queued_allocations > 0
    }

    /// Returns whether its allocations can show its outcome.
    fn has_ended(&self) -> bool {
        self.template.is_none() && self.outcome.is_some_and(|outcome| outcome.0 != Outcome::Stopped)
    }

    fn row(&self, now: SystemTime) -> Vec<Cell> {
        let status = match (self.template, self.status.0) {
            (Some(_), JobStatus::Running) => "template".into(),
            (_, JobStatus::Pending) => Cell::toned("pending", Tone::Warn),
            (_, JobStatus::Running) => Cell::toned("running", Tone::Good),
            (_, other) => other.as_str().into(),
        };
        let why = match (&self.template, &self.reason, &self.outcome) {
            (Some(template), ..) => template.0.as_str().into(),
            (_, Some(reason), _) => human::reason(reason.0).into(),
            (
                _,
                _,
                Some(Word(
                    outcome @ (Outcome::Failed
                    | Outcome::Lost
                    | Outcome::Drained
                    | Outcome::Preempted
                    | Outcome::Timeout),
                )),
            ) => Cell::toned(outcome.as_str(), Tone::Bad),
            (_, _, Some(outcome)) => outcome.0.as_str().into(),
            (_, None, None) if self.status.0 == JobStatus::Pending => Cell::toned("?", Tone::Muted),
            _ => "".into(),
        };
        let queued = Some(self.queued_allocations).filter(|queued| *queued > 0);
        vec![
            self.id.as_str().into(),
            self.namespace.as_str().into(),
            self.job_type.0.as_str().into(),
            status,
            self.submitted.map(|submitted| human::ago(now, submitted.0)).into(),
            queued.map_or_else(Cell::default, |queued| Some(queued).into()),
            why,
        ]
    }

    /// Sort key: waiting jobs first, oldest first; then running and dead ones, newest first; parents last.
    fn order(&self) -> (bool, usize, Duration, &str, &str) {
        const LONG: Duration = Duration::MAX;
        let submitted = self.submitted.and_then(|at| at.0.duration_since(SystemTime::UNIX_EPOCH).ok());
        let time = match self.status.0 {
            JobStatus::Pending => submitted.unwrap_or(LONG),
            _ => submitted.map_or(LONG, |submitted| LONG - submitted),
        };
        (self.template.is_some(), self.status.0.index(), time, &self.namespace, &self.id)
    }
}

/// A job in the order of the list.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    job: JobJson,
}

impl Ord for Listed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.job.order().cmp(&other.job.order())
    }
}

impl PartialOrd for Listed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Counts jobs while they are read, and keeps the first ones in the order of the list.
struct Fold {
    status: Option<JobStatus>,
    job_type: Option<JobType>,
    limit: usize,
    counts: ByTerm<JobStatus, u64>,
    templates: u64,
    /// The last one in the order is on top.
    listed: BinaryHeap<Listed>,
}

impl Fold {
    fn add(&mut self, row: api::Job) {
        // Servers before Nomad 1.3 ignore the filter and send all jobs.
        let is_wanted = self.status.is_none_or(|status| status == row.status && row.template().is_none())
            && self.job_type.is_none_or(|job_type| job_type == row.job_type);
        if !is_wanted {
            return;
        }
        match row.template() {
            Some(_) => self.templates += 1,
            None => self.counts[row.status] += 1,
        }
        self.listed.push(Listed { job: JobJson::new(row) });
        if self.listed.len() > self.limit {
            self.listed.pop();
        }
    }
}

/// Returns the filter expression for the servers.
fn filter(args: &JobsArgs) -> Option<String> {
    let status = args.status.map(|status| format!(r#"Status == "{}""#, status.as_str()));
    let job_type = args.job_type.map(|job_type| format!(r#"Type == "{}""#, job_type.as_str()));
    let parts: Vec<String> = status.into_iter().chain(job_type).collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}
