//! A snapshot with known values for everything, and its exposition: one sample of every metric.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nomad_exporter::metrics::{OwnMetrics, Selection, View, emit, families};
use nomad_exporter::snapshot::*;

use nomad_exporter::terms::{
    BlockReason, ByTerm, ClientStatus, DeploymentStatus, DrainStatus, FailureCause, JobKey, JobStatus,
    JobType, NodeState, Outcome, ServerState, TemplateKind,
};

use crate::goldens;
use crate::support::exposition::Exposition;

const CI: &str = "ci";

pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn named(id: &str, status: JobStatus, counts: GroupCounts) -> BTreeMap<String, BTreeMap<String, NamedJob>> {
    let info = JobInfo {
        job_type: JobType::Service,
        node_pool: "default".into(),
        priority: 50,
        status,
        stopped: false,
    };
    let own = BTreeMap::from([("group".into(), counts)]);
    let meta = Some(Box::new(chosen("builds")));
    let key = SpecificationKey { namespace: CI.into(), job_id: "sized".into(), modify_index: 7 };
    let wanted = BTreeMap::from([(key, 1)]);
    let job = NamedJob { info: Some(info), meta, own, wanted, ..NamedJob::default() };
    BTreeMap::from([(CI.into(), BTreeMap::from([(id.into(), job)]))])
}

/// Returns values of two keys, the second of which is missing.
fn chosen(value: &str) -> Chosen {
    Chosen { values: [value, ""].map(Box::from).into(), is_shortened: true }
}

fn labels(prefix: &str) -> Vec<String> {
    ["team", "tier"].map(|name| format!("{prefix}_{name}")).to_vec()
}

fn node_details() -> NodeDetails {
    let detail = NodeDetail {
        meta: Some(chosen("builds")),
        attributes: Some(chosen("debian")),
        max_allocations: Some(50),
    };
    NodeDetails {
        by_node: HashMap::from([("a".into(), detail), ("b".into(), NodeDetail::default())]),
        meta_labels: labels("meta"),
        attribute_labels: labels("attr"),
    }
}

fn live_jobs() -> LiveJobs {
    let mut namespace = NamespaceJobs::default();
    namespace.jobs[JobType::Batch][JobStatus::Pending] = 2;
    namespace.jobs[JobType::Batch][JobStatus::Running] = 7;
    namespace.templates[TemplateKind::Periodic][JobStatus::Running] = 1;
    namespace.pending.add(JobType::Batch, at(900), at(1000));
    namespace.pending.add(JobType::Batch, at(980), at(1000));
    namespace.pools.extend(["default".into(), "other".into()]);
    let key = |id: &str| SpecificationKey { namespace: CI.into(), job_id: id.into(), modify_index: 7 };
    let group = |job: &str, named: Option<&str>, count| QueuedGroup {
        job: JobKey::new(CI, job),
        named: named.map(Box::from),
        group: "group".into(),
        count,
        summary_index: Some(7),
    };
    let queued = |groups| Queued {
        submitted: Some(at(900)),
        node_pool: "default".into(),
        job_type: JobType::Batch,
        groups,
    };
    let by_specification = HashMap::from([
        (key("sized"), queued(vec![group("build-1", None, 4), group("web", Some("web"), 1)])),
        // No evaluation of it waits.
        (key("phantom"), queued(vec![group("phantom", None, 100)])),
        (key("unsized"), Queued { node_pool: "other".into(), ..queued(vec![group("build-2", None, 1)]) }),
    ]);
    let mut untracked: BTreeMap<String, BTreeMap<String, ByTerm<JobType, Vec<QueuedGroup>>>> =
        BTreeMap::new();
    let pools = untracked.entry(CI.into()).or_default();
    pools.entry("other".into()).or_default()[JobType::Batch].push(group("build-3", None, 2));
    let pending = |since, id: &str| PendingJob {
        since: at(since),
        namespace: CI.into(),
        id: id.into(),
        job_type: JobType::Batch,
    };
    let counts = GroupCounts { complete: 2, failed: 3, lost: 4 };
    LiveJobs {
        by_namespace: BTreeMap::from([(CI.into(), namespace)]),
        // The second is longer than the label limit.
        oldest_pending: vec![pending(900, "build-1"), pending(901, &"build-".repeat(50))],
        pending_again: vec![pending(10, "nightly")],
        read_at: Some(at(1000)),
        max_oldest: 20,
        queue: Queue { by_specification, untracked },
        named: NamedJobs {
            by_namespace: named("web", JobStatus::Running, counts),
            count: 1,
            dropped_jobs: 1,
            dropped_groups: 2,
            meta_labels: labels("meta"),
        },
        periodic: BTreeMap::from([(CI.into(), BTreeSet::from(["nightly".into()]))]),
    }
}

