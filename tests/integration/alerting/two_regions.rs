//! Two regions under one Prometheus and one Alertmanager with the shipped example of its configuration: one page for each
//! trouble, and none for the restart of an exporter.

use std::path::Path;
use std::time::{Duration, Instant};

use nomad_simulator::cluster::{Cluster, JobSpec, NodeId, NodeSpec};

use super::world::{CLOSELY, World, alertmanager, prometheus};
use crate::support::process::{Exporter, exporter, wait_until};
use crate::support::prometheus::{Prometheus, free_port};
use crate::support::webhook::Webhook;
use crate::support::{read, tools};

/// On a machine that does much else.
const SOON: Duration = Duration::from_secs(180);
/// For how long nothing more may come: longer than alerts wait here, and than Alertmanager gathers them.
const CALM: Duration = Duration::from_secs(8);

/// The shipped example with short waits, whose receivers are these.
fn routes(pager: &Webhook, team: &Webhook) -> String {
    let example = read("alerts/alertmanager.example.yml");
    let waits = regex::Regex::new(r"(group_wait|group_interval): \w+").unwrap();
    let config = waits.replace_all(&example, "$1: 1s");
    let config = config.replace("http://chat.example/nomad-digest", &team.url);
    let config = config.replace("http://chat.example/nomad", &team.url);
    config.replace("http://pager.example/alerts", &pager.url)
}

/// What was paged: the alert and its region, once for each notification.
fn pages(pager: &Webhook) -> Vec<(String, String)> {
    let firing = pager.notifications().into_iter().filter(|notification| notification["status"] == "firing");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    firing
        .map(|notification| {
            let labels = &notification["groupLabels"];
            (text(&labels["alertname"]), text(&labels["region"]))
        })
        .collect()
}

/// A region with five clients, a service, and builds that run.
fn small(cluster: &mut Cluster) {
    cluster.create_namespace("ci");
    for number in 1..=5 {
        cluster.register_node(NodeSpec::new(&format!("client-{number}")));
    }
    cluster.submit(JobSpec::service("web").with_count(2).with_resources(100, 64));
    for number in 0..4 {
        let build = JobSpec::batch(&format!("build-{number}")).in_namespace("ci").with_resources(500, 64);
        cluster.submit(build.running_for(Duration::from_secs(36_000)));
    }
}

fn node(cluster: &Cluster, number: usize) -> NodeId {
    cluster.node_named(&format!("client-{number}")).unwrap()
}

/// An exporter that can be started again at the same address.
struct Watcher {
    nomad: String,
    address: String,
    running: Option<Exporter>,
}

impl Watcher {
    fn start(nomad: &str) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut watcher = Self { nomad: nomad.to_owned(), address, running: None };
        watcher.restart();
        watcher
    }

    fn restart(&mut self) {
        self.running = None;
        let fixed = ["--nomad.address", &self.nomad, "--web.listen-address", &self.address];
        self.running = Some(Exporter::spawn(exporter(&[&fixed[..], &CLOSELY].concat())));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus and Alertmanager: make check-prometheus"]
async fn each_trouble_of_two_regions_is_one_page_and_a_restart_is_none() {
    let (prometheus_program, alertmanager_program) =
        (tools::find("prometheus"), tools::find("prometheus-alertmanager"));
    let (eu, us) = (World::new(small).await, World::new(small).await);
    tokio::task::spawn_blocking(move || play(&eu, &us, &prometheus_program, &alertmanager_program))
        .await
        .unwrap();
}

fn play(eu: &World, us: &World, prometheus_program: &Path, alertmanager_program: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let (pager, team) = (Webhook::start(), Webhook::start());
    // Two exporters watch eu, and one watches us.
    let mut eu_a = Watcher::start(&eu.simulator.url());
    let eu_b = Watcher::start(&eu.simulator.url());
    let mut us_a = Watcher::start(&us.simulator.url());
    let (_alertmanager, address) = alertmanager(alertmanager_program, folder.path(), &routes(&pager, &team));
    let targets = [
        (eu_a.address.as_str(), "cluster: builds, region: eu"),
        (eu_b.address.as_str(), "cluster: builds, region: eu"),
        (us_a.address.as_str(), "cluster: builds, region: us"),
    ];
    let prometheus = prometheus(prometheus_program, folder.path(), &address, &targets);
    wait_until(SOON, "both regions to be known", || {
        prometheus.query("region:nomad_nodes_active:sum == 5").is_some_and(|series| series.len() == 2)
    });

    // Exporters are restarted, one of two and the only one.
    eu_a.restart();
    us_a.restart();
    scraped(&prometheus, 3);
    calm(&pager, &[]);

    // A leader is lost, in eu.
    let mut expected = Vec::new();
    let mut one_page = |alert: &str, region: &str, begin: &dyn Fn(), end: &dyn Fn()| {
        expected.push((alert.to_owned(), region.to_owned()));
        begin();
        wait_until(SOON, &format!("the page {alert} of {region}"), || pages(&pager).len() >= expected.len());
        calm(&pager, &expected);
        end();
        wait_until(SOON, &format!("the end of {alert} of {region}"), || {
            pager.status(alert, ("region", region)).as_deref() == Some("resolved")
        });
        calm(&pager, &expected);
    };
    one_page("NomadNoLeader", "eu", &|| eu.change(Cluster::lose_leader), &|| {
        eu.change(Cluster::elect_leader)
    });

    // Three of five clients are lost at once, in us.
    one_page(
        "NomadManyNodesDown",
        "us",
        &|| us.change(|cluster| (1..=3).for_each(|number| cluster.node_down(node(cluster, number)))),
        &|| us.change(|cluster| (1..=3).for_each(|number| cluster.node_up(node(cluster, number)))),
    );

    // More builds than fit wait, and have for 40 minutes, in eu.
    let build = |number: usize| format!("large-{number}");
    one_page(
        "NomadPendingBacklogCritical",
        "eu",
        &|| {
            eu.change(|cluster| {
                for number in 0..150 {
                    let job = JobSpec::batch(&build(number)).in_namespace("ci").with_resources(9_900, 64);
                    cluster.submit(job.running_for(Duration::from_secs(36_000)));
                }
            });
        },
        &|| eu.change(|cluster| (0..150).for_each(|number| cluster.stop_job("ci", &build(number), true))),
    );

    // One of two exporters is gone, which wakes nobody, and then the only one of the other region.
    drop(eu_b);
    wait_until(SOON, "a warning of one exporter", || {
        team.status("NomadExporterDown", ("region", "eu")).as_deref() == Some("firing")
    });
    calm(&pager, &expected);
    drop(us_a);
    expected.push(("NomadExporterDown".to_owned(), "us".to_owned()));
    wait_until(SOON, "the page NomadExporterDown of us", || pages(&pager).len() >= expected.len());
    calm(&pager, &expected);
}

/// Waits until so many exporters are scraped.
fn scraped(prometheus: &Prometheus, exporters: usize) {
    wait_until(SOON, "exporters to be scraped", || {
        prometheus.value("sum(up)") == Some(exporters as f64)
            && prometheus.value("min(nomad_up)") == Some(1.0)
    });
}

/// Fails unless these pages have come, and no other one comes for a while.
fn calm(pager: &Webhook, expected: &[(String, String)]) {
    let started = Instant::now();
    while started.elapsed() < CALM {
        assert_eq!(pages(pager), expected);
        std::thread::sleep(Duration::from_millis(100));
    }
}
