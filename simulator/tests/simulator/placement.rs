//! What fits is placed, and what does not says why.

use std::collections::BTreeMap;

use nomad_simulator::cluster::{
    ClientStatus, JobKey, JobSpec, JobStatus, JobType, Lifecycle, NodeSpec, Resources, Task, TaskGroup,
};
use serde_json::{Value, json};

use crate::world::{HOUR, Served, World, build, empty, node, seconds};

fn load(world: &World) -> Vec<(Resources, BTreeMap<ClientStatus, usize>)> {
    let ledger = world.cluster.ledger();
    world.nodes.iter().map(|node| (ledger.loads[node].allocated, ledger.loads[node].live.clone())).collect()
}

#[test]
fn allocations_are_pending_and_then_running() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("a"));
    assert!(load(&world)[0].1.is_empty(), "nothing is scheduled before the clock moves");
    world.cluster.advance(seconds(0) + std::time::Duration::from_millis(100));
    assert_eq!(load(&world)[0].1, BTreeMap::from([(ClientStatus::Pending, 1)]));
    world.cluster.advance(seconds(3));
    assert_eq!(load(&world)[0].1, BTreeMap::from([(ClientStatus::Running, 1)]));
    assert_eq!((load(&world)[0].0.cpu, load(&world)[0].0.memory_mb), (300, 256));
}

#[test]
fn the_fullest_node_that_fits_is_taken() {
    let mut world = empty("2.0.5", 3);
    for number in 0..3 {
        world.cluster.submit(build(&format!("b{number}")).with_resources(1000, 1000));
    }
    world.cluster.advance(seconds(5));
    let counts: Vec<usize> = load(&world).iter().map(|(_, live)| live.values().sum()).collect();
    assert_eq!(counts.iter().max(), Some(&3), "{counts:?}");
}

#[test]
fn reserved_resources_are_not_for_jobs() {
    let mut world = empty("2.0.5", 0);
    let reserved = Resources { cpu: 1000, ..Resources::default() };
    world.cluster.register_node(NodeSpec { reserved, ..node(0) });
    world.cluster.submit(build("fits").with_resources(3000, 100));
    world.cluster.submit(build("does-not").with_resources(1, 100));
    world.cluster.advance(seconds(5));
    assert_eq!(world.cluster.ledger().queued, BTreeMap::from([(JobKey::new("ci", "does-not"), 1)]));
}

#[test]
fn tasks_add_up_as_their_lifecycles_have_it() {
    let task = |name: &str, lifecycle, cpu, memory_mb| Task { lifecycle, cpu, memory_mb, ..Task::new(name) };
    let group = TaskGroup {
        tasks: vec![
            task("prep", Some(Lifecycle::Prestart), 500, 300),
            task("side", Some(Lifecycle::Sidecar), 100, 100),
            task("main", None, 200, 128),
            Task { memory_max_mb: 400, ..task("after-start", Some(Lifecycle::Poststart), 50, 32) },
            task("after", Some(Lifecycle::Poststop), 400, 600),
        ],
        ..TaskGroup::new("g")
    };
    // Before: 600 and 400. Main: 350 and 260, at most 628. After: 400 and 600.
    let expected =
        Resources { cpu: 600, memory_mb: 600, memory_max_mb: 628, disk_mb: 300, cores: 0, gpus: 0 };
    assert_eq!(group.total(2000), expected);
    let pinned = Task { cores: 2, ..Task::new("pinned") };
    let group = TaskGroup { tasks: vec![pinned, task("prep", Some(Lifecycle::Prestart), 500, 10)], ..group };
    assert_eq!((group.total(2000).cpu, group.total(2000).cores), (4500, 2));
}