fn finished_jobs() -> FinishedJobs {
    let mut namespace = FinishedNamespace::default();
    namespace.jobs[JobType::Batch] = 4;
    let dead = |id: &str, stopped| DeadJob {
        key: JobKey::new(CI, id),
        create_index: None,
        namespace: 0,
        job_type: JobType::Batch,
        stopped,
        summarized: Outcome::Complete,
    };
    let named = NamedJobs {
        by_namespace: named("old", JobStatus::Dead, GroupCounts::default()),
        meta_labels: labels("meta"),
        ..NamedJobs::default()
    };
    FinishedJobs {
        by_namespace: BTreeMap::from([(CI.into(), namespace)]),
        jobs: vec![dead("failed", false), dead("drained", false), dead("stopped", true), dead("gone", false)],
        namespaces: vec![CI.into()],
        list: 1,
        unsettled: HashMap::new(),
        periodic: Vec::new(),
        named,
    }
}

fn gpu() -> DeviceKind {
    DeviceKind { vendor: "nvidia".into(), device_type: "gpu".into(), model: "Tesla T4".into() }
}

fn node(id: &str, state: NodeState, last_drain: Option<DrainStatus>) -> Node {
    Node {
        id: id.into(),
        name: format!("client-{id}"),
        datacenter: "dc1".into(),
        pool: "default".into(),
        class: "large".into(),
        version: "2.0.5".into(),
        address: "192.0.2.1".into(),
        state,
        eligible: state == NodeState::Active,
        draining: state == NodeState::Draining,
        last_drain: last_drain.map(|status| LastDrain { started: Some(at(800)), status }),
        allocatable: Capacity { cpu_hertz: Some(4e9), memory_bytes: Some(8e9), disk_bytes: Some(1e11) },
        cores: Some(4),
        devices: Devices::from([(gpu(), 2)]),
        cpu_total_hertz: Some(5e9),
        drivers: vec![("docker".into(), true), ("exec".into(), false)],
        modify_index: 3,
    }
}

fn node_loads() -> NodeLoads {
    let mut load = NodeLoad {
        cpu_hertz: 1e9,
        memory_bytes: 2e9,
        memory_max_bytes: 3e9,
        disk_bytes: 4e9,
        cores_and_devices: CoresAndDevices { cores: 1, devices: Devices::from([(gpu(), 1)]) },
        oldest_starting: Some(at(700)),
        ..NodeLoad::default()
    };
    load.by_status[ClientStatus::Running] = 3;
    NodeLoads { by_node: HashMap::from([("a".into(), load)]) }
}

fn allocations() -> LiveAllocations {
    let mut group = GroupAllocations::default();
    group.entry("group".into()).or_default()[ClientStatus::Running] = 3;
    LiveAllocations {
        counts: counts(ClientStatus::Running, 3),
        stopping: Ends::default(),
        by_job: BTreeMap::from([(CI.into(), BTreeMap::from([("web".into(), group)]))]),
        allocated: allocated(),
    }
}

