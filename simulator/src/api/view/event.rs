//! Events of a transaction, with their objects.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::cluster::events::{Message, Payload, Published, Transaction};
use crate::version::{Version, since};

use super::full_allocation::without_job;
use super::{deployment, evaluation, job, node, node_pool};

/// Returns a line of the stream, without its line feed.
pub(crate) fn line(index: u64, events: Vec<Value>) -> String {
    json!({"Index": index, "Events": events}).to_string()
}

pub(crate) fn event(event: &Published, transaction: &Transaction, cluster: &Cluster) -> Value {
    let payload = &event.payload;
    json!({
        "Topic": payload.topic().as_str(),
        "Type": name(transaction.message, cluster.version()),
        "Key": payload.key(),
        "Namespace": payload.namespace(),
        "FilterKeys": payload.filter_keys(),
        "Index": transaction.index,
        "Payload": object(event, cluster),
    })
}

fn object(event: &Published, cluster: &Cluster) -> Value {
    let version = cluster.version();
    match &event.payload {
        Payload::Job(it) => {
            let mut payload = json!({"Job": job(it, version)});
            if event.deleted && version >= since::DELETED_JOBS {
                payload["Deleted"] = Value::Bool(true);
            }
            payload
        }
        Payload::Node(it) => json!({"Node": node(it, version)}),
        Payload::NodePool(name, pool) => json!({"NodePool": node_pool(name, pool, version)}),
        Payload::Allocation(it) => {
            // Omits the job, which would be most of the payload.
            let mut payload = json!({"Allocation": without_job(it, cluster, version)});
            if it.timed_out && version >= since::MAX_RUN_DURATION {
                payload["Timeout"] = Value::Bool(true);
                payload["TimeoutReason"] = json!(it.client_description);
            }
            payload
        }
        Payload::Evaluation(it) => json!({"Evaluation": evaluation(it, version)}),
        Payload::Deployment(it) => json!({"Deployment": deployment(it, version)}),
    }
}

/// Returns the type of the events of a message.
fn name(message: Message, version: Version) -> &'static str {
    match message {
        Message::NodeRegistration => "NodeRegistration",
        Message::NodeDeregistration => "NodeDeregistration",
        Message::NodeEvent => "NodeStreamEvent",
        Message::NodeEligibility if version >= since::NODE_ELIGIBILITY_EVENTS => "NodeEligibility",
        Message::NodeEligibility | Message::NodeDrain => "NodeDrain",
        Message::NodePoolUpserted => "NodePoolUpserted",
        Message::JobRegistered => "JobRegistered",
        Message::JobDeregistered => "JobDeregistered",
        Message::JobBatchDeregistered => "JobBatchDeregistered",
        Message::EvaluationUpdated => "EvaluationUpdated",
        Message::AllocationUpdated => "AllocationUpdated",
        Message::AllocationUpdateDesiredStatus => "AllocationUpdateDesiredStatus",
        Message::PlanResult => "PlanResult",
        Message::DeploymentStatusUpdate => "DeploymentStatusUpdate",
    }
}
