//! From values to lines: the samples of metrics, and when there are none.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nomad_exporter::metrics::{Own, Selection, View, emit};
use nomad_exporter::snapshot::{
    Capacity, DeadJob, Devices, Drain, Drains, FinishedJobs, LastDrain, LiveAllocations, LiveJobs,
    NamespaceCoverage, Namespaces, Node, NodeLoad, NodeLoads, NodeTasks, Nodes, Sections, Snapshot,
};
use nomad_exporter::terms::{ClientStatus, DrainStatus, JobKey, JobStatus, JobType, NodeState, Outcome};

use crate::support::exposition::Exposition;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn shown(sections: Sections) -> Exposition {
    let snapshot = Snapshot::new(at(1000), Vec::new(), sections);
    let mut text = nomad_exporter::exposition::Text::new(Vec::new());
    emit(&View::new(&snapshot, &Own::default()), &mut text, &Selection::default());
    Exposition::parse(std::str::from_utf8(&text.finish().unwrap()).unwrap())
}

fn names(shown: &Exposition) -> BTreeSet<&str> {
    let about_nomad = |name: &&str| !name.starts_with("nomad_exporter_") && *name != "nomad_up";
    shown.samples().iter().map(|sample| sample.name.as_str()).filter(about_nomad).collect()
}

#[test]
fn unknown_values_are_absent() {
    assert_eq!(names(&shown(Sections::default())), BTreeSet::new());
}

#[test]
fn known_empty_values_are_zero() {
    let namespaces = BTreeSet::from(["ci".to_owned()]);
    let sections = Sections {
        namespaces: Some(Arc::new(Namespaces { names: namespaces })),
        jobs: Some(Arc::new(LiveJobs::default())),
        ..Sections::default()
    };
    let shown = shown(sections);
    assert_eq!(shown.find("nomad_jobs", &[("namespace", "ci"), ("status", "pending")]).count(), 4);
    assert_eq!(shown.sum("nomad_jobs", &[]), Some(0.0));
    // Dead jobs come from another collector, which has no data here.
    assert_eq!(shown.find("nomad_jobs", &[("status", "dead")]).count(), 0);
    assert_eq!(shown.find("nomad_jobs_finished", &[]).count(), 0);
    assert_eq!(shown.find("nomad_pending_jobs_oldest_timestamp_seconds", &[]).count(), 0);
}

#[test]
fn dead_jobs_are_the_sum_of_their_outcomes() {
    let jobs = [Outcome::Complete, Outcome::Complete, Outcome::Failed, Outcome::Failed, Outcome::Lost];
    let mut finished = FinishedJobs { namespaces: vec!["ci".into()], ..FinishedJobs::default() };
    finished.by_namespace.entry("ci".into()).or_default().jobs[JobType::Batch] = 5;
    finished.jobs = jobs
        .into_iter()
        .enumerate()
        .map(|(number, summarized)| DeadJob {
            key: JobKey::new("ci", &number.to_string()),
            create_index: None,
            namespace: 0,
            job_type: JobType::Batch,
            stopped: false,
            summarized,
        })
        .collect();
    // Terminal allocations are not collected, so the summaries are used.
    let shown = shown(Sections { finished_jobs: Some(Arc::new(finished)), ..Sections::default() });
    assert_eq!(shown.value("nomad_jobs", &[("job_type", "batch"), ("status", "dead")]), Some(5.0));
    let outcome = |word| shown.value("nomad_jobs_finished", &[("job_type", "batch"), ("outcome", word)]);
    assert_eq!((outcome("failed"), outcome("lost"), outcome("complete")), (Some(2.0), Some(1.0), Some(2.0)));
    assert_eq!(shown.find("nomad_jobs_finished", &[]).count(), 32);
}

