//! Transactions, with their objects as they were.

use crate::cluster::allocation::Allocation;
use crate::cluster::deployment::Deployment;
use crate::cluster::evaluation::Evaluation;
use crate::cluster::job::Job;
use crate::cluster::node::Node;
use crate::cluster::{Registered, id::Id};

use super::Message;

/// What one step of a Raft message wrote: a line of the stream.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) index: u64,
    pub(crate) message: Message,
    pub(crate) events: Vec<Published>,
}

/// An object of a transaction.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) payload: Payload,
    /// Whether the transaction removed it.
    pub(crate) deleted: bool,
}

/// The object as the transaction left it.
#[derive(Debug)]
pub(crate) enum Payload {
    Job(Box<Job>),
    Node(Box<Node>),
    NodePool(String, Registered),
    Allocation(Box<Allocation>),
    Evaluation(Box<Evaluation>),
    Deployment(Box<Deployment>),
}

/// What events are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Job,
    Node,
    NodePool,
    Allocation,
    Evaluation,
    Deployment,
}

impl Topic {
    /// Nomad's word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Topic::Job => "Job",
            Topic::Node => "Node",
            Topic::NodePool => "NodePool",
            Topic::Allocation => "Allocation",
            Topic::Evaluation => "Evaluation",
            Topic::Deployment => "Deployment",
        }
    }
}

impl Payload {
    pub(crate) fn topic(&self) -> Topic {
        match self {
            Payload::Job(_) => Topic::Job,
            Payload::Node(_) => Topic::Node,
            Payload::NodePool(..) => Topic::NodePool,
            Payload::Allocation(_) => Topic::Allocation,
            Payload::Evaluation(_) => Topic::Evaluation,
            Payload::Deployment(_) => Topic::Deployment,
        }
    }

    /// Its ID.
    pub(crate) fn key(&self) -> String {
        match self {
            Payload::Job(job) => job.key.id.clone(),
            Payload::Node(node) => node.id.to_string(),
            Payload::NodePool(name, _) => name.clone(),
            Payload::Allocation(allocation) => allocation.id.to_string(),
            Payload::Evaluation(evaluation) => evaluation.id.to_string(),
            Payload::Deployment(deployment) => deployment.id.to_string(),
        }
    }

    /// Its namespace; empty if it is in none.
    pub(crate) fn namespace(&self) -> &str {
        match self {
            Payload::Job(job) => &job.key.namespace,
            Payload::Allocation(allocation) => &allocation.job.namespace,
            Payload::Evaluation(evaluation) => &evaluation.job.namespace,
            Payload::Deployment(deployment) => &deployment.job.namespace,
            Payload::Node(_) | Payload::NodePool(..) => "",
        }
    }

    /// The other IDs by which it can be subscribed to; `None` where Nomad has none.
    pub(crate) fn filter_keys(&self) -> Option<Vec<String>> {
        let id = |id: Option<Id>| id.map(|id| id.to_string()).unwrap_or_default();
        match self {
            Payload::Allocation(it) => Some(vec![it.job.id.clone(), id(it.deployment)]),
            Payload::Evaluation(it) => Some(vec![it.job.id.clone(), id(it.deployment)]),
            Payload::Deployment(it) => Some(vec![it.job.id.clone()]),
            Payload::Job(_) | Payload::Node(_) | Payload::NodePool(..) => None,
        }
    }
}
