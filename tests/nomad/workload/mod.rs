//! Jobs in every state, and with every way to end.
//!
//! Each module registers its jobs with their expected states. The scenario waits until all have reached them.

pub(crate) mod ends;
pub(crate) mod moves;
pub(crate) mod runs;
pub(crate) mod specification;
pub(crate) mod waits;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{Cluster, POOL};
use specification::{Does, Job, Task};

/// Timeout until all jobs have their expected states.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(300);

/// Namespaces in addition to the default one.
pub(crate) const NAMESPACES: [&str; 2] = ["ci", "team-a"];

/// Expected state of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Becomes {
    /// The job is dead, without non-terminal allocations.
    Ended,
    /// This number of its allocations run.
    Running(usize),
    /// This number of its allocations are placed but have not started.
    Starting(usize),
    /// An evaluation is blocked, while this number of its allocations run.
    Blocked(usize),
    /// An evaluation waits for a scheduler.
    Unseen,
    /// It failed, and is to be rescheduled later.
    Delayed,
    /// Its tasks were restarted, and an allocation is not running.
    Restarting,
    /// An allocation is failed while one of its tasks runs.
    FailedAndRunning,
    /// An allocation was told to stop, and is still running.
    Stopping,
}

/// Registers jobs with their expected states.
pub(crate) struct Workload<'c> {
    pub(crate) cluster: &'c Cluster,
    awaited: Vec<((String, String), Becomes)>,
}

impl<'c> Workload<'c> {
    pub(crate) fn new(cluster: &'c Cluster) -> Self {
        Self { cluster, awaited: Vec::new() }
    }

    pub(crate) fn task(&self, does: Does) -> Task {
        Task::new(self.cluster.has_mock_driver, does)
    }

    /// Registers a job with its expected state.
    pub(crate) fn add(&mut self, job: Job, becomes: Becomes) {
        // Jobs for client-b are for its pool.
        let is_for_pool = self.cluster.has_pools() && job.json().to_string().contains("\"client-b\"");
        let job = if is_for_pool { job.set("NodePool", POOL) } else { job };
        self.cluster.api.put("/v1/jobs", &json!({"Job": job.json()}));
        let (namespace, id) = job.name();
        self.expect(&namespace, &id, becomes);
    }

    /// Sets or replaces the expected state of a job.
    pub(crate) fn expect(&mut self, namespace: &str, id: &str, becomes: Becomes) {
        let name = (namespace.to_owned(), id.to_owned());
        self.awaited.retain(|(other, _)| *other != name);
        self.awaited.push((name, becomes));
    }

    /// Stops a job.
    pub(crate) fn stop(&self, namespace: &str, id: &str) {
        self.cluster.api.delete(&format!("/v1/job/{id}?namespace={namespace}"));
    }

    /// Waits until all jobs have their expected states.
    pub(crate) fn settle(&self) {
        let began = Instant::now();
        let mut open = self.awaited.clone();
        loop {
            let rows = Rows::read(self.cluster);
            open.retain(|(name, becomes)| !rows.are_so(name, *becomes));
            if open.is_empty() {
                // All at once, because states may change in the meantime.
                open.clone_from(&self.awaited);
                open.retain(|(name, becomes)| !rows.are_so(name, *becomes));
                if open.is_empty() {
                    return;
                }
            }
            let told = || open.iter().map(|(name, becomes)| rows.tell(name, *becomes)).collect::<String>();
            assert!(
                began.elapsed() < PATIENCE,
                "after {PATIENCE:?}, these are not in the expected state: {}",
                told()
            );
            std::thread::sleep(PAUSE);
        }
    }
}

/// Lists with the states of jobs.
struct Rows {
    jobs: Vec<Value>,
    allocations: Vec<Value>,
    evaluations: Vec<Value>,
}

impl Rows {
    fn read(cluster: &Cluster) -> Self {
        let list = |path: &str| cluster.api.list(path);
        Self {
            jobs: list("/v1/jobs?namespace=*"),
            allocations: list("/v1/allocations?namespace=*"),
            evaluations: list("/v1/evaluations?namespace=*"),
        }
    }

    fn are_so(&self, (namespace, id): &(String, String), becomes: Becomes) -> bool {
        let is_its = |row: &&Value| row["Namespace"] == namespace.as_str() && row["JobID"] == id.as_str();
        let allocations: Vec<&Value> = self.allocations.iter().filter(is_its).collect();
        let evaluations: Vec<&Value> = self.evaluations.iter().filter(is_its).collect();
        let count = |status: &str| allocations.iter().filter(|row| row["ClientStatus"] == status).count();
        let is_blocked = || evaluations.iter().any(|row| row["Status"] == "blocked");
        let is_over = || {
            let is_it = |row: &&Value| row["Namespace"] == namespace.as_str() && row["ID"] == id.as_str();
            let job = self.jobs.iter().find(is_it);
            let is_still =
                evaluations.iter().any(|row| row["Status"] == "pending" || row["Status"] == "blocked");
            job.is_some_and(|job| job["Status"] == "dead") && !is_still
        };
        match becomes {
            Becomes::Ended => is_over() && count("pending") + count("running") == 0,
            Becomes::Running(wanted) => count("running") == wanted,
            Becomes::Starting(wanted) => count("pending") == wanted,
            Becomes::Blocked(running) => is_blocked() && count("running") == running,
            Becomes::Unseen => evaluations.iter().any(|row| row["Status"] == "pending"),
            Becomes::Delayed => {
                let is_later = |row: &&Value| row["Status"] == "pending" && !row["WaitUntil"].is_null();
                evaluations.iter().any(is_later)
            }
            Becomes::Restarting => {
                let is_again = |row: &Value| tasks(row).any(|task| task["Restarts"].as_u64() > Some(0));
                allocations.iter().any(|row| row["ClientStatus"] == "pending" && is_again(row))
            }
            Becomes::FailedAndRunning => allocations.iter().any(|row| {
                row["ClientStatus"] == "failed" && tasks(row).any(|task| task["State"] == "running")
            }),
            Becomes::Stopping => allocations
                .iter()
                .any(|row| row["DesiredStatus"] == "stop" && row["ClientStatus"] == "running"),
        }
    }
}

impl Rows {
    /// Describes a job that does not have its expected state.
    fn tell(&self, name: &(String, String), becomes: Becomes) -> String {
        let is_its = |row: &&Value| row["Namespace"] == name.0.as_str() && row["JobID"] == name.1.as_str();
        let mut text = format!("\n{}/{} should be {becomes:?}", name.0, name.1);
        for row in self.allocations.iter().filter(is_its) {
            text += &format!("\n  allocation {} {}", row["DesiredStatus"], row["ClientStatus"]);
            for task in tasks(row) {
                let events = task["Events"].as_array().into_iter().flatten();
                let events: Vec<&str> = events.filter_map(|event| event["Type"].as_str()).collect();
                text += &format!(", a task is {} after {events:?}", task["State"]);
            }
        }
        for row in self.evaluations.iter().filter(is_its) {
            text += &format!(
                "\n  evaluation {} {} {}",
                row["Status"], row["StatusDescription"], row["FailedTGAllocs"]
            );
        }
        text
    }
}

fn tasks(allocation: &Value) -> impl Iterator<Item = &Value> {
    allocation["TaskStates"].as_object().into_iter().flat_map(|tasks| tasks.values())
}