#[test]
fn unknown_words_are_counted_as_other() {
    let mut live = LiveJobs::default();
    live.by_namespace.entry("ci".into()).or_default().jobs[JobType::Other][JobStatus::Other] = 1;
    let shown = shown(Sections { jobs: Some(Arc::new(live)), ..Sections::default() });
    assert_eq!(shown.value("nomad_jobs", &[("job_type", "other"), ("status", "other")]), Some(1.0));
    assert_eq!(shown.sum("nomad_jobs", &[("job_type", "batch")]), Some(0.0));
}

fn node(id: &str, state: NodeState) -> Node {
    Node {
        id: id.into(),
        name: format!("client-{id}"),
        datacenter: "dc1".into(),
        pool: "default".into(),
        class: String::new(),
        version: "2.0.5".into(),
        address: "192.0.2.1".into(),
        state,
        eligible: state == NodeState::Active,
        draining: state == NodeState::Draining,
        last_drain: None,
        allocatable: Capacity::default(),
        cores: None,
        devices: Devices::default(),
        cpu_total_hertz: None,
        drivers: Vec::new(),
        modify_index: 1,
    }
}

/// Returns a load of running allocations: of batch jobs, of system jobs that keep running, of system jobs
/// that are stopping.
fn load(batch: u64, system_kept: u64, system_stopping: u64) -> NodeLoad {
    let mut load = NodeLoad { system: system_kept + system_stopping, system_kept, ..NodeLoad::default() };
    load.by_status[ClientStatus::Running] = batch + system_kept + system_stopping;
    load
}

fn last_drain(status: DrainStatus) -> Option<LastDrain> {
    Some(LastDrain { started: Some(at(500)), status })
}

#[test]
fn a_node_is_drained_when_no_awaited_allocation_is_left() {
    let ineligible = |status| Node { last_drain: last_drain(status), ..node("n", NodeState::Ineligible) };
    let complete = || ineligible(DrainStatus::Complete);
    let down = || Node { state: NodeState::Down, ..complete() };
    let draining =
        || Node { last_drain: last_drain(DrainStatus::Draining), ..node("n", NodeState::Draining) };
    let nothing = Some(NodeTasks::default());
    let uploading = Some(NodeTasks { lingering: 1, ..NodeTasks::default() });
    let younger = Some(NodeTasks { live: 1, ..NodeTasks::default() });
    for (what, node, load, tasks, expected) in [
        ("no drain", node("n", NodeState::Active), load(0, 0, 0), nothing, None),
        ("by hand ineligible", node("n", NodeState::Ineligible), load(0, 0, 0), nothing, None),
        ("draining", draining(), load(0, 0, 0), nothing, Some(0.0)),
        ("canceled", ineligible(DrainStatus::Canceled), load(0, 0, 0), nothing, None),
        ("complete and empty", complete(), load(0, 0, 0), nothing, Some(1.0)),
        ("a poststop task still uploads", complete(), load(0, 0, 0), uploading, Some(0.0)),
        ("an allocation that the list does not show", complete(), load(0, 0, 0), younger, Some(0.0)),
        ("it is not known what runs", complete(), load(0, 0, 0), None, None),
        ("forced, still stopping", complete(), load(2, 0, 0), nothing, Some(0.0)),
        ("system jobs stopping", complete(), load(0, 0, 1), nothing, Some(0.0)),
        ("system jobs ignored", complete(), load(0, 3, 0), nothing, Some(1.0)),
        ("terminated meanwhile", down(), load(0, 0, 0), None, Some(1.0)),
        ("in use again", Node { eligible: true, ..complete() }, load(5, 0, 0), nothing, None),
    ] {
        let loads = NodeLoads { by_node: HashMap::from([("n".into(), load)]) };
        let running = tasks.map(|tasks| ("n".to_owned(), tasks)).into_iter().collect();
        let shown = shown(Sections {
            nodes: Some(Arc::new(Nodes::from(vec![node]))),
            node_loads: Some(Arc::new(loads)),
            drains: Some(Arc::new(Drains { by_node: HashMap::new(), running })),
            ..Sections::default()
        });
        assert_eq!(shown.value("nomad_node_drained", &[]), expected, "{what}");
    }
}

