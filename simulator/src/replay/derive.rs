//! Responses that were not recorded but can be derived from a recorded list.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::without_unrequested;
use crate::list::{Page, Table, select};
use crate::request::Query;
use crate::version::since;

use super::{Key, Recording};

/// Parameters that select rows of a list.
const PICKING: &[&str] = &["filter", "status", "job", "prefix", "per_page", "next_token", "reverse"];

/// Removes fields that lists have only with `resources=true`.
fn without_resources(row: &mut Value) {
    if let Some(fields) = row.as_object_mut() {
        for field in ["AllocatedResources", "NodeResources", "ReservedResources"] {
            fields.remove(field);
        }
    }
}

/// Adds the fields of a row about its job.
fn add_job(row: &mut Value) {
    row["Job"] = json!({"Type": row["JobType"], "ID": row["JobID"], "Version": row["JobVersion"]});
}

impl Recording {
    /// Applies the request's parameters to the recorded list without them, like the recorded version would.
    pub(super) fn derive(&self, path: &str, query: &Query) -> Option<Answer> {
        if let Some(node) = path.strip_prefix("/v1/node/").and_then(|rest| rest.strip_suffix("/allocations"))
        {
            return self.of_node(node, query);
        }
        if let Some(answer) = self.of_job(path, query) {
            return Some(answer);
        }
        let table = Table::ALL.into_iter().find(|table| table.path() == path)?;
        let base = query.without(PICKING);
        let wildcard = base.with("namespace", "*");
        // A list without resources is the list with them, minus that field.
        let whole = wildcard.with("resources", "true");
        // Lists of allocations with resources and with task states were recorded separately.
        let plain = wildcard.without(&["resources", "task_states"]);
        let sized = plain.with("resources", "true").with("task_states", "false");
        let [first, second] = if query.is_true("resources") { [&sized, &plain] } else { [&plain, &sized] };
        let recorded = [&base, &wildcard, &whole, first, second]
            .into_iter()
            .find_map(|candidate| self.find(path, candidate))?;
        if recorded.status != StatusCode::OK {
            return Some(recorded.clone());
        }
        let mut rows =
            self.scattered(table, query).or_else(|| serde_json::from_slice(&recorded.body).ok())?;
        if !query.is_true("resources") {
            rows.iter_mut().for_each(without_resources);
        }
        // Nomad filters full allocations, whatever the list contains.
        let filter = query.get("filter").filter(|_| table == Table::Allocations).unwrap_or_default();
        let shows_states = query.get("task_states").is_none() || query.is_true("task_states");
        if table == Table::Allocations && (shows_states || filter.contains("TaskStates")) {
            self.add_states(&plain, &mut rows);
        }
        if filter.contains("Job.") {
            rows.iter_mut().for_each(add_job);
        }
        Some(match select(table, self.version, query, rows) {
            Ok(Page { mut rows, next_token, work: _ }) => {
                if table == Table::Allocations {
                    rows.iter_mut().for_each(|row| without_unrequested(row, query));
                }
                let body = Value::Array(rows).to_string().into();
                Answer { body, ..recorded.clone() }.next_token(next_token)
            }
            Err(refusal) => refusal.into(),
        })
    }

    /// Returns the allocations of one node, with their jobs and task states, from the recorded list of all.
    fn of_node(&self, node: &str, query: &Query) -> Option<Answer> {
        let wildcard = query.with("namespace", "*");
        let whole = wildcard.with("resources", "true").with("task_states", "false");
        let path = Table::Allocations.path();
        let recorded = self.find(path, &wildcard).or_else(|| self.find(path, &whole))?;
        if recorded.status != StatusCode::OK {
            return Some(recorded.clone());
        }
        let mut rows: Vec<Value> = serde_json::from_slice(&recorded.body).ok()?;
        rows.retain(|row| row["NodeID"] == node);
        self.add_states(&wildcard.without(&["resources", "task_states"]), &mut rows);
        rows.iter_mut().for_each(add_job);
        Some(Answer { body: Value::Array(rows).to_string().into(), ..recorded.clone() })
    }

    /// Returns the allocations or evaluations of one job, from the recorded lists of all.
    fn of_job(&self, path: &str, query: &Query) -> Option<Answer> {
        let (job, table) = path.strip_prefix("/v1/job/")?.rsplit_once('/')?;
        let table = match table {
            "allocations" => Table::Allocations,
            "evaluations" => Table::Evaluations,
            _ => return None,
        };
        let recorded = self.find(table.path(), &query.with("namespace", "*"))?;
        let mut rows: Vec<Value> = serde_json::from_slice(&recorded.body).ok()?;
        let job = crate::request::decode(job);
        rows.retain(|row| row["JobID"] == *job && row["Namespace"] == query.namespace());
        Some(Answer { body: Value::Array(rows).to_string().into(), ..recorded.clone() })
    }

    /// Adds task states to allocations, if they were recorded in another list.
    fn add_states(&self, other: &Query, rows: &mut [Value]) {
        let recorded = self.find(Table::Allocations.path(), other);
        let recorded: Vec<Value> =
            recorded.and_then(|answer| serde_json::from_slice(&answer.body).ok()).unwrap_or_default();
        let states: BTreeMap<&str, &Value> =
            recorded.iter().filter_map(|row| Some((row["ID"].as_str()?, &row["TaskStates"]))).collect();
        for row in rows.iter_mut().filter(|row| row["TaskStates"].is_null()) {
            if let Some(states) = row["ID"].as_str().and_then(|id| states.get(id)) {
                row["TaskStates"] = (*states).clone();
            }
        }
    }

    /// Before 1.2.4 there is no list of evaluations and deployments of all namespaces. The rows of one
    /// namespace were recorded job by job.
    fn scattered(&self, table: Table, query: &Query) -> Option<Vec<Value>> {
        let list = match table {
            Table::Evaluations => "/evaluations",
            Table::Deployments => "/deployments",
            Table::Jobs | Table::Nodes | Table::NodePools | Table::Allocations => return None,
        };
        if self.version >= since::EVALUATION_PARAMETERS || query.namespace() == "*" {
            return None;
        }
        let of_a_job = |key: &&Key| key.path.starts_with("/v1/job/") && key.path.ends_with(list);
        let bodies = self.answers.iter().filter(|(key, _)| of_a_job(key)).map(|(_, answer)| &answer.body);
        let rows = bodies.filter_map(|body| serde_json::from_slice::<Vec<Value>>(body).ok()).flatten();
        let by_id: BTreeMap<String, Value> = rows.map(|row| (row["ID"].to_string(), row)).collect();
        Some(by_id.into_values().collect())
    }
}
