//! The settings for CircleCI server: what they make of the chart and of the manifests, in both of its shapes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::chart::{essence, of};
use super::kubernetes::{assert_valid, dashboards, kustomized, objects, on_disk, rendered};
use crate::support::{path, read};

const FOLDER: &str = "deploy/circleci-server";
/// Where Nomad's servers are, and the files of values for that.
const SHAPES: [(&str, &[&str]); 2] =
    [("inside", &["values.yaml"]), ("outside", &["values.yaml", "values-outside.yaml"])];

fn yaml(file: &str) -> Value {
    objects(&read(&format!("{FOLDER}/{file}"))).remove(0)
}

/// Values as Helm merges files of them: maps by key, everything else whole.
fn merged(below: Value, above: Value) -> Value {
    match (below, above) {
        (Value::Object(mut below), Value::Object(above)) => {
            for (name, value) in above {
                let old = below.remove(&name).unwrap_or_default();
                below.insert(name, merged(old, value));
            }
            Value::Object(below)
        }
        (_, above) => above,
    }
}

fn values(files: &[&str]) -> Value {
    let image = json!({"image": {"repository": "registry.example/nomad-exporter"}});
    files.iter().map(|file| yaml(file)).fold(image, merged)
}

/// The thresholds that the alerts record, by name.
fn thresholds(rules: &Value) -> BTreeMap<String, String> {
    let groups = rules["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["name"] == "nomad-thresholds").unwrap();
    let rules = group["rules"].as_array().unwrap().iter();
    let name = |rule: &Value| rule["record"].as_str().unwrap().replace("nomad:threshold:", "");
    rules.map(|rule| (name(rule), rule["expr"].as_str().unwrap().to_owned())).collect()
}

/// What the values say of thresholds.
fn overlay() -> BTreeMap<String, String> {
    let values = yaml("values.yaml");
    let thresholds = values["prometheusRule"]["thresholds"].as_object().unwrap();
    thresholds.iter().map(|(name, value)| (name.clone(), format!("vector({value})"))).collect()
}

/// Both ways to install change the same thresholds, each of which is one of the alerts', and none stays as it was.
#[test]
fn the_overlay_changes_thresholds_that_exist() {
    let defaults = thresholds(&objects(&read("alerts/nomad.alerts.yml"))[0]);
    let overlay = overlay();
    assert!(!overlay.is_empty());
    for (name, value) in &overlay {
        let default = defaults.get(name).unwrap_or_else(|| panic!("no alert has the threshold {name}"));
        assert_ne!(value, default, "{name} is the default");
    }
    let kustomize: BTreeMap<String, String> =
        serde_json::from_value(yaml("inside/thresholds.yaml")["data"].clone()).unwrap();
    assert_eq!(kustomize, overlay);
}

/// The alerts with the overlay are those of alerts/ otherwise.
fn assert_alerts(object: &Value, from: &str) {
    let mut expected = objects(&read("alerts/nomad.alerts.yml")).remove(0);
    let mut changed = 0;
    for rule in expected["groups"][0]["rules"].as_array_mut().unwrap() {
        let name = rule["record"].as_str().unwrap().replace("nomad:threshold:", "");
        if let Some(value) = overlay().get(&name) {
            rule["expr"] = json!(value);
            changed += 1;
        }
    }
    assert_eq!(changed, overlay().len());
    assert_eq!(object["spec"], expected, "{from}");
}

#[test]
#[ignore = "needs Helm and kustomize: make check-deploy"]
fn chart_and_manifests_are_valid_and_the_same_for_circleci_server() {
    for (folder, files) in SHAPES {
        let values = values(files);
        let (Some(chart), Some(manifests)) =
            (rendered(&values.to_string()), kustomized(&path(&format!("{FOLDER}/{folder}"))))
        else {
            return;
        };
        let chart = chart.unwrap();
        assert_valid(&chart);
        assert_valid(&manifests);
        let (chart, manifests) = (objects(&chart), objects(&manifests));
        for kind in ["Deployment", "Service", "NetworkPolicy", "ServiceMonitor"] {
            let spec = |objects: &[Value]| essence(of(objects, kind)["spec"].clone());
            assert_eq!(spec(&chart), spec(&manifests), "{folder}: {kind}");
        }
        let container = &of(&chart, "Deployment")["spec"]["template"]["spec"]["containers"][0];
        let (address, secrets) = match folder {
            "inside" => ("http://nomad-server.circleci-server:4646", 0),
            _ => ("https://nomad.example:4646", 1),
        };
        assert_eq!(container["env"][0]["value"], address);
        // CircleCI's Nomad has no ACLs, and no pod waits for a Secret that nobody was told to make.
        let volumes = of(&chart, "Deployment")["spec"]["template"]["spec"]["volumes"].as_array();
        assert_eq!(volumes.map_or(0, Vec::len), secrets, "{folder}");
        for (objects, from) in [(&chart, "chart"), (&manifests, "kustomize")] {
            let of_operator = objects.iter().filter(|object| {
                object["apiVersion"].as_str().is_some_and(|version| version.starts_with("monitoring.coreos"))
            });
            let labelled = of_operator
                .inspect(|object| {
                    assert_eq!(object["metadata"]["labels"]["release"], "kube-prometheus-stack", "{from}");
                })
                .count();
            assert_eq!(labelled, 3, "{from}");
            let alerts = objects.iter().find(|object| {
                object["kind"] == "PrometheusRule"
                    && object["metadata"]["name"].as_str().unwrap().ends_with("alerts")
            });
            assert_alerts(alerts.unwrap(), from);
            // What is only for kustomize is not applied.
            assert!(!objects.iter().any(|object| object["metadata"]["name"] == "nomad-thresholds"), "{from}");
        }
    }
}

/// The dashboards open on the namespace of builds, and are those of dashboards/ otherwise.
#[test]
#[ignore = "needs Helm and kustomize: make check-deploy"]
fn the_dashboards_open_on_the_namespace_of_builds() {
    let values = values(&["values.yaml"]);
    let Some(chart) = rendered(&values.to_string()) else { return };
    let parsed = |boards: Vec<(String, String)>| -> Vec<(String, Value)> {
        let parse = |(file, text): (String, String)| (file, serde_json::from_str(&text).unwrap());
        boards.into_iter().map(parse).collect()
    };
    let mut expected = parsed(on_disk());
    let mut preset = 0;
    for (_, board) in &mut expected {
        for variable in board["templating"]["list"].as_array_mut().unwrap() {
            if let Some(value) = values["dashboards"]["variables"].get(variable["name"].as_str().unwrap()) {
                variable["current"] = json!({"text": value, "value": value});
                preset += 1;
            }
        }
    }
    assert!(preset >= 2, "{preset}");
    let shown = parsed(dashboards(&objects(&chart.unwrap())));
    for ((file, shown), (_, expected)) in shown.iter().zip(&expected) {
        assert!(same(shown, expected), "{file}");
    }
    assert_eq!(shown.len(), expected.len());
}

/// Whether two values are the same, whether or not 1 is written as 1.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}
