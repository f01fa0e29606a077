//! One incident per alert: series that alternate between healthy and unhealthy.

use fastrand::Rng;

use super::series::Origin::{self, Collector, CollectorSuccess, CollectorUp, Exporter, Rule, Target};
use super::series::{Cause, History, Hole};

pub(super) const JOBS: Origin = Collector("jobs");
pub(super) const NODES: Origin = Collector("nodes");
pub(super) const ALLOCATIONS: Origin = Collector("allocations");
pub(super) const EVALUATIONS: Origin = Collector("evaluations");
pub(super) const DRAINS: Origin = Collector("drains");
pub(super) const HOSTS: Origin = Collector("host_stats");
pub(super) const SERVERS: Origin = Collector("servers");
pub(super) const TASKS: Origin = Collector("task_states");
pub(super) const FINISHED: Origin = Collector("finished_jobs");

/// The collectors of every exporter. After a restart, some are later than others.
pub(super) const COLLECTORS: [&str; 4] = ["jobs", "nodes", "allocations", "drains"];

/// Minutes in which something is wrong.
pub(super) struct Phases {
    on: Vec<bool>,
    /// Whether its series end after each incident, as those of a purged node do, instead of becoming healthy.
    ends: bool,
}

impl Phases {
    /// Creates phases of an incident that must last for a number of minutes to fire: some are shorter, and
    /// some longer. None is close to that: a delayed replica makes it a minute longer, and an ended series
    /// counts for three more minutes. Phases are so far apart that an alert with keep_firing_for resolves in
    /// between. If it must certainly fire, the first phase is longer.
    pub(super) fn new(minutes: usize, waits: usize, is_sure: bool, random: &mut Rng) -> Self {
        let mut on: Vec<bool> = Vec::with_capacity(minutes);
        while on.len() < minutes {
            let is_first = on.is_empty();
            on.resize(on.len() + random.usize(11..25), false);
            let is_long = waits < 9 || random.u8(..4) > 0 || (is_sure && is_first);
            let length =
                if is_long { waits + random.usize(5..30) } else { random.usize(4..=4.max(waits / 2 - 2)) };
            on.resize(on.len() + length, true);
        }
        on.truncate(minutes);
        Self { on, ends: random.bool() }
    }

    fn at(&self, minute: usize) -> bool {
        self.on[minute]
    }

    /// Returns one of two values.
    fn pick(&self, wrong: f64, well: f64) -> impl Fn(usize) -> Option<f64> + '_ {
        move |minute| Some(if self.at(minute) { wrong } else { well })
    }

    /// Returns one of two values, or nothing while it is healthy, if the series ends with the incident.
    fn pick_or_end(&self, wrong: f64, well: f64) -> impl Fn(usize) -> Option<f64> + '_ {
        move |minute| if self.at(minute) { Some(wrong) } else { (!self.ends).then_some(well) }
    }

    /// Returns the minute in which the phase at this minute started.
    fn since(&self, minute: usize) -> usize {
        (0..=minute).rev().take_while(|earlier| self.on[*earlier] == self.on[minute]).last().unwrap_or(minute)
    }

    /// Returns the start and the end of each unhealthy phase, excluding the last minute.
    fn runs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let begins = |minute: &usize| self.on[*minute] && (*minute == 0 || !self.on[*minute - 1]);
        (0..self.on.len()).filter(begins).map(|from| {
            (from, self.on[from..].iter().position(|on| !on).map_or(self.on.len(), |length| from + length))
        })
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = usize> + '_ {
        (1..self.on.len()).filter(|minute| self.on[*minute] != self.on[*minute - 1])
    }
}

/// An incident that makes one alert fire.
pub(super) struct Trouble {
    pub(super) alert: &'static str,
    /// Minutes that it must last.
    pub(super) waits: usize,
    pub(super) add: fn(&mut History, &Phases),
    /// Incidents with the same series are incompatible; empty if it is compatible with all.
    pub(super) shares: &'static str,
}

