//! Shape of JSON: the keys that an object always or sometimes has, and the types of values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Fields with arbitrary keys.
const MAPS: &[&str] = &[
    "AllocatedResources.Tasks",
    "Attributes",
    "ClassEligibility",
    "ClassExhausted",
    "ClassFiltered",
    "Config",
    "ConstraintFiltered",
    "DesiredTGUpdates",
    "Details",
    "DimensionExhausted",
    "Drivers",
    "FailedTGAllocs",
    "Meta",
    "NodesAvailable",
    "QueuedAllocations",
    "ResourcesExhausted",
    "Summary",
    "TaskLifecycles",
    "TaskResources",
    "TaskStates",
];

/// Shape of the values at one path.
#[derive(Debug, Default)]
pub(crate) struct Place {
    types: BTreeSet<&'static str>,
    objects: usize,
    /// Number of objects with each key.
    keys: BTreeMap<String, usize>,
}

/// Shape of a kind of response, by path such as `[].JobSummary.Summary.*.Queued`.
#[derive(Debug, Default)]
pub(crate) struct Shape(BTreeMap<String, Place>);

impl Shape {
    pub(crate) fn learn(&mut self, value: &Value) {
        self.walk("", value);
    }

    fn walk(&mut self, path: &str, value: &Value) {
        let place = self.0.entry(path.to_owned()).or_default();
        place.types.insert(type_name(value));
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(&format!("{path}[]"), item)),
            Value::Object(fields) if is_map(path, fields) => {
                fields.values().for_each(|field| self.walk(&format!("{path}.*"), field));
            }
            Value::Object(fields) => {
                place.objects += 1;
                for key in fields.keys() {
                    *place.keys.entry(key.clone()).or_default() += 1;
                }
                for (key, field) in fields {
                    self.walk(&format!("{path}.{key}"), field);
                }
            }
            _ => {}
        }
    }

    /// Returns the differences to `model`, one per line.
    pub(crate) fn differences(&self, model: &Shape) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, place) in &self.0 {
            let Some(expected) = model.0.get(path) else { continue };
            for key in place.keys.keys().filter(|key| !expected.keys.contains_key(*key)) {
                lines.push(format!("{path}.{key}: extra key"));
            }
            let always = expected.keys.iter().filter(|(_, count)| **count == expected.objects);
            for (key, _) in always.filter(|(key, _)| place.keys.get(*key).unwrap_or(&0) < &place.objects) {
                lines.push(format!("{path}.{key}: missing key"));
            }
            for name in place.types.difference(&expected.types) {
                lines.push(format!("{path}: {name} instead of {:?}", expected.types));
            }
        }
        lines
    }
}

/// The summary of a job is an object; the summaries of its groups are a map.
fn is_map(path: &str, fields: &serde_json::Map<String, Value>) -> bool {
    let named = MAPS.iter().any(|map| path == format!(".{map}") || path.ends_with(&format!(".{map}")));
    let of_groups = path.ends_with("TaskGroups") && fields.values().all(Value::is_object);
    let is_config = path.is_empty() || path.ends_with("SchedulerConfig") || path == ".config";
    (named || of_groups) && !is_config
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn missing_and_extra_keys_and_other_types_are_seen() {
    let shape = |text: &str| {
        let mut shape = Shape::default();
        shape.learn(&serde_json::from_str(text).expect("valid JSON"));
        shape
    };
    let recorded =
        shape(r#"[{"ID": "a", "Stop": false, "Meta": null}, {"ID": "b", "Stop": true, "Meta": {"x": "y"}}]"#);
    assert!(shape(r#"[{"ID": "c", "Stop": true, "Meta": {"z": "w"}}]"#).differences(&recorded).is_empty());
    let cases = [
        (r#"[{"ID": "c", "Meta": null}]"#, "[].Stop: missing key"),
        (r#"[{"ID": "c", "Stop": true, "Meta": null, "New": 1}]"#, "[].New: extra key"),
        (r#"[{"ID": "c", "Stop": 1, "Meta": null}]"#, "[].Stop: number instead of {\"bool\"}"),
    ];
    for (text, line) in cases {
        assert_eq!(shape(text).differences(&recorded), [line]);
    }
}