#[test]
fn a_drain_waits_for_system_jobs_unless_it_ignores_them() {
    // 4 builds and 2 system allocations run; a build and a system allocation are terminal but have a running
    // task.
    for (ignore_system_jobs, expected) in [(false, 8.0), (true, 5.0)] {
        let drain =
            Drain { started: Some(at(600)), deadline: None, ignore_system_jobs, node_modify_index: 1 };
        let sections = Sections {
            nodes: Some(Arc::new(Nodes::from(vec![
                node("n", NodeState::Draining),
                node("m", NodeState::Active),
            ]))),
            drains: Some(Arc::new(Drains {
                by_node: HashMap::from([("n".into(), drain)]),
                running: HashMap::from([(
                    "n".into(),
                    NodeTasks { lingering: 2, lingering_system: 1, live: 5 },
                )]),
            })),
            node_loads: Some(Arc::new(NodeLoads {
                by_node: HashMap::from([("n".into(), load(4, 1, 1)), ("m".into(), load(7, 0, 0))]),
            })),
            ..Sections::default()
        };
        let shown = shown(sections);
        assert_eq!(shown.value("nomad_node_drain_remaining_allocations", &[]), Some(expected));
        assert_eq!(shown.value("nomad_node_drain_started_timestamp_seconds", &[]), Some(600.0));
        assert_eq!(shown.find("nomad_node_drain_deadline_timestamp_seconds", &[]).count(), 0, "it has none");
    }
}

/// If only a part of the allocations on a node is known, they are counted by namespace, but not by node.
#[test]
fn partly_known_nodes_are_not_exposed() {
    let complete = Node { last_drain: last_drain(DrainStatus::Complete), ..node("n", NodeState::Ineligible) };
    let sections = |coverage| Sections {
        nodes: Some(Arc::new(Nodes::from(vec![complete.clone()]))),
        allocations: Some(Arc::new(LiveAllocations::default())),
        node_loads: Some(Arc::new(NodeLoads::default())),
        drains: Some(Arc::new(Drains {
            running: HashMap::from([("n".into(), NodeTasks::default())]),
            ..Drains::default()
        })),
        namespaces: Some(Arc::new(Namespaces { names: BTreeSet::from(["ci".to_owned()]) })),
        coverage,
        ..Sections::default()
    };
    let of_loads = ["nomad_node_allocations", "nomad_node_allocated_cpu_hertz", "nomad_node_drained"];
    for (coverage, sees_all, is_shown) in [
        (None, None, true),
        (Some(NamespaceCoverage::Unknown("it is odd".into())), None, true),
        (Some(NamespaceCoverage::All), Some(1.0), true),
        (Some(NamespaceCoverage::Partial("it is narrow".into())), Some(0.0), false),
    ] {
        let shown = shown(sections(coverage.map(Arc::new)));
        assert_eq!(shown.value("nomad_exporter_sees_all_namespaces", &[]), sees_all);
        for family in of_loads {
            assert_eq!(shown.find(family, &[]).count() > 0, is_shown, "{family} with {sees_all:?}");
        }
        assert!(shown.find("nomad_allocations", &[("namespace", "ci")]).count() > 0);
    }
}

#[test]
fn without_allocations_no_node_is_reported_as_empty() {
    let nodes = Nodes::from(vec![Node {
        last_drain: last_drain(DrainStatus::Complete),
        ..node("n", NodeState::Ineligible)
    }]);
    let shown = shown(Sections { nodes: Some(Arc::new(nodes)), ..Sections::default() });
    let expected = BTreeSet::from(["nomad_nodes", "nomad_node_info", "nomad_node_state"]);
    assert_eq!(names(&shown), expected);
}