const fn trouble(
    alert: &'static str,
    waits: usize,
    shares: &'static str,
    add: fn(&mut History, &Phases),
) -> Trouble {
    Trouble { alert, waits, add, shares }
}

/// All incidents by subject.
pub(super) const TROUBLES: &[Trouble] = &[
    trouble("NomadPendingBacklog", 5, "", |history, phases| pending(history, phases, "late", (30.0, 0.0))),
    trouble("NomadPendingBacklogCritical", 5, "", |history, phases| {
        pending(history, phases, "stuck", (150.0, 150.0));
    }),
    trouble("NomadBacklogWithoutCapacity", 15, "", |history, phases| {
        let labels = [("namespace", "ci"), ("job_type", "batch"), ("node_pool", "empty")];
        history.gauge("nomad_queued_allocations", &labels, JOBS, phases.pick(3.0, 0.0));
        pool(history, "empty", "active", |_| Some(0.0));
    }),
    trouble("NomadPlacementDelayHigh", 10, "ranges", |history, phases| {
        let all = |minute| if phases.at(minute) { 40.0 } else { 1.0 };
        let in_time = |minute| if phases.at(minute) { 0.0 } else { 1.0 };
        placements(history, "slow", [&in_time, &in_time, &all]);
    }),
    trouble("NomadPlacementSlo", 25, "ranges", |history, phases| {
        let all = |minute| if phases.at(minute) { 5000.0 } else { 1.0 };
        let in_time = |minute| if phases.at(minute) { 0.0 } else { 1.0 };
        placements(history, "many", [&in_time, &all, &all]);
    }),
    trouble("NomadClientsMissing", 15, "capacity", |history, phases| {
        let labels = [("node_pool", "default")];
        history.gauge("pool:nomad_clients_wanted:count", &labels, Rule, phases.pick_or_end(99.0, 1.0));
    }),
    trouble("NomadNodeDown", 5, "", |history, phases| {
        node(history, "down", "default", "down", phases);
    }),
    trouble("NomadManyNodesDown", 5, "capacity", |history, phases| {
        for name in ["fragile-1", "fragile-2", "fragile-3"] {
            node(history, name, "fragile", "down", phases);
        }
        pool(history, "fragile", "active", phases.pick(1.0, 4.0));
        pool(history, "fragile", "down", phases.pick(3.0, 0.0));
    }),
    trouble("NomadNoActiveNodes", 15, "capacity", |history, phases| {
        pool(history, "default", "active", phases.pick(0.0, 20.0));
        pool(history, "default", "draining", phases.pick(20.0, 0.0));
        let labels = [("namespace", "ci"), ("job_type", "batch"), ("node_pool", "default")];
        history.gauge("nomad_queued_allocations", &labels, JOBS, phases.pick(9.0, 0.0));
    }),
    trouble("NomadCapacitySaturated", 30, "capacity", |history, phases| {
        node(history, "full", "full", "active", phases);
        pool(history, "full", "active", |_| Some(1.0));
        let labels = [("node_pool", "full")];
        history.gauge("nomad_pool_allocatable_cpu_hertz", &labels, ALLOCATIONS, |_| Some(100.0));
        history.gauge("nomad_pool_allocated_cpu_hertz", &labels, ALLOCATIONS, phases.pick(99.0, 50.0));
        let labels = [("namespace", "ci"), ("job_type", "batch"), ("node_pool", "full")];
        history.gauge("nomad_queued_allocations", &labels, JOBS, |_| Some(2.0));
    }),
    trouble("NomadNodeIneligibleLong", 120, "", |history, phases| {
        node(history, "off", "default", "ineligible", phases);
    }),
    trouble("NomadDriverUnhealthy", 10, "", |history, phases| {
        node(history, "driver", "default", "active", phases);
        let labels = [("node_id", "driver"), ("node", "driver"), ("driver", "docker")];
        history.gauge("nomad_node_driver_healthy", &labels, NODES, phases.pick_or_end(0.0, 1.0));
    }),
    trouble("NomadDrainOverdue", 10, "", |history, phases| {
        drain(history, "overdue", phases, 900);
        let labels = [("node_id", "overdue"), ("node", "overdue")];
        let deadline = |minute| phases.at(minute).then(|| phases.since(minute) as f64 * 60.0 - 900.0);
        history.gauge("nomad_node_drain_deadline_timestamp_seconds", &labels, DRAINS, deadline);
    }),
    trouble("NomadDrainStuck", 5, "", |history, phases| drain(history, "stuck", phases, 7200)),
    trouble("NomadDrainedNotTerminated", 60, "", |history, phases| {
        node(history, "drained", "default", "ineligible", phases);
        let labels = [("node_id", "drained"), ("node", "drained")];
        history.gauge("nomad_node_drained", &labels, ALLOCATIONS, |minute| phases.at(minute).then_some(1.0));
    }),
    trouble("NomadHostMemoryHigh", 10, "", |history, phases| {
        let labels = [("node_id", "memory"), ("node", "memory")];
        history.gauge("nomad_node_host_stats_up", &labels, HOSTS, phases.pick_or_end(1.0, 1.0));
        history.gauge("nomad_node_host_memory_total_bytes", &labels, HOSTS, phases.pick_or_end(100.0, 100.0));
        history.gauge(
            "nomad_node_host_memory_available_bytes",
            &labels,
            HOSTS,
            phases.pick_or_end(2.0, 50.0),
        );
    }),
    trouble("NomadHostDiskFilling", 15, "", |history, phases| {
        let labels = [("node_id", "disk"), ("node", "disk"), ("device", "alloc_dir")];
        history.gauge("nomad_node_host_stats_up", &labels[..2], HOSTS, phases.pick_or_end(1.0, 1.0));
        history.gauge("nomad_node_host_disk_size_bytes", &labels, HOSTS, phases.pick_or_end(100.0, 100.0));
        history.gauge("nomad_node_host_disk_used_bytes", &labels, HOSTS, phases.pick_or_end(96.0, 50.0));
    }),
    trouble("NomadHostStatsBlind", 15, "", |history, phases| {
        for name in ["host-1", "host-2", "host-3"] {
            let labels = [("node_id", name), ("node", name)];
            history.gauge("nomad_node_host_stats_up", &labels, HOSTS, phases.pick(0.0, 1.0));
        }
        for name in ["host-4", "host-5", "host-6"] {
            let labels = [("node_id", name), ("node", name)];
            history.gauge("nomad_node_host_stats_up", &labels, HOSTS, |_| Some(1.0));
        }
    }),
    trouble("NomadJobsFailing", 5, "ranges", |history, phases| {
        for (outcome, wrong, well) in [("complete", 0.0, 1.0), ("failed", 90.0, 0.0), ("drained", 20.0, 20.0)]
        {
            let labels = [("namespace", "broken"), ("job_type", "batch"), ("outcome", outcome)];
            let growth = |minute| if phases.at(minute) { wrong } else { well };
            history.counter("nomad_job_completions_total", &labels, FINISHED, growth);
        }
    }),
    trouble("NomadBuildsKilledByDrain", 0, "ranges", |history, phases| {
        let labels = [("namespace", "killed"), ("job_type", "batch"), ("outcome", "drained")];
        let growth = |minute| if phases.at(minute) { 30.0 } else { 0.0 };
        history.counter("nomad_job_completions_total", &labels, FINISHED, growth);
    }),
    trouble("NomadServiceDegraded", 15, "", |history, phases| {
        let labels = [("namespace", "prod"), ("job_id", "web"), ("task_group", "web"), ("status", "queued")];
        history.gauge("nomad_job_allocations", &labels, JOBS, phases.pick_or_end(2.0, 0.0));
        let labels = [("namespace", "prod"), ("job_id", "web"), ("job_type", "service")];
        history.gauge("nomad_job_info", &labels, JOBS, phases.pick_or_end(1.0, 1.0));
    }),
    trouble("NomadServiceDead", 2, "", |history, phases| {
        let job = [("namespace", "prod"), ("job_id", "dead")];
        for (status, is_it) in [("dead", true), ("running", false)] {
            let shown = |minute| (phases.at(minute) == is_it).then_some(1.0);
            history.gauge("nomad_job_status", &[job[0], job[1], ("status", status)], JOBS, shown);
        }
        let labels = [job[0], job[1], ("job_type", "service")];
        history.gauge("nomad_job_info", &labels, JOBS, |_| Some(1.0));
        let labels = [job[0], job[1], ("task_group", "web")];
        history.gauge("nomad_job_allocations_desired", &labels, JOBS, |_| Some(1.0));
    }),
    trouble("NomadTaskCrashLooping", 5, "ranges", |history, phases| {
        let labels =
            [("namespace", "prod"), ("job_id", "crashes"), ("task_group", "web"), ("task", "server")];
        let growth = |minute| if phases.at(minute) { 10.0 } else { 0.0 };
        history.counter("nomad_job_task_restarts_total", &labels, TASKS, growth);
    }),
    trouble("NomadTaskOomKilled", 0, "ranges", |history, phases| {
        let labels = [("namespace", "prod"), ("job_id", "leaks"), ("task_group", "web"), ("task", "server")];
        let growth = |minute| if phases.at(minute) { 2.0 } else { 0.0 };
        history.counter("nomad_job_task_oom_kills_total", &labels, TASKS, growth);
    }),
    trouble("NomadAllocationsFailingToStart", 5, "ranges", |history, phases| {
        let labels = [("namespace", "no-image"), ("job_type", "batch"), ("cause", "driver")];
        let growth = |minute| if phases.at(minute) { 10.0 } else { 0.0 };
        history.counter("nomad_allocation_failures_total", &labels, TASKS, growth);
    }),
    trouble("NomadAllocationStartStuck", 5, "", |history, phases| {
        hangs(history, "nomad_starting_allocations_oldest_timestamp_seconds", "starts", phases);
    }),
    trouble("NomadAllocationStopStuck", 5, "", |history, phases| {
        hangs(history, "nomad_stopping_allocations_oldest_timestamp_seconds", "stops", phases);
    }),
    trouble("NomadBuildRunningLong", 5, "", |history, phases| {
        hangs(history, "nomad_running_job_start_timestamp_seconds", "runs", phases);
    }),
    trouble("NomadNodeDisconnected", 5, "", |history, phases| {
        node(history, "away", "default", "disconnected", phases);
    }),
    trouble("NomadJobUnplaceable", 15, "", |history, phases| {
        let labels = [("namespace", "huge"), ("node_pool", "default"), ("reason", "size")];
        history.gauge("nomad_queued_allocations_unplaceable", &labels, JOBS, phases.pick(3.0, 0.0));
    }),
    trouble("NomadDeploymentFailed", 0, "", |history, phases| {
        let labels = [("namespace", "prod"), ("status", "failed")];
        let failed = |minute| (1..=minute).filter(|at| phases.on[*at] && !phases.on[*at - 1]).count() as f64;
        history.gauge("nomad_deployments", &labels, JOBS, |minute| Some(failed(minute)));
    }),
    trouble("NomadNoLeader", 3, "", |history, phases| {
        history.gauge("nomad_has_leader", &[], SERVERS, phases.pick(0.0, 1.0));
    }),
    trouble("NomadServerUnhealthy", 8, "", |history, phases| {
        history.gauge("nomad_server_healthy", &[("server", "s1")], SERVERS, |_| Some(1.0));
        history.gauge("nomad_server_healthy", &[("server", "s2")], SERVERS, phases.pick_or_end(0.0, 1.0));
    }),
    trouble("NomadQuorumAtRisk", 15, "", |history, phases| {
        history.gauge("nomad_autopilot_failure_tolerance", &[], SERVERS, phases.pick(0.0, 1.0));
        for server in ["s1", "s2", "s3"] {
            history.gauge("nomad_server_voter", &[("server", server)], SERVERS, |_| Some(1.0));
        }
    }),
    trouble("NomadSchedulerPaused", 15, "evaluations", |history, phases| {
        history.gauge("nomad_scheduler_eval_broker_paused", &[], SERVERS, phases.pick(1.0, 0.0));
        let labels = [("namespace", "ci"), ("job_type", "batch")];
        history.gauge("nomad_pending_evaluations", &labels, EVALUATIONS, phases.pick(40.0, 0.0));
    }),
    trouble("NomadEvaluationsNotProcessed", 10, "evaluations", |history, phases| {
        let labels = [("namespace", "ci"), ("job_type", "batch")];
        history.gauge("nomad_pending_evaluations", &labels, EVALUATIONS, phases.pick(500.0, 0.0));
    }),
    trouble("NomadJobRegistrationRejected", 15, "", |history, phases| {
        history.gauge("nomad_scheduler_job_registration_rejected", &[], SERVERS, phases.pick(1.0, 0.0));
    }),
    trouble("NomadExporterDown", 5, "ranges", |history, phases| {
        history.outages.extend(phases.runs().map(|(from, until)| Hole::new(Cause::Scrape, from, until)));
    }),
    trouble("NomadExporterFlapping", 0, "ranges", |history, phases| {
        for (from, until) in phases.runs() {
            let ends = (from..until).step_by(5);
            history.outages.extend(ends.map(|minute| Hole::new(Cause::Scrape, minute, minute + 1)));
        }
    }),
    trouble("NomadExporterStale", 5, "", |history, phases| {
        // A collector that fails on every exporter.
        let labels = [("collector", "deployments")];
        history.gauge("nomad_exporter_collector_interval_seconds", &labels, Exporter, |_| Some(15.0));
        let success = |minute| if phases.at(minute) { phases.since(minute) } else { minute } as f64 * 60.0;
        history.gauge(
            "nomad_exporter_collector_last_success_timestamp_seconds",
            &labels,
            CollectorSuccess("deployments"),
            |minute| Some(success(minute)),
        );
    }),
    trouble("NomadExporterForbidden", 5, "", |history, phases| {
        let labels = [("endpoint", "autopilot"), ("reason", "forbidden")];
        let growth = |minute| if phases.at(minute) { 4.0 } else { 0.0 };
        history.counter("nomad_exporter_api_requests_total", &labels, Exporter, growth);
    }),
    trouble("NomadPartialView", 10, "", |history, phases| {
        history.gauge("nomad_exporter_sees_all_namespaces", &[], Exporter, phases.pick(0.0, 1.0));
    }),
    trouble("NomadExporterReloadFailed", 10, "", |history, phases| {
        let labels = [("file", "token")];
        history.gauge("nomad_exporter_file_last_reload_successful", &labels, Exporter, phases.pick(0.0, 1.0));
    }),
    trouble("NomadExporterSeriesDropped", 15, "", |history, phases| {
        let labels = [("family", "nomad_job_info")];
        history.gauge("nomad_exporter_series", &[], Exporter, |_| Some(1000.0));
        let dropped = |minute| phases.at(minute).then_some(7.0);
        history.gauge("nomad_exporter_series_dropped", &labels, Exporter, dropped);
    }),
];

