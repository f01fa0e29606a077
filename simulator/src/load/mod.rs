//! Clusters of a given size, for benchmarks: a small simulated cluster of representatives, and many copies of
//! each.
//!
//! The small cluster handles a request, including everything that a [`Cluster`] supports: namespaces,
//! filters, parameters, versions. The rows of a list are then repeated with different IDs, chunk by chunk
//! while they are sent, so that a list of gigabytes needs no memory and almost no time. Paginated lists have
//! only the first page. The cost for a real server is counted for all copies.

mod builds;
mod rows;
mod size;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::answer::Answer;
use crate::api::{self, Lines, Subscription};
use crate::cluster::{Cluster, GcSettings, JobKey, JobSpec, NodeSpec, Settings};
use crate::list::Table;
use crate::request::{Query, Request};
use crate::version::Version;
use crate::work::Work;

use builds::Builds;
pub(crate) use rows::Rows;
use rows::{Copies, NodeCopy, Template};
pub use size::Size;

/// Number of digits at the end of an ID that distinguish copies.
const DIGITS: usize = 8;
const NAMESPACES: [&str; 3] = ["ci", "default", "web"];
/// Longer than any benchmark.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);
/// Higher than every index of the representatives.
const BUSY_INDEX: u64 = 1_000_000;
/// Age of all objects.
const AGE: Duration = Duration::from_secs(600);

/// A cluster of a given size.
#[derive(Debug)]
pub struct Load {
    size: Size,
    cluster: Cluster,
    /// Number of copies of each node, job and allocation, by the ID of its representative.
    copies: HashMap<String, u64>,
    /// Full IDs of the representatives, by their ID without these digits.
    representatives: HashMap<String, String>,
    nodes: Arc<[NodeCopy]>,
    /// Growth of indexes; `None` without writes.
    writes: Option<AtomicU64>,
    /// Builds that start and end, in addition to the copies.
    builds: Option<Mutex<Builds>>,
}

impl Load {
    /// Creates a cluster of this size, with a multiple of the dead jobs and terminal allocations.
    pub fn new(size: Size, dead_factor: u64) -> Self {
        let mut cluster = representatives();
        cluster.advance(AGE);
        let mut load = Self {
            size,
            cluster,
            copies: HashMap::new(),
            representatives: HashMap::new(),
            nodes: Arc::new([]),
            writes: Some(AtomicU64::default()),
            builds: None,
        };
        load.multiply(dead_factor);
        load
    }

    /// Makes the cluster quiet, with constant indexes. Otherwise each response has a higher index and
    /// allocations on other nodes, because builds come and go all the time.
    pub fn quiet(self) -> Self {
        Self { writes: None, ..self }
    }

    /// Returns the same cluster, in which only this number of builds per minute start and end.
    pub fn with_builds(self, per_minute: u64) -> Self {
        Self { builds: Some(Mutex::new(Builds::new(per_minute))), ..self.quiet() }
    }

    /// Returns its size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Returns the body of a list, such as `/v1/jobs?namespace=*`.
    pub fn list(&self, target: &str) -> impl Iterator<Item = Bytes> + use<> {
        self.answer(&get(target)).rows.into_iter().flatten()
    }

    pub(crate) fn version(&self) -> Version {
        self.cluster.version()
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        match self.builds() {
            Some(mut builds) => self.answer_beside(request, builds.answer(&without_pages(request))),
            None => self.answer_of_copies(request, Vec::new()),
        }
    }

    /// Returns the response for the copies, with the builds added. Returns the response for the builds if it
    /// is an event stream, or if the copies have no data for the request.
    fn answer_beside(&self, request: &Request, builds: Answer) -> Answer {
        // The copies and the builds have the same pools.
        let is_list = |table: &Table| *table != Table::NodePools && table.path() == request.path;
        let rows = serde_json::from_slice::<Vec<Value>>(&builds.body).ok();
        let rows = rows.filter(|_| Table::ALL.iter().any(is_list));
        let is_listed = rows.is_some();
        let mut answer = self.answer_of_copies(request, rows.unwrap_or_default());
        answer.work.filtered += builds.work.filtered;
        answer.work.compared += builds.work.compared;
        let knows_nothing = !answer.status.is_success() || &answer.body[..] == b"[]";
        if !is_listed && (builds.events.is_some() || knows_nothing) {
            return builds;
        }
        if let Some(index) = builds.index().max(answer.index()) {
            answer.set_index(index);
        }
        answer
    }