#[tokio::test]
async fn reserved_cores_are_handed_out_once() {
    let mut world = empty("2.0.5", 1);
    let pinned =
        TaskGroup { tasks: vec![Task { cores: 1, ..Task::new("main") }], count: 3, ..TaskGroup::new("g") };
    world.cluster.submit(JobSpec { groups: vec![pinned], ..build("pinned") });
    world.cluster.advance(seconds(5));
    let served = world.serve().await;
    let rows = served.rows("/v1/allocations?namespace=*&resources=true").await;
    let mut cpu: Vec<_> =
        rows.iter().map(|row| row["AllocatedResources"]["Tasks"]["main"]["Cpu"].clone()).collect();
    cpu.sort_by_key(Value::to_string);
    let core = |core: u16| json!({"CpuShares": 2000, "ReservedCores": [core]});
    assert_eq!(cpu, [core(0), core(1)]);
    let blocked = only_blocked(&served).await;
    assert_eq!(blocked["FailedTGAllocs"]["g"]["DimensionExhausted"], json!({"cores": 1}));
}

async fn only_blocked(served: &Served) -> Value {
    let mut rows = served.rows("/v1/evaluations?namespace=*&status=blocked").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

/// One job that does not fit on two nodes: its complete evaluation, and the blocked one.
async fn refused(job: JobSpec) -> (Value, Value) {
    let mut world = empty("2.0.5", 2);
    world.cluster.submit(job);
    world.cluster.advance(seconds(5));
    let served = world.serve().await;
    let blocked = only_blocked(&served).await;
    let complete = served.rows("/v1/evaluations?namespace=*&status=complete").await.remove(0);
    (complete, blocked)
}

#[tokio::test]
async fn what_does_not_fit_is_blocked_and_says_which_dimension() {
    let job = build("backlog").with_count(12).with_resources(1500, 2048);
    let (complete, blocked) = refused(job).await;
    assert_eq!(complete["QueuedAllocations"], json!({"group": 8}));
    assert_eq!(complete["BlockedEval"], blocked["ID"]);
    assert_eq!(blocked["PreviousEval"], complete["ID"]);
    assert_eq!(blocked["TriggeredBy"], "queued-allocs");
    assert_eq!(blocked["StatusDescription"], "created to place remaining allocations");
    assert!(blocked.get("QueuedAllocations").is_none());
    let metric = &blocked["FailedTGAllocs"]["group"];
    assert_eq!(metric, &complete["FailedTGAllocs"]["group"]);
    assert_eq!(metric["NodesEvaluated"], 2);
    assert_eq!(metric["NodesExhausted"], 2);
    assert_eq!(metric["NodesInPool"], 2);
    assert_eq!(metric["NodesAvailable"], json!({"dc1": 2}));
    assert_eq!(metric["DimensionExhausted"], json!({"cpu": 2}));
    assert_eq!(metric["CoalescedFailures"], 7);
    assert_eq!(metric["ResourcesExhausted"]["main"]["CPU"], 12_000, "of all eight");
    assert_eq!(metric["ResourcesExhausted"]["main"]["MemoryMB"], 0);

    let (_, blocked) = refused(build("huge").with_resources(10, 64_000)).await;
    assert_eq!(blocked["FailedTGAllocs"]["group"]["DimensionExhausted"], json!({"memory": 2}));
    let group = TaskGroup { disk_mb: 1_000_000, ..TaskGroup::new("group") };
    let (_, blocked) = refused(JobSpec { groups: vec![group], ..build("disk") }).await;
    assert_eq!(blocked["FailedTGAllocs"]["group"]["DimensionExhausted"], json!({"disk": 2}));
}

#[tokio::test]
async fn constraints_and_missing_pools_are_told_apart() {
    let (_, blocked) = refused(build("windows").requiring("${attr.kernel.name}", "windows")).await;
    let metric = &blocked["FailedTGAllocs"]["group"];
    assert_eq!(metric["ConstraintFiltered"], json!({"${attr.kernel.name} = windows": 2}));
    assert_eq!((&metric["NodesFiltered"], &metric["NodesExhausted"]), (&json!(2), &json!(0)));
    assert_eq!(metric["DimensionExhausted"], Value::Null);

    let (_, blocked) = refused(build("train").in_pool("gpu").with_count(2)).await;
    let metric = &blocked["FailedTGAllocs"]["group"];
    assert_eq!((&metric["NodesEvaluated"], &metric["NodesInPool"]), (&json!(0), &json!(0)));
    assert_eq!((&metric["NodePool"], &metric["NodesAvailable"]), (&json!("gpu"), &json!({})));
    assert_eq!(metric["CoalescedFailures"], 1);
}

#[test]
fn room_that_gets_free_is_used() {
    let mut world = empty("2.0.5", 1);
    world.cluster.submit(build("backlog").with_count(6).with_resources(2000, 100).running_for(seconds(10)));
    world.cluster.advance(seconds(5));
    let queued = |world: &World| world.cluster.ledger().queued.values().sum::<u32>();
    assert_eq!(queued(&world), 4);
    world.cluster.advance(seconds(14));
    assert_eq!(queued(&world), 2);
    world.cluster.advance(seconds(30));
    let ledger = world.cluster.ledger();
    assert!(ledger.queued.is_empty() && ledger.blocked_evaluations.is_empty());
    assert_eq!(ledger.jobs, BTreeMap::from([(("ci".to_owned(), JobType::Batch, JobStatus::Dead), 1)]));
}

#[test]
fn a_new_node_unblocks() {
    let mut world = empty("2.0.5", 0);
    world.cluster.submit(build("waits"));
    world.cluster.advance(seconds(60));
    assert_eq!(world.cluster.ledger().blocked_evaluations.values().sum::<usize>(), 1);
    world.cluster.register_node(node(0));
    world.cluster.advance(seconds(1));
    let ledger = world.cluster.ledger();
    assert!(ledger.blocked_evaluations.is_empty());
    let record = &ledger.history[0];
    let waited = record.first_placed.expect("placed").duration_since(record.submitted).expect("later");
    assert!((seconds(60)..seconds(61)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn a_system_job_is_blocked_node_by_node() {
    let mut world = empty("2.0.5", 2);
    world.cluster.submit(build("fills").with_resources(4000, 100));
    world.cluster.advance(seconds(5));
    world.cluster.submit(JobSpec::system("agent").with_resources(100, 10));
    world.cluster.advance(seconds(5));
    let served = world.serve().await;
    let blocked = only_blocked(&served).await;
    let placed = served.rows("/v1/job/agent/allocations").await;
    assert_eq!(placed.len(), 1);
    assert_ne!(placed[0]["NodeID"], blocked["NodeID"]);
    served.cluster().stop_job("ci", "fills", false);
    served.cluster().advance(seconds(10));
    assert_eq!(served.rows("/v1/evaluations?namespace=*&status=blocked").await.len(), 0);
    assert_eq!(served.rows("/v1/job/agent/allocations").await.len(), 2);
}

#[test]
fn before_there_were_pools_a_job_ran_anywhere() {
    for (version, placed) in [("1.5.17", 1), ("1.6.0", 0)] {
        let mut world = empty(version, 1);
        world.cluster.submit(build("train").in_pool("gpu"));
        world.cluster.advance(seconds(5));
        assert_eq!(load(&world)[0].1.values().sum::<usize>(), placed, "{version}");
    }
}

#[tokio::test]
async fn an_old_version_has_no_failures_of_pools() {
    let mut world = empty("1.1.18", 1);
    world.cluster.submit(build("huge").with_resources(9000, 1).running_for(HOUR));
    world.cluster.advance(seconds(1));
    let served = world.serve().await;
    let rows = served.rows("/v1/job/huge/evaluations?namespace=ci").await;
    let blocked = rows.iter().find(|row| row["Status"] == "blocked").expect("a blocked evaluation");
    let metric = &blocked["FailedTGAllocs"]["group"];
    assert_eq!(metric["NodesEvaluated"], 1);
    assert!(metric.get("NodePool").is_none() && metric.get("NodesInPool").is_none());
}