/// Adds pending jobs of a namespace: five new ones, or numbers that have been waiting for ten minutes and
/// half an hour.
fn pending(history: &mut History, phases: &Phases, namespace: &str, (old, older): (f64, f64)) {
    let labels = [("namespace", namespace), ("job_type", "batch"), ("status", "pending")];
    history.gauge("nomad_jobs", &labels, JOBS, phases.pick_or_end(old, 5.0));
    let labels = [("namespace", namespace), ("job_type", "batch"), ("node_pool", "default")];
    history.gauge("nomad_queued_allocations", &labels, JOBS, phases.pick_or_end(old, 5.0));
    for (le, wrong) in [("600.0", 0.0), ("1800.0", old - older), ("+Inf", old)] {
        let labels = [("namespace", namespace), ("le", le)];
        history.gauge("nomad_pending_jobs_age_seconds_bucket", &labels, JOBS, phases.pick_or_end(wrong, 5.0));
    }
}

/// Adds placements of a namespace in each minute: up to five minutes, ten minutes, and all.
fn placements(history: &mut History, namespace: &str, growths: [&dyn Fn(usize) -> f64; 3]) {
    for (le, growth) in [("300.0", 0), ("600.0", 1), ("1800.0", 2), ("+Inf", 2)] {
        let labels = [("namespace", namespace), ("job_type", "batch"), ("le", le)];
        history.counter("nomad_job_placement_delay_seconds_bucket", &labels, FINISHED, growths[growth]);
    }
    let labels = [("namespace", namespace), ("job_type", "batch")];
    history.counter("nomad_job_placement_delay_seconds_count", &labels, FINISHED, growths[2]);
}

