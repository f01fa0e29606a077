//! Filtering and pagination in one pass over the rows, like Nomad's paginator.

use std::cmp::Ordering;

use http::StatusCode;
use serde_json::Value;

use crate::answer::Refusal;
use crate::request::Query;
use crate::version::{Version, since};
use crate::work::Work;

use super::filter::Filter;
use super::{Page, Table};

/// Returns the maximum number of rows of the request.
pub(super) fn per_page(table: Table, version: Version, query: &Query) -> Result<Option<usize>, Refusal> {
    let Some(text) = query.get("per_page").filter(|_| version >= table.pages_since()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(rows) => Ok(Some(rows)),
        Err(_) if version < since::STRICT_PER_PAGE => Ok(None),
        Err(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, format!("invalid value for per_page: {text:?}"))),
    }
}

/// Returns the rows of the requested page.
pub(super) fn cut(
    table: Table,
    version: Version,
    query: &Query,
    per_page: Option<usize>,
    filter: Option<&Filter>,
    rows: Vec<Value>,
) -> Result<Page, Refusal> {
    let reverse = query.is_true("reverse") && table.can_reverse(version);
    let wanted = query.get("next_token").filter(|_| version >= table.pages_since());
    let passed = if reverse { Ordering::Greater } else { Ordering::Less };
    let mut found = wanted.is_none();
    let mut page = Page { rows: Vec::new(), next_token: None, work: Work::default() };
    for row in rows {
        let token = table.token(version, &row);
        found = found || wanted.is_none_or(|wanted| compare(table, version, &token, wanted) != passed);
        if !found {
            continue;
        }
        page.work.filtered += u64::from(filter.is_some());
        if !keep(table, filter, &row)? {
            continue;
        }
        if per_page == Some(page.rows.len()) {
            page.next_token = Some(token);
            break;
        }
        page.rows.push(row);
    }
    page.work.sent = page.rows.len() as u64;
    Ok(page)
}

fn keep(table: Table, filter: Option<&Filter>, row: &Value) -> Result<bool, Refusal> {
    let Some(filter) = filter else { return Ok(true) };
    filter.matches(row, table.fields()).map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("failed to read result page: {error}"))
    })
}

/// From 1.3.0 to 1.10.1 Nomad compared tokens as text although the rows are in numeric order: from index 99
/// to 100, a page repeats.
fn compare(table: Table, version: Version, token: &str, wanted: &str) -> Ordering {
    if table.has_numeric_tokens(version)
        && let (Some((left, left_id)), Some((right, right_id))) =
            (token.split_once('.'), wanted.split_once('.'))
        && let (Ok(left), Ok(right)) = (left.parse::<u64>(), right.parse::<u64>())
    {
        return (left, left_id).cmp(&(right, right_id));
    }
    token.cmp(wanted)
}
