//! JSON of the model's objects, as each Nomad version formats it.

mod allocation;
mod deployment;
mod evaluation;
mod event;
mod full_allocation;
mod job;
mod node;
mod pool;
mod specification;
mod task_state;

use serde_json::{Map, Value};

pub(crate) use allocation::without_unrequested;
pub(super) use allocation::{allocation_stub, filterable_allocation};
pub(super) use deployment::deployment;
pub(super) use evaluation::evaluation;
pub(super) use event::{event, line};
pub(super) use full_allocation::allocation;
pub(super) use job::{job_stub, job_summary};
pub(super) use node::{attributes, node, node_stub};
pub(super) use pool::{namespace, node_pool};
pub(super) use specification::job;

/// Removes empty fields, which Nomad omits in evaluations and full allocations.
fn without_empty(object: Value) -> Value {
    let Value::Object(fields) = object else { return object };
    Value::Object(fields.into_iter().filter(|(_, value)| !is_empty(value)).collect())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// Returns null for an empty map, as Go formats a nil map.
fn nil_map(fields: Map<String, Value>) -> Value {
    if fields.is_empty() { Value::Null } else { Value::Object(fields) }
}

/// Returns an ID as text. Empty if there is none.
fn text(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}
