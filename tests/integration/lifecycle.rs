//! Complete lifecycles in the simulated cluster, as an operator would see them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_simulator::cluster::{Cluster, JobKey, JobSpec, NodeId, NodeSpec, Settings};
use nomad_simulator::{Fault, SharedCluster, Simulator};

use crate::support::collect::Collector;
use crate::support::exposition::Exposition;

/// A cluster and the exporter.
struct World {
    cluster: SharedCluster,
    simulator: Simulator,
    collector: Collector,
}

impl World {
    async fn new(clients: usize, arguments: &[&str]) -> (Self, Vec<NodeId>) {
        let mut cluster = Cluster::new(Settings { servers: 3, ..Settings::default() });
        cluster.create_namespace("ci");
        let nodes =
            (1..=clients).map(|number| cluster.register_node(NodeSpec::new(&format!("client-{number}"))));
        let nodes = nodes.collect();
        let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
        let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
        let collector = Collector::new(&simulator.url(), arguments);
        (Self { cluster, simulator, collector }, nodes)
    }

    /// Changes the cluster, lets this time pass, and returns the exposition.
    async fn after(&self, seconds: u64, change: impl FnOnce(&mut Cluster)) -> Exposition {
        {
            let mut cluster = self.cluster.lock().unwrap();
            change(&mut cluster);
            cluster.advance(Duration::from_secs(seconds));
        }
        self.collector.refresh().await;
        self.collector.exposition()
    }
}

