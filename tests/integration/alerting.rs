//! From a trouble in the cluster to the page that it causes: exporter, Prometheus with the shipped rules, Alertmanager
//! and a receiver. And everything that the alerts, dashboards and documents ask for, asked.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use nomad_simulator::cluster::{Cause, Cluster, JobSpec, NodeId, NodeSpec, Reschedule, Restarts, Settings};
use nomad_simulator::{Fault, SharedCluster, Simulator};
use regex::Regex;

use crate::support::process::{Exporter, Running, run, wait_until};
use crate::support::prometheus::{Prometheus, free_port};
use crate::support::webhook::Webhook;
use crate::support::{path, read, tools};

const SOON: Duration = Duration::from_secs(60);
const RULES: [&str; 2] = ["alerts/nomad.rules.yml", "alerts/nomad.alerts.yml"];

#[test]
fn promtool_accepts_the_rules_and_their_unit_tests() {
    let Some(promtool) = tools::find("promtool", "checking and testing the alert rules") else { return };
    let mut check = Command::new(&promtool);
    check.args(["check", "rules"]).args(RULES.map(path));
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");

    let tests = std::fs::read_dir(path("alerts/tests")).unwrap().map(|entry| entry.unwrap().path());
    let mut test = Command::new(&promtool);
    test.args(["test", "rules"])
        .args(tests.filter(|file| file.extension().is_some_and(|kind| kind == "yml")));
    let (code, stdout, stderr) = run(test);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

/// Each alert has its runbook and its unit test, each runbook its alert.
#[test]
fn alerts_and_runbooks_belong_together() {
    let alerts = read(RULES[1]);
    let names: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() >= 32, "{names:?}");
    for name in &names {
        let runbook = format!("alerts/runbooks/{name}.md");
        assert!(path(&runbook).is_file(), "{runbook} is missing");
        assert!(alerts.contains(&format!("/{runbook}")), "no runbook_url leads to {runbook}");
    }
    for entry in std::fs::read_dir(path("alerts/runbooks")).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let is_runbook = name.starts_with("Nomad");
        assert!(!is_runbook || names.contains(&name), "{} has no alert", file.display());
    }
    let tests: String = std::fs::read_dir(path("alerts/tests"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for name in &names {
        let tested = tests.matches(&format!("alertname: {name}\n")).count();
        assert!(tested >= 2, "{name} is not tested both ways");
    }
}

#[test]
fn amtool_accepts_the_example_configuration() {
    let Some(amtool) = tools::find("amtool", "checking the example Alertmanager configuration") else {
        return;
    };
    let mut check = Command::new(amtool);
    check.arg("check-config").arg(path("alerts/alertmanager.example.yml"));
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

/// Every query of the documents is one.
#[test]
fn promtool_parses_the_queries_of_the_documents() {
    let Some(promtool) = tools::find("promtool", "parsing the queries of the documents") else { return };
    let mut queries = Vec::new();
    for document in ["README.md", "docs/migrating.md"] {
        let text = read(document);
        let cells =
            text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1).map(str::to_owned));
        let code = cells.filter_map(|cell| {
            Some(cell.strip_prefix('`')?.trim_end_matches(" |").strip_suffix('`')?.to_owned())
        });
        queries.extend(code.filter(|query| query.contains("nomad_")));
    }
    assert!(queries.len() > 100, "{}", queries.len());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queries.yml");
    let rules: Vec<_> = queries
        .iter()
        .enumerate()
        .map(|(number, query)| serde_json::json!({"record": format!("query:{number}"), "expr": query}))
        .collect();
    // JSON is YAML.
    let groups = serde_json::json!({"groups": [{"name": "queries", "rules": rules}]});
    std::fs::write(&file, groups.to_string()).unwrap();
    let mut check = Command::new(promtool);
    check.args(["check", "rules", "--lint=none"]).arg(&file);
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

/// How far the cluster's clock is behind: more than a drain may be overdue.
const LAG: Duration = Duration::from_secs(1200);

/// The shipped rules with short waits: nothing else about them is changed.
fn quick(rules: &str) -> String {
    let waits = Regex::new(r"(?m)^(\s+(?:for|keep_firing_for):) .*$").unwrap();
    let ranges = Regex::new(r"\[\d+[smhd](:[^\]]*)?\]").unwrap();
    let intervals = Regex::new(r"(?m)^(\s+interval:) .*$").unwrap();
    let rules = waits.replace_all(rules, "$1 1s");
    let rules = ranges.replace_all(&rules, "[10s]");
    intervals.replace_all(&rules, "$1 1s").into_owned()
}

/// A cluster whose clock follows the real one, unless it is held, and all that watches it.
struct World {
    cluster: SharedCluster,
    held: Arc<Mutex<bool>>,
    simulator: Simulator,
}

impl World {
    /// An hour ago a client took all it can, and builds have waited since. The cluster's clock lags behind, so that a
    /// deadline which is a moment away there has long passed here.
    async fn new() -> (Self, Vec<NodeId>) {
        let hour = Duration::from_secs(3600);
        let start = SystemTime::now() - hour - LAG;
        let mut cluster = Cluster::new(Settings { start, servers: 3, ..Settings::default() });
        cluster.create_namespace("ci");
        let nodes =
            (1..=3).map(|number| cluster.register_node(NodeSpec::new(&format!("client-{number}")))).collect();
        let build = |id: &str| JobSpec::batch(id).in_namespace("ci").with_resources(9_000, 1024);
        for number in 0..60 {
            cluster.submit(build(&format!("build-{number}")).running_for(Duration::from_secs(7200)));
        }
        cluster.submit(JobSpec::service("web").with_count(2).with_resources(100, 64));
        cluster.advance(hour);
        let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        let held = Arc::new(Mutex::new(false));
        let (clock, stopped) = (cluster.clone(), held.clone());
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            loop {
                ticks.tick().await;
                if !*stopped.lock().unwrap() {
                    clock.lock().unwrap().advance(Duration::from_millis(100));
                }
            }
        });
        (Self { cluster, held, simulator }, nodes)
    }

    fn change(&self, change: impl FnOnce(&mut Cluster)) {
        change(&mut self.cluster.lock().unwrap());
    }
}

