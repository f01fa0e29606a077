//! From a trouble in the cluster to the page that it causes: exporter, Prometheus with the shipped rules, Alertmanager
//! and a receiver. And everything that the dashboards ask for, asked.

use std::path::Path;
use std::time::Duration;

use nomad_simulator::Fault;
use nomad_simulator::cluster::{Cause, JobSpec, NodeSpec, Reschedule, Restarts};

use super::dashboards::every_dashboard_query_returns_data;
use super::world::{CLOSELY, World, alertmanager, prometheus};
use crate::support::process::{Exporter, wait_until};
use crate::support::tools;
use crate::support::webhook::Webhook;

/// On a machine that does much else.
const SOON: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus and Alertmanager: make check-prometheus"]
async fn troubles_reach_the_receiver_and_are_resolved() {
    troubles_reach_the_receiver(&tools::find("prometheus")).await;
}

/// The same with this Prometheus.
pub(crate) async fn troubles_reach_the_receiver(program: &Path) {
    let (prometheus_program, alertmanager_program) =
        (program.to_owned(), tools::find("prometheus-alertmanager"));
    // An hour ago a client took all it can, and builds have waited since.
    let mut nodes = Vec::new();
    let world = World::new(|cluster| {
        cluster.create_namespace("ci");
        nodes =
            (1..=3).map(|number| cluster.register_node(NodeSpec::new(&format!("client-{number}")))).collect();
        let build = |id: &str| JobSpec::batch(id).in_namespace("ci").with_resources(9_000, 1024);
        for number in 0..60 {
            cluster.submit(build(&format!("build-{number}")).running_for(Duration::from_secs(7200)));
        }
        cluster.submit(JobSpec::service("web").with_count(2).with_resources(100, 64));
    })
    .await;
    let nomad = world.simulator.url();
    tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let webhook = Webhook::start();
        let exporter = Exporter::start(&nomad, &CLOSELY);
        let config = format!(
            "route:\n  receiver: test\n  group_by: [alertname, node, namespace, node_pool, collector]\n  group_wait: 0s\n  \
             group_interval: 1s\n  repeat_interval: 1h\nreceivers:\n  - name: test\n    webhook_configs:\n      \
             - url: {}\n        send_resolved: true\n",
            webhook.url
        );
        let (_alertmanager, address) = alertmanager(&alertmanager_program, folder.path(), &config);
        let targets = [(exporter.url.as_str(), "cluster: test, region: global")];
        let prometheus = prometheus(&prometheus_program, folder.path(), &address, &targets);
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
