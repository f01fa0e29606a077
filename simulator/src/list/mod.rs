//! List endpoints: namespace, prefix, status, filter, order and pages, each as in the simulated version. The
//! simulated cluster and the recordings share this code.

mod filter;
mod page;
mod table;

use http::StatusCode;
use serde_json::Value;

use crate::answer::Refusal;
use crate::request::Query;
use crate::version::{Version, since};
use crate::work::Work;

use filter::Filter;
pub(crate) use table::Table;

/// The rows of a response.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Value>,
    /// Start of the next page, if there is one.
    pub(crate) next_token: Option<String>,
    /// What finding the rows would cost a server.
    pub(crate) work: Work,
}

/// Selects and orders the rows of a request.
///
/// # Errors
/// The response with which Nomad rejects the parameters.
pub(crate) fn select(
    table: Table,
    version: Version,
    query: &Query,
    mut rows: Vec<Value>,
) -> Result<Page, Refusal> {
    let filter = parse_filter(table, version, query)?;
    let per_page = page::per_page(table, version, query)?;

    if table.is_namespaced() {
        rows.retain(|row| in_namespace(table, version, query.namespace(), row));
    }
    if let Some(prefix) = query.get("prefix") {
        rows.retain(|row| table.id(row).starts_with(prefix));
    }
    let mut compared = 0;
    if table == Table::Evaluations && version >= since::EVALUATION_PARAMETERS {
        if query.get("status").is_some() || query.get("job").is_some() {
            compared = rows.len() as u64;
        }
        let is = |row: &Value, key: &str, field: &str| query.get(key).is_none_or(|value| row[field] == value);
        rows.retain(|row| is(row, "status", "Status") && is(row, "job", "JobID"));
    }
    table.sort(version, &mut rows);
    if version >= since::FILTER && query.is_true("reverse") && table.can_reverse(version) {
        rows.reverse();
    }
    let mut page = page::cut(table, version, query, per_page, filter.as_ref(), rows)?;
    page.work.compared = compared;
    Ok(page)
}

fn parse_filter(table: Table, version: Version, query: &Query) -> Result<Option<Filter>, Refusal> {
    let Some(text) = query.get("filter").filter(|_| version >= since::FILTER) else { return Ok(None) };
    let refuse = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
    if table == Table::Evaluations && (query.get("status").is_some() || query.get("job").is_some()) {
        return Err(refuse("Filter expression cannot be used with other filter parameters".to_owned()));
    }
    Filter::parse(text, version.has(since::COLLECTION_FILTERS)).map(Some).map_err(|error| {
        refuse(format!("failed to create result paginator: failed to read filter expression: {error}"))
    })
}

fn in_namespace(table: Table, version: Version, asked: &str, row: &Value) -> bool {
    // In versions without the wildcard, it is the name of a namespace that does not exist.
    let wildcard = asked == "*" && version >= table.wildcard_since();
    wildcard || row["Namespace"] == asked
}

#[cfg(test)]
mod tests;