fn allocated() -> AllocatedByNamespace {
    let mut by_type = ByTerm::<JobType, AllocatedTotal>::default();
    by_type[JobType::Batch] = AllocatedTotal { cpu_hertz: 1e9, memory_bytes: 2e9, unsized_count: 0 };
    // The size of one of them is unknown.
    by_type[JobType::Service] = AllocatedTotal { cpu_hertz: 5e8, memory_bytes: 1e9, unsized_count: 1 };
    AllocatedByNamespace::from([(CI.into(), by_type)])
}

fn finished_allocations() -> FinishedAllocations {
    let end = |id: &str, create_index, outcome| AllocationEnd {
        job: JobKey::new(CI, id),
        version: 0,
        name: 1,
        create_index,
        status: ClientStatus::Failed,
        outcome,
        changed: 0,
    };
    let ends = vec![
        end("failed", 1, Outcome::Complete),
        end("failed", 2, Outcome::Failed),
        end("drained", 3, Outcome::Drained),
    ];
    FinishedAllocations { counts: counts(ClientStatus::Failed, 3), ends: ends.into(), began_after: 1 }
}

fn counts(status: ClientStatus, count: u64) -> AllocationCounts {
    let mut counts = AllocationCounts::default();
    counts.by_namespace.entry(CI.into()).or_default()[JobType::Batch][status] = count;
    counts
}

fn evaluations() -> Evaluations {
    let mut namespace = NamespaceEvaluations::default();
    namespace.blocked[JobType::Batch] = 2;
    namespace.oldest_blocked[JobType::Batch] = Some(at(901));
    namespace.by_reason[BlockReason::Memory] = 2;
    namespace.pending[JobType::Service] = 1;
    namespace.oldest_pending[JobType::Service] = Some(at(902));
    namespace.delayed[JobType::Service] = 1;
    let waits = |oldest, reason| JobEvaluations { oldest: Some(at(oldest)), reason };
    let by_job = [
        ("build-1", waits(901, BlockReason::Memory)),
        ("build-2", waits(902, BlockReason::Scheduling)),
        ("build-3", waits(902, BlockReason::Cpu)),
        ("nightly", waits(950, BlockReason::Scheduling)),
        ("web", waits(960, BlockReason::Memory)),
    ];
    Evaluations {
        by_namespace: BTreeMap::from([(CI.into(), namespace)]),
        by_job: by_job.into_iter().map(|(id, known)| (JobKey::new(CI, id), known)).collect(),
        index: Some(9),
        ..Evaluations::default()
    }
}

fn periodic() -> PeriodicRuns {
    let last = LastRuns { success: Some(at(500)), failure: Some(at(400)) };
    PeriodicRuns { by_namespace: BTreeMap::from([(CI.into(), BTreeMap::from([("nightly".into(), last)]))]) }
}

fn transitions() -> Transitions {
    let mut transitions = Transitions::default();
    transitions.oldest_starting.entry(CI.into()).or_default()[JobType::Batch] = Some(at(700));
    transitions.stopping.entry(CI.into()).or_default()[JobType::Service] =
        Stopping { count: 2, oldest: Some(at(600)) };
    transitions.longest_builds.push(RunningBuild {
        since: at(100),
        namespace: CI.into(),
        id: "build-7".into(),
    });
    transitions
}

fn running_ages() -> RunningAges {
    let mut running = RunningSince::default();
    [10, 20, 990].into_iter().for_each(|seconds| running.add(CI, JobType::Batch, at(seconds)));
    running.ages(at(1000))
}

fn starts() -> StartDelays {
    let mut starts = StartDelays::default();
    starts.by_namespace.entry(CI.into()).or_default()[JobType::Batch]
        .observe(&DELAY_BOUNDS_SECONDS, Duration::from_secs(3));
    starts
}

fn failed() -> FailedAllocations {
    let mut failed = FailedAllocations::default();
    failed.by_namespace.entry(CI.into()).or_default()[JobType::Batch][FailureCause::Oom] = 3;
    failed
}