    fn builds(&self) -> Option<MutexGuard<'_, Builds>> {
        self.builds.as_ref().map(|builds| builds.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the next lines of an event stream; none if there are no builds.
    pub(crate) fn lines(&self, subscription: &mut Subscription) -> Lines {
        self.builds().map_or(Lines::none(), |mut builds| builds.lines(subscription))
    }

    /// Removes the reader of an event stream that has ended.
    pub(crate) fn leave(&self, subscription: &mut Subscription) {
        if let Some(mut builds) = self.builds() {
            builds.leave(subscription);
        }
    }

    /// Returns the response for the copies. Adds these other rows if it is a list.
    fn answer_of_copies(&self, request: &Request, others: Vec<Value>) -> Answer {
        let mut answer = api::answer(&self.cluster, &self.of_representative(request));
        let writes = self.writes.as_ref().map(|writes| writes.fetch_add(1, Ordering::Relaxed));
        if let Some(writes) = writes {
            answer.set_index(BUSY_INDEX + writes);
        }
        let table = Table::ALL.into_iter().find(|table| table.path() == request.path);
        if let Some(table) = table
            && answer.status.is_success()
            && let Ok(rows) = serde_json::from_slice::<Vec<Value>>(&answer.body)
        {
            let copied = rows.iter().map(|row| self.template(table, row));
            let others = others.iter().map(|row| Template::of_one(&row.to_string()));
            let templates: Vec<Template> = copied.chain(others).collect();
            let rows = Rows::new(templates, self.nodes.clone(), writes.unwrap_or_default() as usize);
            let rows = rows.at_most(per_page(&request.query));
            answer.work = self.work(table, request, answer.work, rows.rows());
            answer.rows = Some(rows);
            answer.body = Bytes::new();
        }
        answer
    }

    /// Returns the work of a response with `sent` rows, given its work for the representatives. If a filter
    /// or parameter is evaluated for rows, it is evaluated for all existing ones.
    fn work(&self, table: Table, request: &Request, of_representatives: Work, sent: u64) -> Work {
        let mut everything = self.of_representative(request);
        everything.query = everything.query.without(&["filter", "status", "job"]);
        let answer = api::answer(&self.cluster, &everything);
        let rows: Vec<Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
        let exist = rows.iter().map(|row| self.template(table, row).copies()).sum();
        let all_if_any = |count: u64| if count > 0 { exist } else { 0 };
        Work {
            filtered: all_if_any(of_representatives.filtered),
            compared: all_if_any(of_representatives.compared),
            sent,
            single: 0,
        }
    }

    /// Returns the same request for the representative of the copy that it names.
    fn of_representative(&self, request: &Request) -> Request {
        let mut request = request.clone();
        let representative = |id: &str| {
            let stem = id.get(..id.len().checked_sub(DIGITS)?)?;
            self.representatives.get(stem).cloned()
        };
        let segment = |segment: &str| {
            let id = representative(&crate::request::decode(segment))?;
            Some(id.replace('/', "%2F"))
        };
        let segments = request.path.split('/');
        let segments: Vec<String> =
            segments.map(|one| segment(one).unwrap_or_else(|| one.to_owned())).collect();
        request.path = segments.join("/");
        if let Some(id) = request.query.get("node_id").and_then(representative) {
            request.query = request.query.with("node_id", &id);
        }
        without_pages(&request)
    }

    fn template(&self, table: Table, row: &Value) -> Template {
        let field = |name: &str| row[name].as_str().filter(|text| !text.is_empty());
        let copies_of = |id: Option<&str>| id.and_then(|id| self.copies.get(id)).copied();
        let own = field(if table == Table::NodePools { "Name" } else { "ID" }).unwrap_or_default();
        let job_copies = copies_of(field("JobID")).unwrap_or(1);
        let copies = match table {
            Table::Evaluations => job_copies,
            Table::Jobs | Table::Nodes | Table::Allocations => copies_of(Some(own)).unwrap_or(1),
            Table::NodePools | Table::Deployments => 1,
        };
        let name = if table == Table::Nodes { field("Name") } else { None };
        Template::new(
            &row.to_string(),
            Copies { copies, job_copies },
            &[own, name.unwrap_or_default()],
            field("JobID").unwrap_or_default(),
            field("NodeID").unwrap_or_default(),
            field("NodeName").unwrap_or_default(),
        )
    }

    /// Decides the number of copies.
    fn multiply(&mut self, dead_factor: u64) {
        let stubs = |path: &str| self.rows(path);
        let (nodes, jobs) = (stubs("/v1/nodes"), stubs("/v1/jobs?namespace=*"));
        let allocations = stubs("/v1/allocations?namespace=*");
        let of = |rows: &[Value], keep: &dyn Fn(&Value) -> bool| -> Vec<String> {
            rows.iter()
                .filter(|row| keep(row))
                .filter_map(|row| Some(row["ID"].as_str()?.to_owned()))
                .collect()
        };
        let is_template = |row: &Value| row["ParameterizedJob"] == true;
        let status = |row: &Value| row["Status"].as_str().unwrap_or_default().to_owned();
        let running = of(&jobs, &|row| !is_template(row) && status(row) == "running");
        let pending = of(&jobs, &|row| !is_template(row) && status(row) == "pending");
        let dead = of(&jobs, &|row| !is_template(row) && status(row) == "dead");
        let is_live = |row: &Value| matches!(row["ClientStatus"].as_str(), Some("running" | "pending"));
        let size = self.size;
        let waiting = (size.live_jobs() / 20).min(500);
        let shares = [
            (of(&nodes, &|_| true), size.nodes()),
            (running, size.live_jobs() - waiting),
            (pending, waiting),
            (dead, size.dead_jobs() * dead_factor),
            (of(&allocations, &is_live), size.live_allocations()),
            (of(&allocations, &|row| !is_live(row)), size.terminal_allocations() * dead_factor),
        ];
        for (ids, total) in shares {
            let count = ids.len() as u64;
            for (position, id) in ids.into_iter().enumerate() {
                let rest = u64::from((position as u64) < total % count);
                self.representatives.insert(id[..id.len() - DIGITS].to_owned(), id.clone());
                self.copies.insert(id, total / count + rest);
            }
        }
        let copies = |row: &Value| self.copies.get(row["ID"].as_str().unwrap_or_default()).copied();
        let nodes = nodes
            .iter()
            .flat_map(|row| (0..copies(row).unwrap_or_default()).map(|copy| NodeCopy::new(row, copy)));
        self.nodes = nodes.collect();
    }

    fn rows(&self, target: &str) -> Vec<Value> {
        let answer = api::answer(&self.cluster, &get(target));
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }
}

/// Returns the maximum number of rows requested.
fn per_page(query: &Query) -> u64 {
    query.get("per_page").and_then(|text| text.parse().ok()).filter(|rows| *rows > 0).unwrap_or(u64::MAX)
}

/// Returns the same request without pagination.
fn without_pages(request: &Request) -> Request {
    Request { query: request.query.without(&["per_page", "next_token"]), ..request.clone() }
}

/// Returns a request without a token.
fn get(target: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: Method::GET,
        path: path.to_owned(),
        raw_query: query.to_owned(),
        query: Query::parse(query),
        token: None,
        accept_encoding: None,
        body: bytes::Bytes::new(),
    }
}