fn alertmanager(program: &Path, folder: &Path, webhook: &Webhook) -> (Running, String) {
    let config = folder.join("alertmanager.yml");
    let text = format!(
        "route:\n  receiver: test\n  group_by: [alertname, node, namespace, node_pool, collector]\n  group_wait: 0s\n  \
         group_interval: 1s\n  repeat_interval: 1h\nreceivers:\n  - name: test\n    webhook_configs:\n      - url: {}\n        \
         send_resolved: true\n",
        webhook.url
    );
    std::fs::write(&config, text).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let process = Command::new(program)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (Running(process), address)
}

fn prometheus(program: &Path, folder: &Path, exporter: &Exporter, alertmanager: &str) -> Prometheus {
    let names = RULES.map(|rules| {
        let file = folder.join(Path::new(rules).file_name().unwrap());
        std::fs::write(&file, quick(&read(rules))).unwrap();
        format!("'{}'", file.display())
    });
    let target = exporter.url.trim_start_matches("http://");
    let config = format!(
        "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [{}]\nalerting:\n  alertmanagers:\n    \
         - static_configs: [{{targets: ['{alertmanager}']}}]\nscrape_configs:\n  - job_name: nomad-exporter\n    \
         honor_labels: true\n    static_configs: [{{targets: ['{target}']}}]\n",
        names.join(", ")
    );
    Prometheus::start(program, folder, &config)
}

