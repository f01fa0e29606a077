//! A token file that changes while it is in use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nomad_exporter::files::{FileSet, LastLoad};
use nomad_simulator::Simulator;
use nomad_simulator::cluster::{Acl, Cluster, JobSpec, NodeSpec, Policy, Scope, Settings};

use crate::support::collect::Collector;
use crate::support::exposition::Exposition;
use crate::support::process::{Exporter, SOON, wait_until};
use crate::support::scrape::metrics;

const OLD: &str = "the-old-token";
const NEW: &str = "the-new-token-of-another-length";

struct World {
    simulator: Simulator,
    folder: tempfile::TempDir,
}

impl World {
    /// Creates a cluster with an allocation in each of two namespaces, and a file with the old token.
    async fn new(old: Policy, new: Policy) -> Self {
        let acl = Acl::On(BTreeMap::from([(OLD.to_owned(), old), (NEW.to_owned(), new)]));
        let mut cluster = Cluster::new(Settings { acl, ..Settings::default() });
        cluster.register_node(NodeSpec::new("client"));
        for namespace in ["ci", "web"] {
            cluster.create_namespace(namespace);
            cluster.submit(JobSpec::service("job").in_namespace(namespace));
        }
        cluster.advance(Duration::from_secs(60));
        let simulator = Simulator::start(cluster.into()).await.unwrap();
        let world = Self { simulator, folder: tempfile::tempdir().unwrap() };
        std::fs::write(world.token(), OLD).unwrap();
        world
    }

    fn token(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn collector(&self, arguments: &[&str]) -> Collector {
        let token = self.token();
        let token_file = ["--nomad.token-file", text(&token)];
        Collector::new(&self.simulator.url(), &[&token_file, arguments].concat())
    }

    /// Returns the tokens of all requests since the last call.
    fn tokens(&self) -> BTreeSet<Option<String>> {
        let tokens = self.simulator.requests().into_iter().map(|request| request.token).collect();
        self.simulator.clear_requests();
        tokens
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn only(token: &str) -> BTreeSet<Option<String>> {
    BTreeSet::from([Some(token.to_owned())])
}

/// Returns the result of the last load of the token.
fn last_load(collector: &Collector) -> LastLoad {
    collector.context.client.last_loads().find(|load| load.set == FileSet::Token).unwrap()
}

/// Returns the number of failed requests.
fn failures(shown: &Exposition) -> f64 {
    let requests = shown.find("nomad_exporter_api_requests_total", &[]);
    requests.filter(|sample| sample.labels["reason"] != "ok").map(|sample| sample.value).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporarily_missing_token_file_fails_no_request() {
    let world = World::new(Policy::exporter(), Policy::exporter()).await;
    let collector = world.collector(&[]);
    collector.refresh().await;
    assert!(last_load(&collector).successful);
    for break_it in [|path| std::fs::remove_file(path), |path| std::fs::write(path, "")] {
        break_it(world.token()).unwrap();
        collector.refresh().await;
        assert_eq!(world.tokens(), only(OLD), "the previous token stays in use");
        assert!(!last_load(&collector).successful);
    }
    std::fs::write(world.token(), NEW).unwrap();
    collector.refresh().await;
    assert_eq!(world.tokens(), only(NEW));
    assert!(last_load(&collector).successful);
    let shown = collector.exposition();
    assert_eq!((failures(&shown), shown.value("nomad_up", &[])), (0.0, Some(1.0)));
}

/// Nomad's index does not show that another token may see more.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_decoded_again_after_a_change_of_the_token() {
    let one = Scope::Namespaces(BTreeSet::from(["ci".to_owned()]));
    let narrow = Policy { list_jobs: one.clone(), read_job: one, ..Policy::exporter() };
    let world = World::new(narrow, Policy::exporter()).await;
    // A growing list of jobs would be another reason.
    let collector = world.collector(&["--no-collector.jobs"]);
    let refreshed = async || {
        collector.refresh().await;
        let snapshot = collector.snapshot();
        (snapshot.sections.nodes.unwrap(), collector.exposition().sum("nomad_allocations", &[]))
    };
    let (nodes, allocations) = refreshed().await;
    assert_eq!(allocations, Some(1.0));
    let (same_nodes, _) = refreshed().await;
    assert!(std::sync::Arc::ptr_eq(&nodes, &same_nodes), "nothing changed");
    std::fs::write(world.token(), NEW).unwrap();
    assert_eq!(refreshed().await.1, Some(2.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_token_file_is_exposed_and_logged_once() {
    let world = World::new(Policy::exporter(), Policy::exporter()).await;
    let watch = move || {
        let file = world.token();
        let arguments = ["--nomad.token-file", text(&file), "--collect.interval", "300ms"];
        let exporter = Exporter::start(&world.simulator.url(), &arguments);
        let is_loaded = || {
            let files = [("file", "token")];
            metrics(&exporter.url).value("nomad_exporter_file_last_reload_successful", &files)
        };
        wait_until(SOON, "the metric", || is_loaded() == Some(1.0));
        std::fs::remove_file(&file).unwrap();
        wait_until(SOON, "the failure", || is_loaded() == Some(0.0));
        world.simulator.clear_requests();
        wait_until(SOON, "some refreshes", || world.simulator.requests().len() > 50);
        let lines = |message: &str| exporter.log().matches(message).count();
        assert_eq!(lines("cannot reload files that have changed"), 1, "{}", exporter.log());
        std::fs::write(&file, OLD).unwrap();
        wait_until(SOON, "the recovery", || is_loaded() == Some(1.0));
        assert_eq!(lines("reloaded files that have changed"), 1, "{}", exporter.log());
        assert!(!exporter.log().contains(OLD));
        let shown = metrics(&exporter.url);
        assert_eq!(failures(&shown), 0.0);
        let sets: Vec<_> = shown.find("nomad_exporter_file_last_reload_successful", &[]).collect();
        assert_eq!(sets.len(), 1, "no metrics about files without TLS and web configuration");
    };
    tokio::task::spawn_blocking(watch).await.unwrap();
}
