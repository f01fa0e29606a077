//! Metadata and attributes as labels, for those who ask for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_simulator::cluster::{Cluster, JobKey, JobSpec, NodeId, NodeSpec, Settings};
use nomad_simulator::{Fault, SharedCluster, Simulator};
use serde_json::{Map, Value, json};

use crate::support::collect::{Collector, collect};
use crate::support::exposition::Exposition;
use crate::support::recordings;

const FAMILIES: [&str; 4] = [
    "nomad_job_meta_info",
    "nomad_node_meta_info",
    "nomad_node_attribute_info",
    "nomad_node_max_allocations",
];

fn node(name: &str, rack: &str) -> NodeSpec {
    NodeSpec { meta: BTreeMap::from([("rack".to_owned(), rack.to_owned())]), ..NodeSpec::new(name) }
}

/// Two nodes and some jobs, all with metadata.
fn cluster(version: &str) -> Cluster {
    let mut cluster = Cluster::new(Settings { version: version.parse().unwrap(), ..Settings::default() });
    cluster.create_namespace("ci");
    cluster.register_node(NodeSpec { max_allocations: 40, ..node("client-1", "a-1") });
    cluster.register_node(node("client-2", "a-2"));
    cluster.submit(JobSpec::service("web").with_meta("team", "payments").with_meta("on-call", "+1 \"555\""));
    cluster.submit(JobSpec::service("plain"));
    let parent = JobSpec::batch("deploy").in_namespace("ci").dispatched().with_meta("team", "platform");
    cluster.submit(parent);
    cluster.dispatch(&JobKey::new("ci", "deploy"));
    cluster.submit(JobSpec::batch("build-1").in_namespace("ci").with_meta("team", "builds"));
    cluster.advance(Duration::from_secs(30));
    cluster
}

async fn simulated(cluster: Cluster) -> (SharedCluster, Simulator) {
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    (cluster, simulator)
}

