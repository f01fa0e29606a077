//! A simulated Nomad cluster.
//!
//! A [`Cluster`] has servers, nodes and jobs. Operations change it like an operator would.
//! [`Cluster::advance`] moves its clock: only then are evaluations scheduled, allocations started and ended,
//! drains advanced, periodic jobs launched and old objects garbage-collected, in an order that depends only
//! on the seed. [`Cluster::ledger`] returns the true values that an observer of the API should report.

mod agenda;
mod allocation;
mod clients;
mod deployment;
mod drain;
mod evaluation;
mod evaluations;
pub(crate) mod events;
mod gc;
mod id;
mod job;
mod jobs;
mod ledger;
mod logs;
mod node;
mod nodes;
mod policy;
mod resources;
mod rollout;
mod scheduler;
mod servers;
mod settings;
mod spec;
mod status;
mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use crate::list::Table;
use crate::version::Version;

use agenda::{Agenda, Event};
use events::{Broker, Journal, Message, Object};
use id::Rng;
use ledger::History;
use servers::Servers;

pub(crate) use allocation::Allocation;
pub use allocation::ClientStatus;
pub use deployment::DeploymentStatus;
pub(crate) use deployment::{Deployment, GroupState};
pub use evaluation::EvaluationStatus;
pub(crate) use evaluation::{AllocMetric, DesiredUpdates, Evaluation};
pub(crate) use id::Rng as SeededNumbers;
pub use id::{AllocationId, DeploymentId, EvaluationId, Id, InvalidId, NodeId};
pub(crate) use job::{GroupSummary, Job};
pub use job::{JobKey, JobStatus};
pub use ledger::{
    AllocationRecord, Completion, JobRecord, Ledger, NodeLoad, NodeState, Outcome, Start, TaskKey,
};
pub use logs::LogStream;
pub(crate) use node::{DrainStrategy, LastDrain, Node, NodeEvent};
pub use node::{NodeSpec, NodeStatus};
pub use policy::{Acl, Policy, Scope};
pub use resources::Resources;
pub(crate) use servers::Server;
pub use settings::{GcSettings, Preemption, Settings};
pub use spec::{Cause, Constraint, JobSpec, JobType, Lifecycle, Reschedule, Restarts, Span, Task, TaskGroup};
pub(crate) use task::{Happened, TaskEvent, TaskRun, TaskState};

/// The model.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) settings: Settings,
    pub(crate) now: SystemTime,
    pub(crate) namespaces: BTreeMap<String, Registered>,
    pub(crate) pools: BTreeMap<String, Registered>,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) jobs: BTreeMap<JobKey, Job>,
    pub(crate) allocations: BTreeMap<AllocationId, Allocation>,
    pub(crate) evaluations: BTreeMap<EvaluationId, Evaluation>,
    pub(crate) deployments: BTreeMap<DeploymentId, Deployment>,
    pub(crate) servers: Servers,
    /// The Raft index of the last write.
    pub(crate) index: u64,
    /// The Raft index of the last write to each table.
    indexes: BTreeMap<Table, u64>,
    draining: BTreeSet<NodeId>,
    blocked: BTreeSet<EvaluationId>,
    /// Whether a retry of the blocked evaluations is scheduled.
    unblocking: bool,
    agenda: Agenda,
    rng: Rng,
    history: History,
    journal: Journal,
    pub(crate) broker: Broker,
}

/// A namespace or a node pool.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) description: String,
    pub(crate) index: u64,
}

impl Cluster {
    /// Creates an empty cluster with its servers.
    pub fn new(settings: Settings) -> Cluster {
        let mut rng = Rng::new(settings.seed);
        let servers = Servers::new(settings.servers, settings.start, &mut rng);
        let mut cluster = Cluster {
            now: settings.start,
            namespaces: BTreeMap::new(),
            pools: BTreeMap::new(),
            nodes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            allocations: BTreeMap::new(),
            evaluations: BTreeMap::new(),
            deployments: BTreeMap::new(),
            servers,
            index: 1,
            indexes: BTreeMap::new(),
            draining: BTreeSet::new(),
            blocked: BTreeSet::new(),
            unblocking: false,
            agenda: Agenda::default(),
            rng,
            history: History::default(),
            journal: Journal::default(),
            broker: Broker::new(settings.event_buffer),
            settings,
        };
        for (name, description) in
            [("all", "Node pool with all nodes in the cluster."), ("default", "Default node pool.")]
        {
            cluster
                .pools
                .insert(name.to_owned(), Registered { description: description.to_owned(), index: 1 });
        }
        let default = Registered { description: "Default shared namespace".to_owned(), index: 1 };
        cluster.namespaces.insert("default".to_owned(), default);
        cluster.agenda.enter(cluster.now + cluster.settings.gc.interval, Event::CollectGarbage);
        cluster
    }

    /// Returns the simulated Nomad version.
    pub fn version(&self) -> Version {
        self.settings.version
    }

    /// Returns the time of the cluster's clock.
    pub fn now(&self) -> SystemTime {
        self.now
    }

    /// Moves the clock, and runs all events that are due. Without a leader, only the clock moves.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        if self.servers.leader.is_some() {
            self.commit();
            self.drive_drains();
        }
        while self.servers.leader.is_some()
            && let Some((at, event)) = self.agenda.next_by(end)
        {
            // After a time without a leader, overdue events happen late.
            self.now = self.now.max(at);
            self.happen(event);
            self.drive_drains();
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        self.commit();
        match event {
            Event::Evaluate(evaluation) => self.evaluate(evaluation),
            Event::Unblock => self.retry_blocked(),
            Event::Client(allocation, turn) => self.client_step(allocation, turn),
            Event::Healthy(allocation) => self.allocation_healthy(allocation),
            Event::ProgressDeadline(deployment) => self.check_progress(deployment),
            Event::DrainDeadline(node, started) => self.drain_deadline(node, started),
            Event::Launch(job) => self.launch_periodic(&job),
            Event::CollectGarbage => {
                self.collect_garbage(self.settings.gc);
                self.agenda.enter(self.now + self.settings.gc.interval, Event::CollectGarbage);
            }
        }
    }

    fn enter_in(&mut self, delay: Duration, event: Event) {
        self.agenda.enter(self.now + delay, event);
    }

    /// Creates the namespace, if it does not exist.
    pub fn create_namespace(&mut self, name: &str) {
        if !self.namespaces.contains_key(name) {
            let index = self.next_index();
            let description = format!("{name} jobs");
            self.namespaces.insert(name.to_owned(), Registered { description, index });
        }
    }

    /// Creates the node pool, if it does not exist.
    pub fn create_node_pool(&mut self, name: &str) {
        if !self.pools.contains_key(name) {
            let index = self.write(Message::NodePoolUpserted, Object::NodePool(name.to_owned()));
            self.pools.insert(name.to_owned(), Registered { description: String::new(), index });
        }
    }

    /// Returns the index of the last write to a table.
    pub(crate) fn table_index(&self, table: Table) -> u64 {
        self.indexes.get(&table).copied().unwrap_or(1)
    }
}
