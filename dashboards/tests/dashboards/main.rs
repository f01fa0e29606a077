//! Tests that the dashboard files match the code, follow Grafana's rules for dashboards, and query only metrics of the
//! exporter or the shipped rules.

#![expect(clippy::unwrap_used, reason = "a failed step fails its test")]

mod families;
mod grafana;
mod promtool;
mod replicas;
mod selectors;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use nomad_dashboards::dashboards;
use serde_json::{Value, json};

use families::{Kind, families};
use selectors::selectors;

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns all panels of all dashboards except rows, with a description.
fn panels() -> Vec<(String, Value)> {
    let of = |(file, dashboard): (&str, Value)| {
        let panels = array(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row");
        panels.map(|panel| (format!("{file}: {}", panel["title"]), panel.clone())).collect::<Vec<_>>()
    };
    dashboards().into_iter().flat_map(of).collect()
}

/// Returns all queries of all panels, with a description.
fn queries() -> Vec<(String, String)> {
    let of = |(name, panel): (String, Value)| {
        let queries = array(&panel["targets"]).iter().map(|target| text(&target["expr"]).to_owned());
        queries.map(|query| (name.clone(), query)).collect::<Vec<_>>()
    };
    panels().into_iter().flat_map(of).collect()
}

#[test]
fn the_files_match_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, dashboard) in dashboards() {
        let written = fs::read_to_string(folder.join(file)).unwrap_or_default();
        let written: Value = serde_json::from_str(&written).unwrap_or_default();
        assert!(
            written == dashboard,
            "{file} is not what the code says: run `cargo run -p nomad-dashboards`"
        );
    }
}

#[test]
fn dashboards_support_grafana_11_and_link_to_each_other() {
    let mut uids = HashSet::new();
    for (file, dashboard) in dashboards() {
        assert!(uids.insert(text(&dashboard["uid"]).to_owned()), "{file}: its uid is used twice");
        assert_eq!(format!("{}.json", text(&dashboard["uid"])), file);
        assert!(dashboard["schemaVersion"].as_u64() >= Some(39), "{file}");
        assert!(array(&dashboard["tags"]).contains(&json!("nomad")), "{file}");
        assert_eq!(dashboard["time"], json!({"from": "now-3h", "to": "now"}), "{file}");
        assert_eq!((&dashboard["refresh"], &dashboard["editable"]), (&json!("30s"), &json!(false)), "{file}");
        let links: Vec<_> = array(&dashboard["links"]).iter().map(|link| text(&link["type"])).collect();
        assert_eq!(links, ["dashboards", "link"], "{file}");
    }
}

#[test]
fn variables_are_used() {
    for (file, dashboard) in dashboards() {
        let variables = array(&dashboard["templating"]["list"]);
        let names: Vec<_> = variables.iter().map(|variable| text(&variable["name"])).collect();
        assert_eq!(names[..3], ["datasource", "cluster", "region"], "{file}");
        assert_eq!(
            (text(&variables[0]["type"]), text(&variables[0]["query"])),
            ("datasource", "prometheus"),
            "{file}"
        );
        for variable in &variables[1..] {
            let name = format!("{file}: {}", variable["name"]);
            assert_eq!(variable["type"], "query", "{name}");
            assert_eq!(variable["datasource"]["uid"], "${datasource}", "{name}");
            // There can be thousands of nodes and jobs, so their variables have no option for all.
            let all = !["node", "job"].contains(&text(&variable["name"]));
            assert_eq!((&variable["multi"], &variable["includeAll"]), (&json!(true), &json!(all)), "{name}");
            // All matches any value, including a missing label, instead of listing all values.
            assert_eq!(variable["allValue"], if all { json!(".*") } else { Value::Null }, "{name}");
            assert_eq!(variable["refresh"], 2, "{name}: it must not depend on the selected time range");
            assert!(
                !text(&variable["label"]).is_empty() && !text(&variable["description"]).is_empty(),
                "{name}"
            );
            let query = text(&variable["query"]["query"]);
            let (family, _) = query.strip_prefix("label_values(").unwrap().split_once(['{', ',']).unwrap();
            assert!(families().contains_key(family), "{name}: {family} is not documented");
            let used = format!("\"${}\"", text(&variable["name"]));
            let rest = variables.iter().map(|other| text(&other["query"]["query"]).to_owned());
            let queries =
                queries().into_iter().filter(|(name, _)| name.starts_with(file)).map(|(_, query)| query);
            assert!(rest.chain(queries).any(|query| query.contains(&used)), "{name} is not used");
        }
    }
}