#[tokio::test(flavor = "multi_thread")]
async fn troubles_reach_the_receiver_and_are_resolved() {
    const WHAT: &str = "alerting with real programs";
    let (Some(prometheus_program), Some(alertmanager_program)) =
        (tools::find("prometheus", WHAT), tools::find("prometheus-alertmanager", WHAT))
    else {
        return;
    };
    let (world, nodes) = World::new().await;
    let nomad = world.simulator.url();
    tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let webhook = Webhook::start();
        let exporter = Exporter::start(
            &nomad,
            &[
                "--collect.interval",
                "500ms",
                "--collect.history-interval",
                "1s",
                "--collect.client-interval",
                "500ms",
            ],
        );
        let (_alertmanager, address) = alertmanager(&alertmanager_program, folder.path(), &webhook);
        let prometheus = prometheus(&prometheus_program, folder.path(), &exporter, &address);
        let expect = |name: &str, label: (&str, &str), status: &str| {
            wait_until(SOON, &format!("{name} {label:?} to be {status}"), || {
                webhook.status(name, label).as_deref() == Some(status)
            });
            webhook.last(name, label).unwrap()
        };

        // A backlog that does not clear, until more clients come.
        let page = expect("NomadPendingBacklog", ("namespace", "ci"), "firing");
        assert_eq!(page["labels"]["severity"], "warning");
        let summary = page["annotations"]["summary"].as_str().unwrap();
        assert!(summary.contains("ci"), "{summary}");
        assert!(page["annotations"]["runbook_url"].as_str().unwrap().ends_with("/NomadPendingBacklog.md"));
        every_dashboard_query_returns_data(&prometheus);
        world.change(|cluster| {
            for number in 0..60 {
                cluster.register_node(NodeSpec::new(&format!("more-{number}")));
            }
        });
        expect("NomadPendingBacklog", ("namespace", "ci"), "resolved");

        // A service that Nomad gives up, one whose task crashes again and again, and builds whose image is gone; until the
        // services are repaired and the builds are over.
        world.change(|cluster| {
            let brief = Duration::from_millis(200);
            let failing =
                |id: &str| JobSpec::service(id).with_resources(10, 10).failing(1.0).running_for(brief);
            cluster.submit(JobSpec { reschedule: Reschedule::NEVER, ..failing("gives-up") });
            let restarts = Restarts { attempts: None, delay: brief };
            cluster.submit(JobSpec { restarts, ..failing("crashes") });
            for number in 0..20 {
                let build = JobSpec::batch(&format!("no-image-{number}")).in_namespace("ci").failing(1.0);
                cluster.submit(JobSpec { cause: Cause::Driver, ..build.with_resources(10, 10) });
            }
        });
        let dead = expect("NomadServiceDead", ("job_id", "gives-up"), "firing");
        assert_eq!(dead["labels"]["severity"], "critical");
        expect("NomadTaskCrashLooping", ("job_id", "crashes"), "firing");
        expect("NomadAllocationsFailingToStart", ("namespace", "ci"), "firing");
        world.change(|cluster| {
            for id in ["gives-up", "crashes"] {
                cluster.submit(JobSpec::service(id).with_resources(10, 10));
            }
        });
        expect("NomadServiceDead", ("job_id", "gives-up"), "resolved");
        expect("NomadTaskCrashLooping", ("job_id", "crashes"), "resolved");
        expect("NomadAllocationsFailingToStart", ("namespace", "ci"), "resolved");

        // A client that is killed, and comes back.
        world.change(|cluster| cluster.node_down(nodes[1]));
        expect("NomadNodeDown", ("node", "client-2"), "firing");
        world.change(|cluster| cluster.node_up(nodes[1]));
        expect("NomadNodeDown", ("node", "client-2"), "resolved");

        // A drain that is not over at its deadline: the servers, which would end it, are held.
        world.change(|cluster| cluster.drain(nodes[0], Some(Duration::from_secs(3)), false));
        *world.held.lock().unwrap() = true;
        expect("NomadDrainOverdue", ("node", "client-1"), "firing");
        *world.held.lock().unwrap() = false;
        expect("NomadDrainOverdue", ("node", "client-1"), "resolved");

        // The exporter is cut off from Nomad, and back.
        let fault = Fault::Status { code: 500, body: "No cluster leader".into() };
        world.simulator.faults().set("", fault);
        expect("NomadExporterStale", ("collector", "jobs"), "firing");
        world.simulator.faults().clear();
        expect("NomadExporterStale", ("collector", "jobs"), "resolved");

        // And gone.
        drop(exporter);
        expect("NomadExporterDown", ("", ""), "firing");
    })
    .await
    .unwrap();
}

/// Asks every query of every dashboard. Those that may rightly have nothing to show are named, each with its reason.
fn every_dashboard_query_returns_data(prometheus: &Prometheus) {
    let mut queries = Vec::new();
    for entry in std::fs::read_dir(path("dashboards")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|kind| kind == "json") {
            let dashboard: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            collect_queries(&dashboard["panels"], &mut queries);
        }
    }
    assert!(queries.len() > 60, "{} queries", queries.len());
    let is_excused = |query: &String| MAY_BE_SILENT.iter().any(|(part, _)| query.contains(part));
    let mut silent: Vec<String> = queries.into_iter().filter(|query| !is_excused(query)).collect();
    let asked = Instant::now();
    // Rates need a few scrapes.
    while !silent.is_empty() && asked.elapsed() < SOON {
        silent.retain(|query| prometheus.query(query).is_none_or(|series| series.is_empty()));
    }
    assert!(silent.is_empty(), "these return nothing:\n{}", silent.join("\n"));
}

/// Families that are rightly absent in a cluster where all is well.
const MAY_BE_SILENT: [(&str, &str); 3] = [
    ("nomad_node_drain", "no node drains"),
    ("nomad_exporter_series_dropped", "no cap cut anything"),
    ("nomad_node_driver_healthy", "every driver is healthy"),
];

/// The expressions of panels, with Grafana's variables filled in.
fn collect_queries(panels: &serde_json::Value, queries: &mut Vec<String>) {
    let filled = Regex::new(r"\$\{?(job|instance|namespace|node_pool|pool|node)(:[a-z]+)?\}?").unwrap();
    for panel in panels.as_array().into_iter().flatten() {
        collect_queries(&panel["panels"], queries);
        for target in panel["targets"].as_array().into_iter().flatten() {
            let Some(expr) = target["expr"].as_str() else { continue };
            let expr = expr
                .replace("$__rate_interval", "10s")
                .replace("$__range", "1m")
                .replace("$__interval", "5s");
            queries.push(filled.replace_all(&expr, ".*").into_owned());
        }
    }
}
