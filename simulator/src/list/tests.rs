use proptest::prelude::*;
use serde_json::{Value, json};

use super::filter::{Fields, Filter, SyntaxError, Unfit};
use super::{Table, select};
use crate::request::Query;
use crate::version::Version;

/// Parses a filter as newer versions do.
fn parse(text: &str) -> Result<Filter, SyntaxError> {
    Filter::parse(text, true)
}

#[test]
fn filters_select_what_go_bexpr_selects() {
    let row = json!({
        "ID": "build-1", "Status": "running", "ParentID": "", "Priority": 50, "Stop": false,
        "Periodic": false,
        "Datacenters": ["dc1", "dc2"], "Meta": {"team": "ci"}, "LastDrain": null,
    });
    let table = [
        (r#"Status == "running""#, true),
        (r#"Status != "dead""#, true),
        ("Status == `running`", true),
        ("Status == running", true),
        (r#"ParentID == """#, true),
        ("Priority == 50", true),
        ("Stop == false", true),
        ("Stop == true", false),
        (r#""dc1" in Datacenters"#, true),
        (r#""dc3" in Datacenters"#, false),
        (r#""dc3" not in Datacenters"#, true),
        (r#"Datacenters contains "dc2""#, true),
        (r#"Datacenters not contains "dc2""#, false),
        (r#""run" in Status"#, true),
        (r#"Meta.team == "ci""#, true),
        (r#"Meta.other == "ci""#, false),
        (r#"Meta.other != "ci""#, true),
        ("Meta is empty", false),
        ("Meta is not empty", true),
        ("LastDrain is empty", true),
        ("Periodic is empty", true),
        ("ParentID is empty and Status == running", true),
        (r#"Status == "dead" or Status == "running""#, true),
        (r#"Status == "dead" or ID == "build-1" and Priority == 40"#, false),
        (r#"not (Status == "dead" or Priority == 40)"#, true),
        (r#"not Status == "running""#, false),
        ("NodeID == \"\"", true),
        ("NodeID != \"\"", false),
    ];
    let fields = Fields { hidden: &["NodeID"], unreal: &[] };
    for (text, expected) in table {
        let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.matches(&row, fields), Ok(expected), "{text}");
    }
}

/// An allocation with a task that failed and was started again, and one that runs.
fn allocation() -> Value {
    json!({
        "ClientStatus": "failed", "Job": {"Type": "batch"}, "JobType": "batch",
        "TaskStates": {
            "main": {"State": "dead", "Restarts": 2, "FinishedAt": "2026-11-25T21:26:12Z", "Events": [
                {"Type": "Started", "Details": {}},
                {"Type": "Terminated", "Details": {"exit_code": "1", "oom_killed": "false"}},
            ]},
            "upload": {"State": "running", "Restarts": 0, "FinishedAt": null, "Events": []},
        },
    })
}

#[test]
fn filters_look_into_lists_and_maps() {
    let row = allocation();
    let fields = Fields { hidden: &["Empty"], unreal: &["JobType"] };
    for (text, expected) in [
        ("any TaskStates as k, v { v.Restarts != 0 }", true),
        ("any TaskStates as k, v { v.Restarts == 3 }", false),
        ("all TaskStates as k, v { v.Restarts != 0 }", false),
        ("all TaskStates as _, v { v.State != pending }", true),
        (r#"any TaskStates as k, _ { k == "upload" }"#, true),
        (r#"any TaskStates as name { name == "other" }"#, false),
        (r#"(any TaskStates as k, v { v.State == "running" }) and ClientStatus == "failed""#, true),
        (r#"ClientStatus == "lost" or any TaskStates as k, v { v.State == "running" }"#, true),
        (r#"any TaskStates as k, v { any v.Events as e { e.Type == "Terminated" } }"#, true),
        (r#"any TaskStates as k, v { any v.Events as i, e { e.Type == "Killed" and i == 0 } }"#, false),
        (r#"any TaskStates as k, v { any v.Events as e { e.Details.exit_code == "1" } }"#, true),
        (r#"any TaskStates as k, v { any v.Events as e { e.Details["exit_code"] == "1" } }"#, true),
        (r#"any TaskStates as k, v { any v.Events as e { e.Details.signal == "9" } }"#, false),
        (r#"TaskStates["main"].Restarts == 2"#, true),
        ("TaskStates.main.Events.1.Type == Terminated", true),
        ("TaskStates.other.Restarts == 2", false),
        (r#"Job.Type == "batch""#, true),
        ("any Empty as x { x == 1 }", false),
        ("all Empty as x { x == 1 }", true),
    ] {
        let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.matches(&row, fields), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_filtered_is_refused_as_nomad_refuses_it() {
    let row = allocation();
    let fields = Fields { hidden: &[], unreal: &["JobType"] };
    for (text, expected) in [
        ("any TaskStates as k, v { v.Bogus == 1 }", Unfit::UnknownField("Bogus".to_owned())),
        ("JobType == batch", Unfit::UnknownField("JobType".to_owned())),
        ("any TaskStates as k, v { v.FinishedAt != \"\" }", Unfit::NotComparable),
        ("any ClientStatus as x { x == 1 }", Unfit::NotIterable("ClientStatus".to_owned())),
    ] {
        let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.matches(&row, fields), Err(expected), "{text}");
    }
    let collection = "any TaskStates as k, v { v.Restarts != 0 }";
    for text in [
        format!("{collection} and ClientStatus == failed"),
        format!("{collection} or ClientStatus == failed"),
        format!("ClientStatus == failed and {collection}"),
        format!("not {collection}"),
        "any TaskStates as k, v".to_owned(),
        "any TaskStates { x == 1 }".to_owned(),
        "any TaskStates as k, v { }".to_owned(),
        "Details[0] == 1".to_owned(),
        "v.Restarts > 0".to_owned(),
    ] {
        assert!(parse(&text).is_err(), "{text}");
    }
    assert!(Filter::parse(collection, false).is_err(), "older versions do not support it");
}

#[test]
fn broken_filters_are_refused() {
    for text in
        ["Status", "Status =", "Status == ", "== x", "(Status == x", "Status == x)", "Status == \"x", "a is"]
    {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn unknown_fields_are_refused() {
    let filter = parse("Bogus == 1").expect("a valid expression");
    let fields = Fields { hidden: &[], unreal: &["Drain"] };
    assert_eq!(filter.matches(&json!({}), fields), Err(Unfit::UnknownField("Bogus".to_owned())));
    let filter = parse("Drain == true").expect("a valid expression");
    assert_eq!(filter.matches(&json!({"Drain": true}), fields), Err(Unfit::UnknownField("Drain".to_owned())));
}

fn evaluations(indexes: &[u64]) -> Vec<Value> {
    let row = |index: &u64| json!({"ID": format!("e{index}"), "Namespace": "ci", "CreateIndex": index});
    indexes.iter().map(row).collect()
}

/// All pages' IDs, and whether the last page was reached within `limit` requests.
fn walk(table: Table, version: &str, rows: &[Value], per_page: usize, limit: usize) -> (Vec<String>, bool) {
    let version: Version = version.parse().expect("a version");
    let mut query = Query::parse(&format!("namespace=*&per_page={per_page}"));
    let mut ids = Vec::new();
    for _ in 0..limit {
        let page = select(table, version, &query, rows.to_vec()).expect("valid parameters");
        ids.extend(page.rows.iter().map(|row| row["ID"].as_str().unwrap_or_default().to_owned()));
        match page.next_token {
            Some(token) => query = query.with("next_token", &token),
            None => return (ids, true),
        }
    }
    (ids, false)
}

#[test]
fn pages_cover_the_list_once() {
    let rows = evaluations(&[97, 98, 99, 100, 101, 102, 103]);
    for (version, per_page) in [("2.0.5", 1), ("2.0.5", 3), ("1.10.2", 2), ("1.2.4", 3), ("1.1.18", 3)] {
        let (mut ids, ended) = walk(Table::Evaluations, version, &rows, per_page, 10);
        ids.sort();
        let expected: Vec<_> = if version == "1.1.18" { Vec::new() } else { evaluations_ids(&rows) };
        assert_eq!((ids, ended), (expected, true), "{version}");
    }
}

fn evaluations_ids(rows: &[Value]) -> Vec<String> {
    let mut ids: Vec<_> = rows.iter().map(|row| row["ID"].as_str().unwrap_or_default().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn pages_loop_where_nomad_compared_numbers_as_text() {
    let rows = evaluations(&[98, 99, 100, 101]);
    let (ids, ended) = walk(Table::Evaluations, "1.4.14", &rows, 2, 6);
    assert!(!ended, "{ids:?}");
}

#[test]
fn reverse_lists_the_newest_first() {
    let query = Query::parse("namespace=*&reverse=true&per_page=2");
    let rows = evaluations(&[8, 9, 10]);
    let page = select(Table::Evaluations, Version::LATEST, &query, rows.clone()).expect("valid parameters");
    assert_eq!(page.rows, [rows[2].clone(), rows[1].clone()]);
    assert_eq!(page.next_token.as_deref(), Some("8.e8"));
    let query = query.with("next_token", "8.e8");
    let page = select(Table::Evaluations, Version::LATEST, &query, rows.clone()).expect("valid parameters");
    assert_eq!(page.rows, [rows[0].clone()]);
}

#[test]
fn a_filter_does_not_go_with_other_parameters_of_evaluations() {
    let query = Query::parse("namespace=*&status=blocked&filter=Type==batch");
    let refused = select(Table::Evaluations, Version::LATEST, &query, Vec::new()).expect_err("refused");
    assert_eq!(refused.message, "Filter expression cannot be used with other filter parameters");
    let old = Version::new(1, 1, 18);
    assert!(select(Table::Evaluations, old, &query, Vec::new()).is_ok(), "old versions ignore both");
}

/// An expression of any length, made of what expressions are made of.
fn expression() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "(", ")", "not", "and", "or", "==", "!=", "in", "is", "empty", "contains", "Status", "Meta.a.b",
            "..", "=", "!", "any", "all", "as", "{", "}", "[", "]", ",", "`", "\"", "\"a\\", "\"dead\"",
            "50", "\u{202e}", "\0", "\n",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_filter_or_refused_with_a_position_in_it(text in expression()) {
        let row = json!({"Status": "dead", "Meta": {"a": 1}});
        match parse(&text) {
            Ok(filter) => drop(filter.matches(&row, Fields::default())),
            Err(error) => prop_assert!(error.at <= text.len() && text.is_char_boundary(error.at)),
        }
    }

    /// `not (x)` says the opposite of `x`, and what is alone in parentheses stays.
    #[test]
    fn negation_and_parentheses_mean_what_they_say(status in "[a-z]{1,4}", other in "[a-z]{1,4}") {
        let row = json!({"Status": status});
        let is = |text: String| parse(&text).unwrap().matches(&row, Fields::default()).unwrap();
        let equal = is(format!("Status == {other:?}"));
        prop_assert_eq!(equal, status == other);
        prop_assert_eq!(is(format!("not (Status == {other:?})")), !equal);
        prop_assert_eq!(is(format!("((Status == {other:?}))")), equal);
        prop_assert_eq!(is(format!("Status == {other:?} or Status != {other:?}")), true);
        prop_assert_eq!(is(format!("Status == {other:?} and Status != {other:?}")), false);
    }
}

/// As long as a request line may be: neither nesting nor length may exhaust the stack.
#[test]
fn long_filters_are_refused_or_evaluated() {
    let row = json!({"Status": "dead"});
    for nested in ["(", "not ", "not ("] {
        assert!(parse(&nested.repeat(60_000)).is_err(), "{nested}");
    }
    for word in ["or", "and"] {
        let long = format!("Status == dead {word} ").repeat(5_000) + "Status == dead";
        assert_eq!(parse(&long).unwrap().matches(&row, Fields::default()), Ok(true), "{word}");
    }
}