fn task_counts() -> TaskCounts {
    let count = TaskCount { restarts: 5, oom_kills: 2 };
    let mut counts = TaskCounts { tasks: 1, dropped: 1, ..TaskCounts::default() };
    counts.failures.entry(CI.into()).or_default()[JobType::Batch][FailureCause::Driver] = 4;
    counts.failures.entry(CI.into()).or_default()[JobType::Batch][FailureCause::Other] = 1;
    counts.start_failures.insert("a".into(), 4);
    counts.by_namespace.entry(CI.into()).or_default()[JobType::Service] = count;
    let groups = BTreeMap::from([("group".into(), BTreeMap::from([("agent".into(), count)]))]);
    counts.by_job.insert(CI.into(), BTreeMap::from([("web".into(), groups)]));
    counts
}

fn host() -> Host {
    let disk = Disk {
        device: "/dev/sda".into(),
        size_bytes: Some(1e11),
        used_bytes: Some(4e10),
        inodes_used_ratio: Some(0.25),
    };
    Host {
        cpu_used_hertz: Some(2.5e9),
        memory_total_bytes: Some(1.6e10),
        memory_used_bytes: Some(6e9),
        memory_available_bytes: Some(9e9),
        disks: vec![disk],
        booted: Some(at(10)),
    }
}

fn servers() -> Servers {
    let server = Server {
        name: "server-1.global".into(),
        rpc_address: "192.0.2.9:4647".into(),
        address: "192.0.2.9".into(),
        version: "2.0.5".into(),
        datacenter: "dc1".into(),
    };
    let mut servers = Servers { servers: vec![server], ..Servers::default() };
    servers.by_state[ServerState::Alive] = 1;
    servers
}

fn autopilot() -> Autopilot {
    let server = ServerHealth {
        name: "server-1.global".into(),
        healthy: Some(true),
        voter: Some(true),
        last_contact: Some(Duration::from_millis(27)),
    };
    Autopilot { healthy: Some(true), failure_tolerance: Some(0), servers: vec![server] }
}

fn usage() -> Usage {
    let allocation = AllocationUsage {
        id: "b7756402-f8ce-5905-2ff8-02a24874c2e6".into(),
        namespace: CI.into(),
        job_id: "web".into(),
        task_group: "group".into(),
        node_id: "a".into(),
        cpu_allocated_hertz: Some(5e8),
        memory_allocated_bytes: Some(2.56e8),
        cpu_used_hertz: Some(1.2e8),
        memory_used_bytes: Some(1e8),
        cpu_throttled_seconds: Some(1.5),
    };
    Usage { allocations: vec![allocation], dropped: 0 }
}