#[test]
fn panels_have_unique_ids_and_positions() {
    for (file, dashboard) in dashboards() {
        let mut taken = HashSet::new();
        let mut ids = HashSet::new();
        for panel in array(&dashboard["panels"]) {
            let name = format!("{file}: {}", panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: its id is used twice");
            let [x, y, width, height] =
                ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(width > 0 && height > 0 && x + width <= 24, "{name} is not within the grid");
            for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{name} overlaps another panel");
            }
        }
    }
}

#[test]
fn panels_have_a_description_and_a_unit() {
    for (name, panel) in panels() {
        assert!(!text(&panel["title"]).is_empty() && !text(&panel["description"]).is_empty(), "{name}");
        if panel["type"] == "text" {
            continue;
        }
        assert!(!text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "{name} has no unit");
        let targets = array(&panel["targets"]);
        assert!(!targets.is_empty() && targets.len() <= 26, "{name}");
        let ids: HashSet<_> = targets.iter().map(|target| text(&target["refId"])).collect();
        assert_eq!(ids.len(), targets.len(), "{name}");
        for source in targets.iter().chain([&panel]).map(|of| &of["datasource"]) {
            assert_eq!(source, &json!({"type": "prometheus", "uid": "${datasource}"}), "{name}");
        }
    }
}

#[test]
fn queries_use_documented_metrics_of_the_selected_clusters() {
    let rules = [
        include_str!("../../../alerts/nomad.rules.yml"),
        include_str!("../../../deploy/autoscaler/nomad-autoscaler.rules.yml"),
    ];
    for (name, query) in queries() {
        let selectors = selectors(&query);
        assert!(!selectors.is_empty(), "{name}: {query}");
        for selector in selectors {
            let metric = &selector.metric;
            for matcher in [r#"cluster=~"$cluster""#, r#"region=~"$region""#] {
                assert!(
                    selector.matchers.iter().any(|found| found == matcher),
                    "{name}: {metric} lacks {matcher}"
                );
            }
            if metric.contains(':') {
                let record = format!("record: {metric}\n");
                assert!(
                    rules.iter().any(|rules| rules.contains(&record)),
                    "{name}: nothing records {metric}"
                );
                assert!(!["rate", "increase"].contains(&selector.function.as_str()), "{name}: {metric}");
                continue;
            }
            let Some((family, part)) = families::find(metric) else {
                panic!("{name}: {metric} is not documented");
            };
            for matcher in &selector.matchers {
                let (label, _) = matcher.split_once(['=', '!']).unwrap();
                let known = ["cluster", "region", "instance"].contains(&label)
                    || family.labels.iter().any(|known| known == label);
                assert!(known, "{name}: {metric} has no label {label}");
            }
            let counts = family.kind == Kind::Counter || family.kind == Kind::Histogram;
            assert_eq!(
                counts && !part,
                family.kind == Kind::Counter,
                "{name}: {metric} needs _bucket, _sum or _count"
            );
            let is_rate = ["rate", "increase"].contains(&selector.function.as_str());
            assert_eq!(is_rate, counts, "{name}: {metric} in {}()", selector.function);
            assert_eq!(selector.range, if counts { "$__rate_interval" } else { "" }, "{name}: {metric}");
        }
    }
}

#[test]
#[ignore = "needs promtool: make test"]
fn promtool_accepts_the_queries() {
    promtool::check(&queries());
}