/// Creates the cluster of representatives: builds of all kinds, most of them running or done, some waiting
/// for memory, started from parents.
fn representatives() -> Cluster {
    let settings = Settings {
        start: SystemTime::now() - AGE,
        gc: GcSettings { job: FOR_EVER, batch_evaluation: FOR_EVER, ..GcSettings::default() },
        ..Settings::default()
    };
    let mut cluster = Cluster::new(settings);
    NAMESPACES.iter().for_each(|namespace| cluster.create_namespace(namespace));
    cluster.create_node_pool("builders");
    for number in 0..10 {
        let mut node = NodeSpec::new(&format!("client-{number}-00000000"));
        node.datacenter = if number % 2 == 0 { "dc1" } else { "dc2" }.to_owned();
        cluster.register_node(node);
    }
    let namespace = |number: usize| NAMESPACES[number % NAMESPACES.len()];
    for number in 0..38 {
        let build = JobSpec::batch(&format!("build-{number:02}-00000000")).in_namespace(namespace(number));
        cluster.submit(build.with_resources(100, 64).running_for(FOR_EVER));
    }
    for number in 0..50 {
        let build = JobSpec::batch(&format!("done-{number:02}-00000000")).in_namespace(namespace(number));
        let build = build.with_resources(10, 16).running_for(Duration::from_secs(20));
        cluster.submit(if number % 10 == 0 { build.failing(1.0) } else { build });
    }
    for name in NAMESPACES {
        let template =
            JobSpec::batch("template").in_namespace(name).with_resources(500, 1 << 20).dispatched();
        cluster.submit(template);
        cluster.dispatch(&JobKey::new(name, "template"));
    }
    cluster
}