/// Returns sections with known values for everything.
pub(crate) fn sections() -> Sections {
    let request = ResourceRequest { cpu_hertz: 5e8, memory_bytes: 1e9, disk_bytes: 3e8, cores: false };
    let cores_and_devices =
        CoresAndDevices { cores: 2, devices: Devices::from([(DeviceKind::requested("gpu"), 1)]) };
    let group =
        GroupSpecification { request, cores_and_devices, count: Some(5), tasks: ["agent".into()].into() };
    let sized = SpecificationKey { namespace: CI.into(), job_id: "sized".into(), modify_index: 7 };
    let drain = Drain {
        started: Some(at(800)),
        deadline: Some(at(8000)),
        ignore_system_jobs: false,
        node_modify_index: 3,
    };
    let mut delays = PlacementDelays::default();
    delays.by_namespace.entry(CI.into()).or_default()[JobType::Batch]
        .observe(&DELAY_BOUNDS_SECONDS, Duration::from_secs(42));
    let mut completions = FinishedCounts::default();
    completions.by_namespace.entry(CI.into()).or_default()[JobType::Batch][Outcome::Complete] = 12;
    let mut deployments = Deployments::default();
    deployments.by_namespace.entry(CI.into()).or_default()[DeploymentStatus::Successful] = 4;
    let nodes = vec![
        node("a", NodeState::Active, None),
        node("b", NodeState::Draining, Some(DrainStatus::Draining)),
        node("c", NodeState::Ineligible, Some(DrainStatus::Complete)),
    ];
    Sections {
        jobs: Some(Arc::new(live_jobs())),
        finished_jobs: Some(Arc::new(finished_jobs())),
        nodes: Some(Arc::new(nodes.into())),
        drains: Some(Arc::new(Drains {
            by_node: HashMap::from([("b".into(), drain)]),
            running: HashMap::from([("b".into(), NodeTasks::default()), ("c".into(), NodeTasks::default())]),
        })),
        hosts: Some(Arc::new(Hosts {
            by_node: HashMap::from([("a".into(), Some(host())), ("b".into(), None)]),
        })),
        allocations: Some(Arc::new(allocations())),
        node_loads: Some(Arc::new(node_loads())),
        coverage: Some(Arc::new(NamespaceCoverage::All)),
        finished_allocations: Some(Arc::new(finished_allocations())),
        evaluations: Some(Arc::new(evaluations())),
        periodic: Some(Arc::new(periodic())),
        transitions: Some(Arc::new(transitions())),
        running_ages: Some(Arc::new(running_ages())),
        starts: Some(Arc::new(starts())),
        failed: Some(Arc::new(failed())),
        task_counts: Some(Arc::new(task_counts())),
        namespaces: Some(Arc::new(Namespaces { names: BTreeSet::from([CI.to_owned()]) })),
        specifications: Some(Arc::new(Specifications {
            by_key: HashMap::from([(sized, Some(Arc::new(BTreeMap::from([("group".into(), group)]))))]),
        })),
        placements: Some(Arc::new(delays)),
        completions: Some(Arc::new(completions)),
        deployments: Some(Arc::new(deployments)),
        servers: Some(Arc::new(servers())),
        leader: Some(Arc::new(Leader { rpc_address: Some("192.0.2.9:4647".into()) })),
        autopilot: Some(Arc::new(autopilot())),
        scheduler: Some(Arc::new(SchedulerSettings {
            eval_broker_paused: Some(false),
            job_registration_rejected: Some(true),
        })),
        node_details: Some(Arc::new(node_details())),
        usage: Some(Arc::new(usage())),
    }
}

pub(crate) fn collector() -> CollectorState {
    CollectorState {
        id: CollectorId::Jobs,
        required: true,
        up: Some(true),
        problem: None,
        fresh: true,
        last_success: Some(at(999)),
        duration: Some(Duration::from_millis(20)),
        objects: Some(9),
        last_contact: Some(Duration::from_millis(15)),
        interval: Duration::from_secs(15),
        panics: 0,
    }
}

/// Returns the exposition of these sections.
pub(crate) fn shown() -> String {
    let own = OwnMetrics::new().unwrap();
    own.request_done("jobs", "ok", Duration::from_millis(20), 1000);
    own.files_loaded("token", true, at(998));
    own.event_stream(true, [("Job", 3)].into_iter(), [("jobs", 0)].into_iter());
    let snapshot = Snapshot::new(at(1000), vec![collector()], sections());
    let mut text = nomad_exporter::exposition::Text::new(Vec::new());
    emit(&View::new(&snapshot, &own.gather()), &mut text, &Selection::default());
    String::from_utf8(text.finish().unwrap()).unwrap()
}

#[test]
fn every_metric_has_a_sample() {
    let text = shown();
    let samples = Exposition::parse(&text);
    let names: BTreeSet<&str> = samples.samples().iter().map(|sample| sample.name.as_str()).collect();
    for family in families() {
        let name = family.name;
        let is_shown = names.contains(name) || names.contains(format!("{name}_bucket").as_str());
        let is_shown = is_shown || (name.starts_with("process_") && !cfg!(target_os = "linux"));
        assert!(is_shown || name == "process_max_fds", "{name} is missing");
    }
    let difference = goldens::difference("families.prom", &goldens::stable(&text));
    assert_eq!(difference, None, "these differ");
}
