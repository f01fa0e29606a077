//! Transactions, with copies of their objects.

use crate::cluster::allocation::Allocation;
use crate::cluster::deployment::Deployment;
use crate::cluster::evaluation::Evaluation;
use crate::cluster::job::Job;
use crate::cluster::node::Node;
use crate::cluster::{Registered, id::Id};

use super::Message;

/// The writes of one step of a Raft message: a line of the stream.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) index: u64,
    pub(crate) message: Message,
    pub(crate) events: Vec<Published>,
}

/// An object that a transaction wrote.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) payload: Payload,
    /// Whether the transaction deleted it.
    pub(crate) deleted: bool,
}

/// State of the object after the transaction, or before it if the transaction deleted the object.
#[derive(Debug)]
pub(crate) enum Payload {
    Job(Box<Job>),
    Node(Box<Node>),
    NodePool(String, Registered),
    Allocation(Box<Allocation>),
    Evaluation(Box<Evaluation>),
    Deployment(Box<Deployment>),
}

/// Topic of an event.
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
    /// Returns Nomad's name of the topic.
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

    /// Returns the ID of the object.
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

    /// Returns the namespace of the object; empty if it has none.
    pub(crate) fn namespace(&self) -> &str {
        match self {
            Payload::Job(job) => &job.key.namespace,
            Payload::Allocation(allocation) => &allocation.job.namespace,
            Payload::Evaluation(evaluation) => &evaluation.job.namespace,
            Payload::Deployment(deployment) => &deployment.job.namespace,
            Payload::Node(_) | Payload::NodePool(..) => "",
        }
    }

    /// Returns the other IDs by which a subscription can select the object; `None` if Nomad has none.
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