/// Adds a series that has hung for ten hours when the incident starts.
fn hangs(history: &mut History, since: &'static str, namespace: &'static str, phases: &Phases) {
    let labels = [("namespace", namespace), ("job_type", "batch"), ("job_id", "hangs")];
    let began = |minute| phases.at(minute).then(|| phases.since(minute) as f64 * 60.0 - 36_000.0);
    history.gauge(since, &labels, ALLOCATIONS, began);
}

fn pool(history: &mut History, name: &str, state: &str, count: impl Fn(usize) -> Option<f64>) {
    history.gauge("nomad_nodes", &[("node_pool", name), ("state", state)], NODES, count);
}

/// Adds a node with this state during the incident, and active otherwise.
fn node(history: &mut History, name: &str, pool: &str, wrong: &str, phases: &Phases) {
    let id = [("node_id", name), ("node", name)];
    let there = phases.pick_or_end(1.0, 1.0);
    history.gauge("nomad_node_info", &[id[0], id[1], ("node_pool", pool)], NODES, &there);
    let states = if wrong == "active" { &[wrong][..] } else { &[wrong, "active"] };
    for state in states {
        let is_it = |minute| if phases.at(minute) { wrong } else { "active" } == *state;
        let one = |minute| there(minute).filter(|_| is_it(minute));
        history.gauge("nomad_node_state", &[id[0], id[1], ("state", state)], NODES, one);
    }
    let labels = [id[0], id[1], ("client_status", "running")];
    history.gauge("nomad_node_allocations", &labels, ALLOCATIONS, |minute| there(minute).map(|_| 0.0));
}