fn build(id: &str, cpu: u64, seconds: u64) -> JobSpec {
    let build = JobSpec::batch(id).in_namespace("ci").with_resources(cpu, 512);
    build.running_for(Duration::from_secs(seconds))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_from_start_to_terminated() {
    let (world, nodes) = World::new(2, &[]).await;
    let on = [("node", "client-1")];
    let value = |shown: &Exposition, family: &str| shown.value(family, &on);
    let before = world
        .after(10, |cluster| {
            for number in 0..8 {
                cluster.submit(build(&format!("build-{number}"), 2000, 120));
            }
        })
        .await;
    assert_eq!(value(&before, "nomad_node_drained"), None);
    let builds = before.sum("nomad_node_allocations", &on);
    assert!(builds > Some(0.0));

    let draining =
        world.after(10, |cluster| cluster.drain(nodes[0], Some(Duration::from_secs(3600)), false)).await;
    assert_eq!(value(&draining, "nomad_node_drained"), Some(0.0));
    assert_eq!(value(&draining, "nomad_node_drain_remaining_allocations"), builds);
    let started = value(&draining, "nomad_node_drain_started_timestamp_seconds").unwrap();
    let deadline = value(&draining, "nomad_node_drain_deadline_timestamp_seconds").unwrap();
    assert!((deadline - started - 3600.0).abs() < 1.0);
    assert_eq!(draining.sum("nomad_nodes", &[("state", "draining")]), Some(1.0));

    // The builds end, and no new ones come.
    let drained = world.after(200, |_| {}).await;
    assert_eq!(value(&drained, "nomad_node_drained"), Some(1.0));
    assert_eq!(drained.sum("nomad_nodes", &[("state", "ineligible")]), Some(1.0));
    assert_eq!(value(&drained, "nomad_node_drain_remaining_allocations"), None);
    assert_eq!(value(&drained, "nomad_node_drain_started_timestamp_seconds"), None);

    // The machine is terminated: Nomad reports the client as down, and garbage-collects it in the end.
    let terminated = world.after(60, |cluster| cluster.node_down(nodes[0])).await;
    assert_eq!(terminated.sum("nomad_nodes", &[("state", "down")]), Some(1.0));
    let forgotten = world.after(1, |cluster| cluster.remove_node(nodes[0])).await;
    assert_eq!(forgotten.find("nomad_node_info", &on).count(), 0);
    assert_eq!(value(&forgotten, "nomad_node_drained"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_drain_is_not_complete_while_allocations_stop() {
    let (world, nodes) = World::new(1, &[]).await;
    world.after(10, |cluster| drop(cluster.submit(build("build", 2000, 600)))).await;
    let stopping = world.after(1, |cluster| cluster.drain(nodes[0], Some(Duration::ZERO), false)).await;
    // Nomad reports the drain as complete by now, and the node is no longer draining.
    assert_eq!(stopping.sum("nomad_nodes", &[("state", "draining")]), Some(0.0));
    assert_eq!(stopping.value("nomad_node_drained", &[]), Some(0.0));
    let stopped = world.after(30, |_| {}).await;
    assert_eq!(stopped.value("nomad_node_drained", &[]), Some(1.0));
}

/// Between two refreshes, the client is down and back. Nomad calls its system job lost, but the task still runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_drained_client_that_was_down_still_runs_what_was_lost() {
    let (world, nodes) = World::new(1, &[]).await;
    let node = nodes[0];
    world.after(10, |cluster| drop(cluster.submit(JobSpec::system("logs")))).await;
    let drained = world.after(10, |cluster| cluster.drain(node, None, true)).await;
    assert_eq!(drained.value("nomad_node_drained", &[]), Some(1.0));
    assert_eq!(drained.sum("nomad_node_allocations", &[]), Some(1.0), "the drain ignores it");
    let back = world
        .after(0, |cluster| {
            cluster.node_down(node);
            cluster.advance(Duration::from_secs(1));
            cluster.node_up(node);
        })
        .await;
    assert_eq!(back.sum("nomad_node_allocations", &[]), Some(0.0));
    assert_eq!(back.value("nomad_node_drained", &[]), Some(0.0));
    let stopped = world.after(30, |_| {}).await;
    assert_eq!(stopped.value("nomad_node_drained", &[]), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_drain_leaves_nothing_behind() {
    let (world, nodes) = World::new(1, &[]).await;
    world.after(10, |cluster| drop(cluster.submit(build("build", 2000, 600)))).await;
    world.after(5, |cluster| cluster.drain(nodes[0], None, false)).await;
    let canceled = world.after(5, |cluster| cluster.cancel_drain(nodes[0], true)).await;
    for family in ["nomad_node_drained", "nomad_node_drain_remaining_allocations"] {
        assert_eq!(canceled.find(family, &[]).count(), 0, "{family}");
    }
    assert_eq!(canceled.sum("nomad_nodes", &[("state", "active")]), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_from_the_first_pending_to_cleared() {
    let (world, _) = World::new(1, &[]).await;
    world.after(1, |_| {}).await;
    let waiting = world
        .after(20, |cluster| {
            for number in 0..10 {
                cluster.submit(build(&format!("build-{number}"), 5000, 60));
            }
        })
        .await;
    assert_eq!(waiting.sum("nomad_jobs", &[("status", "running")]), Some(2.0));
    assert_eq!(waiting.sum("nomad_jobs", &[("status", "pending")]), Some(8.0));
    assert_eq!(waiting.sum("nomad_queued_allocations", &[]), Some(8.0));
    assert_eq!(waiting.sum("nomad_queued_cpu_hertz", &[]), Some(8.0 * 5e9));
    assert_eq!(waiting.sum("nomad_blocked_evaluations_by_reason", &[("reason", "cpu")]), Some(8.0));
    assert_eq!(waiting.find("nomad_pending_job_timestamp_seconds", &[("reason", "cpu")]).count(), 8);
    assert_eq!(waiting.find("nomad_pending_jobs_oldest_timestamp_seconds", &[]).count(), 1);
    let cleared = world.after(600, |_| {}).await;
    assert_eq!(cleared.sum("nomad_jobs", &[("status", "pending")]), Some(0.0));
    assert_eq!(cleared.sum("nomad_queued_cpu_hertz", &[]), Some(0.0));
    assert_eq!(cleared.find("nomad_pending_job_timestamp_seconds", &[]).count(), 0);
    assert_eq!(cleared.sum("nomad_job_completions_total", &[("outcome", "complete")]), Some(10.0));
    let counted = world.after(1, |_| {}).await;
    assert_eq!(counted.sum("nomad_job_placement_delay_seconds_count", &[]), Some(10.0));
    // Two at a time, a minute each: eight waited for one, two, three and four minutes.
    let at_most =
        |le| counted.sum("nomad_job_placement_delay_seconds_bucket", &[("le", le), ("job_type", "batch")]);
    assert_eq!((at_most("1.0"), at_most("60.0"), at_most("300.0")), (Some(2.0), Some(2.0), Some(10.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_leader() {
    let (world, _) = World::new(1, &[]).await;
    let leader = |shown: &Exposition| {
        let leaders: Vec<String> = shown
            .find("nomad_server_leader", &[])
            .filter(|sample| sample.value == 1.0)
            .map(|sample| sample.labels["server"].clone())
            .collect();
        assert!(leaders.len() <= 1);
        leaders.first().cloned()
    };
    let before = world.after(1, |_| {}).await;
    assert_eq!(before.value("nomad_has_leader", &[]), Some(1.0));
    assert_eq!(before.value("nomad_servers", &[("state", "alive")]), Some(3.0));
    assert_eq!(before.value("nomad_autopilot_failure_tolerance", &[]), Some(1.0));
    assert_eq!(before.find("nomad_server_info", &[]).count(), 3);

    let without = world.after(1, Cluster::lose_leader).await;
    assert_eq!(without.value("nomad_has_leader", &[]), Some(0.0));
    assert_eq!(leader(&without), None);

    let after = world.after(1, |cluster| {
        cluster.elect_leader();
        cluster.change_leader();
    });
    let after = after.await;
    assert_eq!(after.value("nomad_has_leader", &[]), Some(1.0));
    assert_ne!(leader(&after), leader(&before));

    // Autopilot then responds with 429 and the same body.
    let failed = world.after(1, |cluster| cluster.fail_server(2)).await;
    assert_eq!(failed.value("nomad_autopilot_healthy", &[]), Some(0.0));
    assert_eq!(failed.sum("nomad_server_healthy", &[]), Some(2.0));
    assert_eq!(failed.value("nomad_servers", &[("state", "failed")]), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_fails() {
    let (world, _) = World::new(2, &[]).await;
    let service = JobSpec::service("web").with_count(2).with_resources(500, 256);
    let running = world.after(5, |cluster| drop(cluster.submit(service))).await;
    let deployments = |shown: &Exposition, status| shown.sum("nomad_deployments", &[("status", status)]);
    assert_eq!(deployments(&running, "running"), Some(1.0));
    let successful = world.after(60, |_| {}).await;
    assert_eq!(deployments(&successful, "successful"), Some(1.0));
    let job = [("namespace", "default"), ("job_id", "web"), ("status", "running")];
    assert_eq!(successful.sum("nomad_job_allocations", &job), Some(2.0));
    assert_eq!(successful.value("nomad_job_status", &job), Some(1.0));
    let failed = world
        .after(1800, |cluster| {
            let mut next = JobSpec::service("web").with_count(2).with_resources(500, 256);
            next.failure_probability = 1.0;
            next.run_time = Duration::from_secs(5).into();
            cluster.submit(next);
        })
        .await;
    assert_eq!(deployments(&failed, "failed"), Some(1.0));
    assert_eq!(deployments(&failed, "running"), Some(0.0));
}

/// Children of a parent are counted under it, if batch jobs have series.
#[tokio::test(flavor = "multi_thread")]
async fn children_are_rolled_up_into_their_parent() {
    let (world, _) = World::new(1, &["--collect.job-types", "batch"]).await;
    let parent = JobSpec::batch("deploy").in_namespace("ci").with_resources(100, 64);
    let key = JobKey::new("ci", "deploy");
    world
        .after(1, |cluster| drop(cluster.submit(parent.running_for(Duration::from_secs(60)).dispatched())))
        .await;
    let shown = world
        .after(10, |cluster| {
            for _ in 0..5 {
                cluster.dispatch(&key).unwrap();
            }
        })
        .await;
    assert_eq!(shown.find("nomad_job_info", &[]).count(), 1);
    let instances = |status| [("job_id", "deploy"), ("task_group", "group"), ("status", status)];
    assert_eq!(shown.value("nomad_job_allocations", &instances("running")), Some(5.0));
    let ended = world.after(120, |_| {}).await;
    assert_eq!(ended.value("nomad_job_allocations", &instances("running")), Some(0.0));
    assert_eq!(ended.value("nomad_job_allocations_ended", &instances("complete")), Some(5.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_beyond_the_limit_are_counted_without_series() {
    let (world, _) = World::new(1, &["--collect.max-jobs", "3"]).await;
    let shown = world
        .after(10, |cluster| {
            for number in 0..5 {
                cluster.submit(JobSpec::service(&format!("web-{number}")));
            }
        })
        .await;
    assert_eq!(shown.find("nomad_job_info", &[]).count(), 3);
    let dropped = |family| shown.value("nomad_exporter_series_dropped", &[("family", family)]);
    assert_eq!((dropped("nomad_job_info"), dropped("nomad_job_allocations")), (Some(2.0), Some(8.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_read_for_the_selected_jobs() {
    let wanted = [
        "--collector.allocation_usage",
        "--collect.usage-jobs",
        "web-.*",
        "--collect.max-usage-allocations",
        "3",
    ];
    let (world, _) = World::new(2, &wanted).await;
    let shown = world
        .after(30, |cluster| {
            cluster.submit(JobSpec::service("web-1").with_count(2).with_resources(300, 128));
            cluster.submit(JobSpec::service("web-2").with_count(2).with_resources(300, 128));
            cluster.submit(JobSpec::service("api").with_count(2));
        })
        .await;
    assert_eq!(shown.find("nomad_allocation_memory_used_bytes", &[]).count(), 3);
    assert_eq!(shown.find("nomad_allocation_memory_used_bytes", &[("job_id", "api")]).count(), 0);
    assert_eq!(shown.sum("nomad_allocation_cpu_allocated_hertz", &[]), Some(3.0 * 300e6));
    assert_eq!(shown.sum("nomad_allocation_memory_allocated_bytes", &[]), Some(3.0 * 128.0 * 1_048_576.0));
    assert_eq!(
        shown.find("nomad_allocation_cpu_throttled_seconds_total", &[]).count(),
        0,
        "it is not measured"
    );
    let dropped = [("family", "nomad_allocation_memory_used_bytes")];
    assert_eq!(shown.value("nomad_exporter_series_dropped", &dropped), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_allowed_and_denied() {
    let arguments = ["--metrics.allow", "nomad_jobs,nomad_node_.*", "--metrics.deny", "nomad_node_host_.*"];
    let (world, _) = World::new(1, &arguments).await;
    let shown = world.after(1, |_| {}).await;
    assert!(shown.find("nomad_jobs", &[]).count() > 0 && shown.find("nomad_node_info", &[]).count() > 0);
    assert!(shown.samples().iter().all(|sample| {
        sample.name == "nomad_jobs"
            || sample.name.starts_with("nomad_node_") && !sample.name.contains("_host_")
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_selected_namespaces_are_read() {
    let (world, _) = World::new(1, &["--nomad.namespace", "ci,web"]).await;
    let shown = world
        .after(5, |cluster| {
            cluster.create_namespace("web");
            cluster.submit(build("build", 100, 600));
            cluster.submit(JobSpec::service("site").in_namespace("web"));
            cluster.submit(JobSpec::service("other"));
        })
        .await;
    assert_eq!(shown.sum("nomad_jobs", &[("status", "running")]), Some(2.0));
    assert_eq!(shown.find("nomad_jobs", &[("namespace", "default")]).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_purged_while_it_drains() {
    let (world, nodes) = World::new(2, &[]).await;
    world.after(5, |cluster| drop(cluster.submit(build("build", 6000, 600).with_count(2)))).await;
    let id = nodes[0].to_string();
    world
        .simulator
        .faults()
        .set(&format!("/v1/node/{id}"), Fault::Status { code: 404, body: "node not found".into() });
    let shown = world.after(5, |cluster| cluster.drain(nodes[0], None, false)).await;
    assert_eq!(shown.value("nomad_exporter_collector_up", &[("collector", "drains")]), Some(1.0));
    assert_eq!(shown.find("nomad_node_drain_remaining_allocations", &[]).count(), 0);
    assert_eq!(shown.value("nomad_node_drained", &[("node_id", &id)]), Some(0.0));
}

/// Returns the requests with this path prefix, and this text in the query.
fn requests_of(world: &World, path: &str, query: &str) -> usize {
    let requests = world.simulator.requests();
    requests.iter().filter(|request| request.path.starts_with(path) && request.query.contains(query)).count()
}

/// Creates clients whose builds are killed by a drain and upload something afterwards, every third one for a
/// long time.
async fn uploads_in_drains(clients: usize, version: &str) -> (World, [Exposition; 2]) {
    let version = version.parse().unwrap();
    let mut cluster = Cluster::new(Settings { version, ..Settings::default() });
    let drained: Vec<_> = (1..=clients)
        .map(|number| cluster.register_node(NodeSpec::new(&format!("client-{number}"))))
        .collect();
    // No client has room for two.
    for number in 0..clients {
        let upload = if number % 3 == 0 { 3600 } else { 5 };
        let build = JobSpec::batch(&format!("build-{number}")).with_resources(8_000, 512);
        cluster
            .submit(build.running_for(Duration::from_secs(3600)).with_poststop(Duration::from_secs(upload)));
    }
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let simulator = Simulator::start(cluster.clone().into()).await.unwrap();
    let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats"]);
    let world = World { cluster, simulator, collector };
    world.after(60, |_| {}).await;
    let drain = |cluster: &mut Cluster| {
        drained.iter().for_each(|node| cluster.drain(*node, Some(Duration::ZERO), false));
    };
    let first = world.after(120, drain).await;
    let second = world.after(1, |_| {}).await;
    (world, [first, second])
}

#[tokio::test(flavor = "multi_thread")]
async fn few_draining_nodes_are_read_one_by_one() {
    let (world, [_, shown]) = uploads_in_drains(9, "2.0.5").await;
    assert_eq!(shown.sum("nomad_node_drained", &[]), Some(6.0), "a third of the jobs still upload");
    assert_eq!(shown.find("nomad_node_drained", &[]).count(), 9);
    assert_eq!(requests_of(&world, "/v1/allocations", "task.State+%21%3D"), 0);
    // The second refresh sends no requests for the six nodes on which nothing runs any more.
    assert_eq!(requests_of(&world, "/v1/node/", ""), 9 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_draining_nodes_are_read_with_one_list() {
    let (world, [_, shown]) = uploads_in_drains(36, "2.0.5").await;
    assert_eq!(shown.sum("nomad_node_drained", &[]), Some(24.0), "a third of the jobs still upload");
    assert_eq!(shown.find("nomad_node_drained", &[]).count(), 36);
    assert_eq!(requests_of(&world, "/v1/node/", ""), 0);
    assert_eq!(
        requests_of(&world, "/v1/allocations", "task.State+%21%3D"),
        2,
        "{:#?}",
        world.simulator.requests()
    );
}

/// Nomad 1.2 has no filters.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_draining_nodes_are_unknown_without_filters() {
    let (world, [first, second]) = uploads_in_drains(120, "1.2.6").await;
    let known = first.find("nomad_node_drained", &[]).count();
    assert!((100..120).contains(&known), "{known} of 120 are known");
    // Nothing runs any more on two thirds of those, which makes room for the others.
    assert_eq!(second.find("nomad_node_drained", &[]).count(), 120);
    assert_eq!(requests_of(&world, "/v1/allocations", "task.State+%21%3D"), 0);
    assert!(requests_of(&world, "/v1/node/", "") <= 200, "at most a hundred per refresh");
}

/// At most fifteen requests including history, whatever the number of nodes, except for host statistics and
/// new specifications.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_of_a_thousand_nodes_is_fifteen_requests() {
    let (world, _) = World::new(1000, &["--no-collector.host_stats"]).await;
    world
        .after(20, |cluster| {
            for number in 0..200 {
                cluster.submit(build(&format!("build-{number}"), 1000, 600));
            }
        })
        .await;
    let specifications = |request: &nomad_simulator::LoggedRequest| request.path.starts_with("/v1/job/");
    let requests = world.simulator.requests();
    let count = requests.iter().filter(|request| !specifications(request)).count();
    assert!(count <= 15, "{count} requests: {requests:#?}");
}
