//! Lines have the same keys and types as those of real agents. The recordings in `recorded/` are of a batch
//! job that succeeds and of a service with a deployment, without the events of their node.

use std::collections::BTreeMap;

use nomad_simulator::cluster::JobSpec;
use serde_json::{Value, json};

use crate::shape::Shape;
use crate::world::{build, seconds};

use super::idle;
use super::reader::events;

const RECORDED: [(&str, &str); 2] =
    [("2.0.5", include_str!("recorded/2.0.5.ndjson")), ("1.4.14", include_str!("recorded/1.4.14.ndjson"))];

/// Accepted differences: end of the reported line, and the reason.
const EXCEPTIONS: &[(&str, &str)] =
    &[(".StartedAt: null instead of {\"string\"}", "of a task that has not started")];

/// Returns the shapes of the events by topic.
fn shapes(lines: &[Value]) -> BTreeMap<String, Shape> {
    let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
    for event in lines.iter().flat_map(events) {
        shapes.entry(event["Topic"].as_str().expect("a topic").to_owned()).or_default().learn(event);
    }
    shapes
}

#[tokio::test(start_paused = true)]
async fn events_have_the_same_shape_as_recorded_ones() {
    for (version, recorded) in RECORDED {
        let recorded: Vec<Value> =
            recorded.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(recorded.iter().all(|line| line.as_object().is_some_and(|line| line.len() == 2)));
        let served = idle(version).await;
        let mut reader = served.subscribe("namespace=*").await;
        reader.lines_so_far().await;
        served.cluster().submit(build("b1").running_for(seconds(5)));
        served.cluster().submit(JobSpec::service("svc").with_count(2).with_resources(20, 16));
        served.cluster().advance(seconds(60));
        let played = reader.lines_so_far().await;
        assert!(played.iter().all(|line| line.as_object().is_some_and(|line| line.len() == 2)));
        let (recorded, played) = (shapes(&recorded), shapes(&played));
        let mut wrong = Vec::new();
        for (topic, shape) in &recorded {
            let lines = played[topic].differences(shape).into_iter().map(|line| format!("{topic} {line}"));
            wrong.extend(lines.filter(|line| !EXCEPTIONS.iter().any(|(end, _)| line.ends_with(end))));
        }
        assert_eq!(json!(wrong), json!([]), "{version}");
    }
}
