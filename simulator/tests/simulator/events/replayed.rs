//! For any history: a list, updated with the events after it, equals a list that is read later.

use std::collections::BTreeMap;
use std::time::Duration;

use nomad_simulator::cluster::{ClientStatus, Ledger};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::histories::{Event, Histories, event};
use crate::world::{Served, World, build};

use super::EVERYTHING;
use super::reader::{Reader, events, index};

/// Prefix of the jobs whose submission marks the end of a part of a history.
const MARK: &str = "the-end";

/// The live objects of a cluster by topic and ID, updated by events.
#[derive(Debug, Default)]
struct Replay {
    objects: BTreeMap<(String, String), Value>,
    /// Index of the last line.
    index: u64,
}

fn key(topic: &str, object: &Value) -> (String, String) {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let id =
        if topic == "Job" { format!("{} {}", text("Namespace"), text("ID")) } else { text("ID").to_owned() };
    (topic.to_owned(), id)
}

/// Returns whether a list of live objects contains this object.
fn is_live(topic: &str, object: &Value) -> bool {
    let is = |field: &str, values: &[&str]| values.iter().any(|value| object[field] == *value);
    match topic {
        "Job" => !is("Status", &["dead"]),
        "Allocation" => is("ClientStatus", &["pending", "running", "unknown"]),
        "Evaluation" => is("Status", &["blocked", "pending"]),
        "Deployment" => is("Status", &["running"]),
        _ => true,
    }
}

impl Replay {
    fn see(&mut self, topic: &str, object: &Value) {
        let key = key(topic, object);
        match is_live(topic, object) {
            true => drop(self.objects.insert(key, object.clone())),
            false => drop(self.objects.remove(&key)),
        }
    }

    fn apply(&mut self, line: &Value) {
        assert!(index(line) >= self.index, "{} after {}", index(line), self.index);
        self.index = index(line);
        for event in events(line) {
            assert_eq!(event["Index"], line["Index"]);
            let topic = event["Topic"].as_str().expect("a topic");
            let object = &event["Payload"][topic];
            let modified = object["ModifyIndex"].as_u64().expect("an index");
            assert!(modified <= self.index, "{topic} is newer than its event: {modified} > {}", self.index);
            let kind = event["Type"].as_str().expect("a type");
            // Versions before 1.11.3 do not report that a job was deleted. Such a job is older than its
            // event.
            let gone = event["Payload"]["Deleted"] == true
                || (topic == "Job" && kind.contains("Deregistered") && modified < self.index)
                || kind == "NodeDeregistration";
            match gone {
                true => drop(self.objects.remove(&key(topic, object))),
                false => self.see(topic, object),
            }
        }
    }

    fn of(&self, topic: &str) -> impl Iterator<Item = &Value> {
        let topic = topic.to_owned();
        self.objects.iter().filter(move |((of, _), _)| *of == topic).map(|(_, object)| object)
    }
}

/// Returns the live rows of each list, as full objects or as stubs.
async fn listed(served: &Served) -> BTreeMap<&'static str, Vec<Value>> {
    let mut lists = BTreeMap::new();
    for (topic, target) in [
        ("Job", "/v1/jobs?namespace=*"),
        ("Allocation", "/v1/allocations?namespace=*&resources=true"),
        ("Evaluation", "/v1/evaluations?namespace=*"),
        ("Deployment", "/v1/deployments?namespace=*"),
    ] {
        let rows = served.rows(target).await.into_iter().filter(|row| is_live(topic, row));
        lists.insert(topic, rows.collect());
    }
    let mut nodes = Vec::new();
    for row in served.rows("/v1/nodes").await {
        nodes.push(served.object(&format!("/v1/node/{}", row["ID"].as_str().expect("an ID"))).await);
    }
    lists.insert("Node", nodes);
    lists
}

/// Fields of a stub that the object does not have, or has in another form.
const OF_STUBS: &[&str] = &["JobSummary", "Periodic", "ParameterizedJob", "JobType", "JobVersion"];

fn is_empty(value: &Value) -> bool {
    let all_empty = value.as_object().is_some_and(|fields| fields.values().all(is_empty));
    all_empty || [json!(null), json!(false), json!(0), json!(""), json!([])].contains(value)
}

