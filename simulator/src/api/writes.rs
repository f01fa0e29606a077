//! Requests that change the cluster: drains and node eligibility.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal};
use crate::cluster::{Cluster, NodeId};
use crate::list::Table;
use crate::request::Request;

use super::access::Access;
use super::{Reply, answer};

/// Handles a request that may change the cluster.
pub(crate) fn write(cluster: &mut Cluster, request: &Request) -> Answer {
    let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    let done = match path[..] {
        ["v1", "node", id, "drain"] => change(cluster, request, id, drain),
        ["v1", "node", id, "eligibility"] => change(cluster, request, id, eligibility),
        _ => return answer(cluster, request),
    };
    done.unwrap_or_else(Answer::from)
}

/// Changes a node, if the token permits it and there is a leader.
fn change(
    cluster: &mut Cluster,
    request: &Request,
    id: &str,
    change: fn(&mut Cluster, NodeId, &Value) -> Result<(), Refusal>,
) -> Reply {
    let access = Access::of(cluster, request.token.as_deref());
    access.require(cluster.version(), |policy| policy.node_write)?;
    if cluster.servers.leader.is_none() {
        return Err(failed("No cluster leader"));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let node: Option<NodeId> = id.parse().ok().filter(|id| cluster.nodes.contains_key(id));
    change(cluster, node.ok_or_else(|| failed("node not found"))?, &body)?;
    let index = cluster.table_index(Table::Nodes);
    Ok(Answer::json(&json!({
        "EvalIDs": [], "EvalCreateIndex": 0, "NodeModifyIndex": index, "Index": index,
        "LastContact": 0, "KnownLeader": false, "NextToken": "",
    })))
}

fn drain(cluster: &mut Cluster, node: NodeId, body: &Value) -> Result<(), Refusal> {
    let spec = &body["DrainSpec"];
    if spec.is_null() {
        cluster.cancel_drain(node, body["MarkEligible"] == true);
        return Ok(());
    }
    let deadline = match spec["Deadline"].as_i64().unwrap_or_default() {
        0 => None,
        nanos => Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())),
    };
    cluster.drain(node, deadline, spec["IgnoreSystemJobs"] == true);
    Ok(())
}

fn eligibility(cluster: &mut Cluster, node: NodeId, body: &Value) -> Result<(), Refusal> {
    let eligible = match body["Eligibility"].as_str() {
        Some("eligible") => true,
        Some("ineligible") => false,
        other => {
            return Err(failed(format!("invalid scheduling eligibility {:?}", other.unwrap_or_default())));
        }
    };
    if eligible && cluster.nodes.get(&node).is_some_and(|node| node.drain.is_some()) {
        return Err(failed("can not set node's scheduling eligibility to eligible while it is draining"));
    }
    cluster.set_eligibility(node, eligible);
    Ok(())
}

fn failed(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}