/// The labels of the samples of a metric, by the label that names them.
fn labels(shown: &Exposition, name: &str, key: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let of = |sample: &crate::support::exposition::Sample| {
        let chosen =
            sample.labels.iter().filter(|(name, _)| name.starts_with("meta_") || name.starts_with("attr_"));
        let chosen = chosen.map(|(name, value)| (name.clone(), value.clone())).collect();
        assert_eq!(sample.value, 1.0);
        (sample.labels[key].clone(), chosen)
    };
    shown.find(name, &[]).map(of).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_asks_nothing_more_and_shows_nothing_more() {
    let (_, simulator) = simulated(cluster("2.0.5")).await;
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    collector.refresh().await;
    let shown = collector.exposition();
    for name in FAMILIES {
        assert_eq!(shown.find(name, &[]).count(), 0, "{name}");
    }
    assert_eq!(shown.find("nomad_exporter_collector_up", &[("collector", "node_details")]).count(), 0);
    assert_eq!(shown.find("nomad_exporter_api_requests_total", &[("endpoint", "node")]).count(), 0);
    assert!(
        shown.samples().iter().all(|sample| !sample.labels.values().any(|value| value == "node_details"))
    );
    let requests = simulator.requests();
    assert!(requests.iter().any(|request| request.path == "/v1/jobs"));
    assert!(
        requests
            .iter()
            .all(|request| !request.query.contains("meta") && !request.path.starts_with("/v1/node/"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn job_metadata_becomes_labels_of_long_lived_jobs() {
    let (cluster, simulator) = simulated(cluster("1.4.14")).await;
    let types = ["--collect.job-types", "service,system,batch"];
    let keys = ["--metrics.job-meta", "team,on-call"];
    let of = async |more: &[&str]| {
        let shown = collect(&simulator.url(), &[&keys, more].concat()).await;
        labels(&shown, "nomad_job_meta_info", "job_id")
    };
    let web = ("web".to_owned(), pairs(&[("meta_on_call", "+1 \"555\""), ("meta_team", "payments")]));
    assert_eq!(of(&[]).await, BTreeMap::from([web.clone()]));
    // Children have no series, whatever they were dispatched with.
    let deploy = ("deploy".to_owned(), pairs(&[("meta_team", "platform")]));
    let build = ("build-1".to_owned(), pairs(&[("meta_team", "builds")]));
    assert_eq!(of(&types).await, BTreeMap::from([web.clone(), deploy, build]));
    assert!(simulator.requests().iter().all(|request| !request.path.starts_with("/v1/node/")));
    // A stopped service is dead, and still its team's.
    cluster.lock().unwrap().stop_job("default", "web", false);
    cluster.lock().unwrap().advance(Duration::from_secs(30));
    assert_eq!(of(&[]).await, BTreeMap::from([web]));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_show_no_metadata_before_nomad_1_4_3() {
    for (version, expected) in [("1.1.18", 0), ("1.4.2", 0), ("1.4.3", 1)] {
        let (_, simulator) = simulated(cluster(version)).await;
        let shown = collect(&simulator.url(), &["--metrics.job-meta", "team"]).await;
        assert_eq!(shown.find("nomad_job_meta_info", &[]).count(), expected, "{version}");
        assert_eq!(shown.value("nomad_up", &[]), Some(1.0), "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_jobs_have_the_metadata_of_their_recording() {
    let name = "2.0.5-outcomes";
    let simulator = recordings::replay(name).await;
    let shown = collect(&simulator.url(), &["--metrics.job-meta", "tier,team"]).await;
    let rows = recordings::rows(name, "jobs-namespace-meta-true.json");
    let mut expected = BTreeMap::new();
    for row in rows.iter().filter(|row| matches!(row["Type"].as_str(), Some("service" | "system"))) {
        let value = |key: &str| row["Meta"][key].as_str().map(str::to_owned);
        let found = [("meta_team", value("team")), ("meta_tier", value("tier"))];
        let found: Vec<_> =
            found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        if !found.is_empty() {
            expected.insert(row["ID"].as_str().unwrap().to_owned(), found);
        }
    }
    assert!(expected.contains_key("web") && expected.len() > 1, "{expected:?}");
    assert_eq!(labels(&shown, "nomad_job_meta_info", "job_id"), expected);
}

#[tokio::test]
async fn nodes_are_read_when_they_are_new_and_every_ten_minutes() {
    let (cluster, simulator) = simulated(cluster("2.0.5")).await;
    let arguments = ["--metrics.node-meta", "rack", "--metrics.node-attributes", "os.name,unique.hostname"];
    let collector = Collector::new(&simulator.url(), &arguments);
    let requests = || {
        let requests = simulator.requests();
        requests.iter().filter(|request| request.path.starts_with("/v1/node/")).count()
    };
    collector.refresh().await;
    let shown = collector.exposition();
    let racks = BTreeMap::from([
        ("client-1".to_owned(), pairs(&[("meta_rack", "a-1")])),
        ("client-2".to_owned(), pairs(&[("meta_rack", "a-2")])),
    ]);
    assert_eq!(labels(&shown, "nomad_node_meta_info", "node"), racks);
    let attributes = labels(&shown, "nomad_node_attribute_info", "node");
    let expected = pairs(&[("attr_os_name", "debian"), ("attr_unique_hostname", "client-1")]);
    assert_eq!(attributes["client-1"], expected);
    let limits: Vec<f64> = shown.find("nomad_node_max_allocations", &[]).map(|sample| sample.value).collect();
    assert_eq!(limits, [40.0], "the other node takes any number");
    assert_eq!(requests(), 2);
    collector.refresh().await;
    assert_eq!(requests(), 2, "what is known is not asked for again");

    let new: NodeId = cluster.lock().unwrap().register_node(node("client-3", "a-3"));
    collector.refresh().await;
    assert_eq!((requests(), labels(&collector.exposition(), "nomad_node_meta_info", "node").len()), (3, 3));
    cluster.lock().unwrap().remove_node(new);
    collector.refresh().await;
    assert_eq!(labels(&collector.exposition(), "nomad_node_meta_info", "node"), racks);

    pass(Duration::from_secs(600)).await;
    collector.refresh().await;
    assert_eq!(requests(), 5, "each once more");
    pass(Duration::from_secs(599)).await;
    collector.refresh().await;
    assert_eq!(requests(), 5);
    pass(Duration::from_secs(1)).await;
    collector.refresh().await;
    assert_eq!(requests(), 7);
}

/// Lets time pass at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
    // Connections were idle for so long that they end; let that be noticed.
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// What was read stays although a later request fails, and only what failed is read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_be_read_costs_no_other() {
    let (cluster, simulator) = simulated(cluster("2.0.5")).await;
    let collector = Collector::new(&simulator.url(), &["--metrics.node-meta", "rack"]);
    collector.refresh().await;
    let new = cluster.lock().unwrap().register_node(node("client-3", "a-3"));
    let path = format!("/v1/node/{new}");
    simulator.faults().set(&path, Fault::Status { code: 403, body: "Permission denied".into() });
    collector.refresh().await;
    let up = || collector.exposition().value("nomad_exporter_collector_up", &[("collector", "node_details")]);
    assert_eq!(up(), Some(0.0));
    assert_eq!(labels(&collector.exposition(), "nomad_node_meta_info", "node").len(), 2);
    simulator.faults().set(&path, Fault::Status { code: 404, body: "node not found".into() });
    collector.refresh().await;
    assert_eq!(up(), Some(1.0), "a node that went away is no failure");
    simulator.faults().clear();
    simulator.clear_requests();
    collector.refresh().await;
    assert_eq!(labels(&collector.exposition(), "nomad_node_meta_info", "node").len(), 3);
    let asked = simulator.requests();
    let asked: Vec<&str> = asked
        .iter()
        .map(|request| request.path.as_str())
        .filter(|path| path.starts_with("/v1/node/"))
        .collect();
    assert_eq!(asked, [path]);
}

/// Ten thousand keys, some with 64 KiB: only the chosen ones are kept, within the limit of a label.
#[tokio::test(flavor = "multi_thread")]
async fn many_keys_and_long_values_are_cut() {
    let (_, simulator) = simulated(cluster("2.0.5")).await;
    let long = "x".repeat(64 << 10);
    let mut meta: Map<String, Value> =
        (0..10_000).map(|number| (format!("key-{number}"), json!("value"))).collect();
    for number in 0..50 {
        meta.insert(format!("key-{number}"), json!(format!("{number:02}{long}")));
    }
    let job = json!([{"ID": "web", "Namespace": "ci", "Type": "service", "Status": "running", "Meta": meta}]);
    simulator.faults().set("/v1/jobs", Fault::Body(job.to_string().into()));
    let detail = json!({"Meta": meta, "Attributes": meta});
    simulator.faults().set("/v1/node/", Fault::Body(detail.to_string().into()));
    let keys: Vec<String> = (0..50).map(|number| format!("key-{number}")).collect();
    let keys = keys.join(",");
    let arguments =
        ["--metrics.job-meta", &keys, "--metrics.node-meta", &keys, "--metrics.node-attributes", &keys];
    let collector = Collector::new(&simulator.url(), &arguments);
    collector.refresh().await;
    let shown = collector.exposition();
    let mut most_values = 0;
    for (name, series) in
        [("nomad_job_meta_info", 1), ("nomad_node_meta_info", 2), ("nomad_node_attribute_info", 2)]
    {
        let samples: Vec<_> = shown.find(name, &[]).collect();
        assert_eq!(samples.len(), series, "{name}");
        for sample in samples {
            let values = sample.labels.iter().filter(|(name, _)| name.contains("_key_"));
            let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
            assert!(values.iter().all(|value| value.len() <= 256 && value.contains('…')), "{name}");
            most_values = most_values.max(values.len());
        }
        let shortened = shown.value("nomad_exporter_samples_with_shortened_labels", &[("family", name)]);
        assert_eq!(shortened, Some(series as f64), "{name}");
    }
    assert_eq!(most_values, 50);
    // What is kept is as short: nothing of the rest stays in memory.
    let snapshot = collector.snapshot();
    let named = &snapshot.sections.jobs.as_ref().unwrap().named;
    let kept = named.get("ci", "web").unwrap().meta.as_ref().unwrap();
    assert_eq!(kept.values.len(), 50);
    assert!(kept.values.iter().all(|value| value.len() <= 256));
    let more = ["--metrics.job-meta", &format!("{keys},one-more")].map(str::to_owned);
    let line = ["nomad-exporter".to_owned()].into_iter().chain(more);
    let args = nomad_exporter::config::parse(line).unwrap();
    let error = nomad_exporter::config::Config::new(args, &|_| None).unwrap_err().to_string();
    assert!(error.starts_with("--metrics.job-meta: 51 keys were given; give at most 50"), "{error}");
}

/// A cap on series counts for them as for any other.
#[tokio::test(flavor = "multi_thread")]
async fn series_of_metadata_are_capped_and_counted() {
    let mut cluster = cluster("2.0.5");
    for number in 0..60 {
        cluster.submit(
            JobSpec::service(&format!("service-{number}")).with_meta("team", &format!("team-{number}")),
        );
    }
    let (_, simulator) = simulated(cluster).await;
    let arguments = ["--metrics.job-meta", "team", "--metrics.max-series-per-family", "50"];
    let shown = collect(&simulator.url(), &arguments).await;
    assert_eq!(shown.find("nomad_job_meta_info", &[]).count(), 50);
    let dropped = shown.value("nomad_exporter_series_dropped", &[("family", "nomad_job_meta_info")]);
    assert_eq!(dropped, Some(11.0), "one more has metadata");
}