/// Adds a draining node with four remaining allocations, whose drain started a number of seconds before the
/// incident.
fn drain(history: &mut History, name: &str, phases: &Phases, before: u16) {
    node(history, name, "default", "draining", phases);
    let labels = [("node_id", name), ("node", name)];
    let remaining = |minute| phases.at(minute).then_some(4.0);
    history.gauge("nomad_node_drain_remaining_allocations", &labels, DRAINS, remaining);
    let started = |minute| phases.at(minute).then(|| phases.since(minute) as f64 * 60.0 - f64::from(before));
    history.gauge("nomad_node_drain_started_timestamp_seconds", &labels, DRAINS, started);
}

/// Adds the series of every region: an exporter, and nodes unless the incident adds them.
pub(super) fn background(history: &mut History, has_nodes: bool) {
    history.gauge("up", &[("job", "nomad-exporter")], Target, |_| Some(1.0));
    for name in COLLECTORS {
        let labels = [("collector", name)];
        history.gauge("nomad_exporter_collector_up", &labels, CollectorUp(name), |_| Some(1.0));
        history.gauge("nomad_exporter_collector_interval_seconds", &labels, Exporter, |_| Some(15.0));
        history.gauge(
            "nomad_exporter_collector_last_success_timestamp_seconds",
            &labels,
            CollectorSuccess(name),
            |minute| Some(minute as f64 * 60.0),
        );
    }
    let labels = [("namespace", "ci"), ("job_type", "batch"), ("client_status", "running")];
    history.gauge("nomad_allocations", &labels, ALLOCATIONS, |_| Some(100.0));
    if has_nodes {
        pool(history, "default", "active", |_| Some(20.0));
    }
}