/// Returns the fields of a row that differ in the object. The object may omit empty fields.
fn differences(row: &Value, object: &Value) -> Vec<String> {
    let fields =
        row.as_object().expect("a row").iter().filter(|(field, _)| !OF_STUBS.contains(&field.as_str()));
    let differing = fields.filter(|(field, value)| {
        let shown = &object[field.as_str()];
        shown != *value && !(is_empty(shown) && is_empty(value))
    });
    differing.map(|(field, value)| format!("{field}: {value}, not {}", object[field.as_str()])).collect()
}

/// Applies the lines up to the mark, including the line that contains it.
async fn catch_up(reader: &mut Reader, replay: &mut Replay, mark: &str) {
    loop {
        let line = reader.line().await.expect("a line");
        replay.apply(&line);
        if events(&line).iter().any(|event| event["Topic"] == "Evaluation" && event["FilterKeys"][0] == mark)
        {
            return;
        }
    }
}

fn compare(replay: &Replay, lists: &BTreeMap<&'static str, Vec<Value>>, ledger: &Ledger) {
    for (topic, rows) in lists {
        for row in rows {
            let object = replay.objects.get(&key(topic, row));
            let object = object.unwrap_or_else(|| panic!("no event reported {topic} {row}"));
            assert_eq!(differences(row, object), Vec::<String>::new(), "{topic} {}", row["ID"]);
        }
        // Garbage collection of nodes causes no events, so the replay may still contain them.
        let forgotten = if *topic == "Node" { ledger.loads.len() } else { 0 };
        assert!(replay.of(topic).count() == rows.len() || forgotten == rows.len(), "{topic}");
    }
    let live = [ClientStatus::Pending, ClientStatus::Running, ClientStatus::Unknown];
    let counted = |status: &ClientStatus| {
        replay.of("Allocation").filter(|it| it["ClientStatus"] == status.as_str()).count()
    };
    let true_count = |status: &ClientStatus| {
        ledger.allocations.iter().filter(|((.., of), _)| of == status).map(|(_, count)| count).sum::<usize>()
    };
    assert_eq!(live.iter().map(counted).collect::<Vec<_>>(), live.iter().map(true_count).collect::<Vec<_>>());
    let blocked = replay.of("Evaluation").filter(|it| it["Status"] == "blocked").count();
    assert_eq!(blocked, ledger.blocked_evaluations.values().sum::<usize>());
}

async fn replayed(mut histories: Histories, history: &[Event]) {
    let served = World { cluster: histories.cluster, nodes: histories.nodes.clone() }.serve().await;
    let mut reader = served.subscribe(EVERYTHING).await;
    let mut replay = Replay::default();
    for (topic, rows) in listed(&served).await {
        rows.iter().for_each(|row| replay.see(topic, row));
    }
    for (number, chunk) in history.chunks(10).enumerate() {
        let mark = format!("{MARK}-{number}");
        {
            let mut cluster = served.cluster();
            histories.cluster =
                std::mem::replace(&mut *cluster, nomad_simulator::Cluster::new(Default::default()));
            chunk.iter().for_each(|event| histories.apply(event));
            histories.cluster.submit(build(&mark).in_namespace("default").with_resources(1, 1));
            *cluster =
                std::mem::replace(&mut histories.cluster, nomad_simulator::Cluster::new(Default::default()));
        }
        catch_up(&mut reader, &mut replay, &mark).await;
        let (lists, ledger) = (listed(&served).await, served.cluster().ledger());
        compare(&replay, &lists, &ledger);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_list_updated_with_events_equals_the_next_list(
        seed in 0_u64..1000,
        version in prop::sample::select(vec!["2.0.5", "1.11.1", "1.10.5", "1.4.14"]),
        before in prop::collection::vec(event(), 0..20),
        history in prop::collection::vec(event(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut histories = Histories::new(seed, version);
            before.iter().for_each(|event| histories.apply(event));
            tokio::time::timeout(Duration::from_secs(60), replayed(histories, &history)).await.expect("an end");
        });
    }
}
