//! A day of a busy but healthy cluster pages nobody: bursts of builds, clients that scale with them to zero
//! at night, spot clients that are reclaimed, elections, upgrades, maintenance and restarts of the exporter.

use fastrand::Rng;

use super::series::Origin::{Collector, Rule};
use super::series::{Cause, History, Hole, Replica};
use super::troubles::{
    ALLOCATIONS, COLLECTORS, DRAINS, EVALUATIONS, FINISHED, HOSTS, JOBS, NODES, SERVERS, background,
};
use super::{UnitTest, chance, judge};

/// Number of days per file.
const IN_A_FILE: usize = 3;
const MINUTES: usize = 24 * 60;
/// Minutes for which a server is unhealthy while it and its host restart.
const RESTART: usize = 5;
/// Desired number of clients from which minute on, plus or minus a quarter of an hour.
const DESIRED: [(usize, usize); 8] =
    [(0, 0), (120, 1), (170, 0), (360, 3), (420, 7), (480, 12), (1140, 6), (1260, 0)];

#[test]
#[ignore = "needs promtool: make check-prometheus"]
fn a_healthy_day_pages_nobody() {
    let (mut random, days, told) = chance(IN_A_FILE);
    let mut tests = Vec::new();
    for first in (0..days).step_by(IN_A_FILE) {
        let mut series = String::new();
        for day in first..days.min(first + IN_A_FILE) {
            let history = day_of(&mut random);
            let mut replicas = vec![replica("a", &mut random)];
            if random.bool() {
                replicas.push(replica("b", &mut random));
            }
            history.render(&format!("day-{day}"), "healthy", &replicas, &mut series);
        }
        tests.push(UnitTest { series, empty: pages() });
    }
    judge(&tests, &told);
}

/// Returns queries that find pages, and check that the day was as intended.
fn pages() -> Vec<(String, Vec<usize>)> {
    let end = vec![MINUTES - 1];
    vec![
        (
            format!(r#"count_over_time(ALERTS{{alertstate="firing", severity="critical"}}[{MINUTES}m])"#),
            end.clone(),
        ),
        // No other alerts fire, except for down spot clients until they are garbage-collected.
        (
            format!(
                r#"count_over_time(ALERTS{{alertstate="firing", alertname!="NomadNodeDown"}}[{MINUTES}m])"#
            ),
            end.clone(),
        ),
        (
            format!(
                r#"absent_over_time(ALERTS{{alertstate="firing", alertname="NomadNodeDown"}}[{MINUTES}m])"#
            ),
            end.clone(),
        ),
        // There was a night, and a day before it.
        ("min(min_over_time(region:nomad_nodes_active:sum[2h])) > 0".to_owned(), end),
        ("min(region:nomad_nodes_active:sum) < 8".to_owned(), vec![720]),
    ]
}

/// Returns an exporter that is restarted, and misses some scrapes.
fn replica(instance: &'static str, random: &mut Rng) -> Replica {
    let mut holes = Vec::new();
    let mut minute = random.usize(30..200);
    while minute < MINUTES - 10 {
        let cause = [Cause::Scrape, Cause::Nomad, Cause::Restart][random.usize(..3)];
        let slow = COLLECTORS.into_iter().filter(|_| random.bool()).collect();
        holes.push(Hole { cause, from: minute, until: minute + 2, slow });
        minute += random.usize(40..300);
    }
    Replica { instance, holes, ..Replica::default() }
}

/// A client from its first minute on, and its end.
struct Client {
    name: String,
    joins: usize,
    /// When it starts to drain, and when it is empty. It is terminated two minutes later.
    drains: Option<(usize, usize)>,
    /// When its machine was reclaimed, with its allocations.
    lost: Option<usize>,
}

impl Client {
    fn state(&self, minute: usize) -> Option<&'static str> {
        if minute < self.joins {
            return None;
        }
        if self.lost.is_some_and(|lost| lost <= minute) {
            return Some("down");
        }
        match self.drains {
            Some((_, empty)) if minute >= empty + 2 => Some("down"),
            Some((_, empty)) if minute >= empty => Some("ineligible"),
            Some((begin, _)) if minute >= begin => Some("draining"),
            _ => Some("active"),
        }
    }

    fn is_active(&self, minute: usize) -> bool {
        self.state(minute) == Some("active")
    }
}

/// Returns clients that follow the desired number like an autoscaler, and are lost every two hours.
fn clients(desired: &[usize], random: &mut Rng) -> Vec<Client> {
    let client =
        |number: usize, joins| Client { name: format!("c{number}"), joins, drains: None, lost: None };
    // Drained and terminated yesterday.
    let mut clients: Vec<_> =
        (0..3).map(|number| Client { drains: Some((0, 0)), ..client(number, 0) }).collect();
    let mut next_loss = 540 + random.usize(..60);
    for (minute, desired) in desired.iter().enumerate().skip(3) {
        let active: Vec<_> = (0..clients.len()).filter(|number| clients[*number].is_active(minute)).collect();
        let booting = clients.iter().filter(|client| client.joins > minute).count();
        for _ in active.len() + booting..*desired {
            clients.push(client(clients.len(), minute + random.usize(2..=4)));
        }
        for number in active.iter().skip(*desired) {
            clients[*number].drains = Some((minute, minute + random.usize(1..12)));
        }
        if minute == next_loss && active.len() >= 5 {
            clients[active[random.usize(..active.len())]].lost = Some(minute);
            next_loss += random.usize(100..140);
        }
    }
    clients
}

fn day_of(random: &mut Rng) -> History {
    let mut history = History::new(MINUTES);
    background(&mut history, false);
    let shift = random.usize(..30);
    let desired: Vec<usize> = (0..MINUTES)
        .map(|minute| {
            let reached = DESIRED.iter().take_while(|(from, _)| *from == 0 || from + shift <= minute);
            reached.last().map_or(0, |(_, count)| *count)
        })
        .collect();
    let wanted = |minute: usize| Some(desired[minute] as f64);
    history.gauge("pool:nomad_clients_wanted:count", &[("node_pool", "default")], Rule, wanted);
    let clients = clients(&desired, random);
    add_clients(&mut history, &clients, random);
    add_work(&mut history, &desired, &clients, random);
    add_hosts(&mut history, random);
    add_servers(&mut history, random);
    history
}

fn add_clients(history: &mut History, clients: &[Client], random: &mut Rng) {
    for state in ["active", "draining", "ineligible", "down"] {
        let count =
            |minute| clients.iter().filter(|client| client.state(minute) == Some(state)).count() as f64;
        history.gauge("nomad_nodes", &[("node_pool", "default"), ("state", state)], NODES, |minute| {
            Some(count(minute))
        });
    }
    // A busy cluster: in every other interval of ten minutes, it may be full.
    let active = |minute| clients.iter().filter(|client| client.is_active(minute)).count() as f64;
    let full: Vec<f64> = (0..MINUTES / 10)
        .map(|ten| f64::from(random.u8(if ten % 2 == 0 { 60..95 } else { 80..101 })))
        .collect();
    let pool = [("node_pool", "default")];
    history
        .gauge("nomad_pool_allocatable_cpu_hertz", &pool, ALLOCATIONS, |minute| Some(100.0 * active(minute)));
    history.gauge("nomad_pool_allocated_cpu_hertz", &pool, ALLOCATIONS, |minute| {
        Some(full[minute / 10] * active(minute))
    });
    for client in clients {
        let name = client.name.as_str();
        let id = [("node_id", name), ("node", name)];
        let there = |minute| client.state(minute).map(|_| 1.0);
        history.gauge("nomad_node_info", &[id[0], id[1], ("node_pool", "default")], NODES, there);
        for state in ["active", "draining", "ineligible", "down"] {
            let is_it = |minute| (client.state(minute) == Some(state)).then_some(1.0);
            history.gauge("nomad_node_state", &[id[0], id[1], ("state", state)], NODES, is_it);
        }
        let left = |minute: usize| match (client.state(minute)?, client.drains) {
            ("active", _) => Some(4.0),
            ("draining", Some((_, empty))) => Some((empty - minute).min(4) as f64),
            _ => Some(0.0),
        };
        let labels = [id[0], id[1], ("client_status", "running")];
        history.gauge("nomad_node_allocations", &labels, ALLOCATIONS, left);
        let is_draining = |minute| client.state(minute) == Some("draining");
        history.gauge("nomad_node_drain_remaining_allocations", &id, DRAINS, |minute| {
            left(minute).filter(|_| is_draining(minute))
        });
        if let Some((begin, empty)) = client.drains {
            let drained = |minute| (minute >= begin).then_some(f64::from(minute >= empty));
            history.gauge("nomad_node_drained", &id, ALLOCATIONS, drained);
            history.gauge("nomad_node_drain_started_timestamp_seconds", &id, DRAINS, |minute| {
                is_draining(minute).then_some(begin as f64 * 60.0)
            });
        }
    }
}

/// Adds builds that come in bursts and wait for up to five minutes, one that no client can run, and their
/// outcomes.
fn add_work(history: &mut History, desired: &[usize], clients: &[Client], random: &mut Rng) {
    let mut pending = vec![0_usize; MINUTES];
    let mut minute = 0;
    while minute < MINUTES - 6 {
        // At night too, there are some builds, and a client starts for them.
        if desired[minute] > 0 {
            let burst = random.usize(10..80) * desired[minute] / 12;
            let lasts = random.usize(2..=5);
            for at in 0..lasts {
                pending[minute + at] += burst * (lasts - at) / lasts + 1;
            }
        }
        minute += random.usize(5..11);
    }
    let labels = [("namespace", "ci"), ("job_type", "batch")];
    let with = |label| [labels[0], labels[1], label];
    // The unplaceable one is in another pool, and not in the night's queue.
    let stuck = |minute: usize| usize::from(desired[minute] > 0);
    history.gauge("nomad_jobs", &with(("status", "pending")), JOBS, |minute| {
        Some((pending[minute] + stuck(minute)) as f64)
    });
    for (le, old) in [("600.0", 0), ("1800.0", 0), ("+Inf", 1)] {
        history.gauge("nomad_pending_jobs_age_seconds_bucket", &[labels[0], ("le", le)], JOBS, |minute| {
            Some((pending[minute] + old * stuck(minute)) as f64)
        });
    }
    history.gauge("nomad_queued_allocations", &with(("node_pool", "default")), JOBS, |minute| {
        Some((2 * pending[minute] + stuck(minute)) as f64)
    });
    history.gauge("nomad_blocked_evaluations_oldest_timestamp_seconds", &labels, EVALUATIONS, |_| {
        Some(-604_800.0)
    });
    let busy = |minute: usize| desired[minute] as f64;
    for (outcome, share) in [("complete", 0.9), ("failed", 0.1), ("stopped", 0.05)] {
        history.counter("nomad_job_completions_total", &with(("outcome", outcome)), FINISHED, |minute| {
            share * busy(minute)
        });
    }
    // Sometimes a build exceeds its time limit, and a drain ends one that takes too long.
    for outcome in ["timeout", "drained"] {
        let first = random.usize(..60);
        history.counter("nomad_job_completions_total", &with(("outcome", outcome)), FINISHED, |minute| {
            f64::from(minute % 60 == first && desired[minute] > 0)
        });
    }
    let lost = |minute| clients.iter().filter(|client| client.lost == Some(minute)).count() as f64;
    history.counter("nomad_job_completions_total", &with(("outcome", "lost")), FINISHED, |minute| {
        4.0 * lost(minute)
    });
    for (le, share) in [("300.0", 0.97), ("600.0", 1.0), ("+Inf", 1.0)] {
        history.counter("nomad_job_placement_delay_seconds_bucket", &with(("le", le)), FINISHED, |minute| {
            share * busy(minute)
        });
    }
    history.counter("nomad_job_placement_delay_seconds_count", &labels, FINISHED, busy);
    // A rolling update of a service queues an allocation for some minutes.
    let update = 600 + random.usize(..300);
    let labels = [("namespace", "prod"), ("job_id", "web"), ("task_group", "web"), ("status", "queued")];
    history.gauge("nomad_job_allocations", &labels, JOBS, |minute| {
        Some(f64::from((update..update + 8).contains(&minute)))
    });
    history.gauge("nomad_job_info", &[labels[0], labels[1], ("job_type", "service")], JOBS, |_| Some(1.0));
}

/// Adds disks that fill and are cleaned at 80 %, and clients that do not respond for a while, one at a time.
fn add_hosts(history: &mut History, random: &mut Rng) {
    for (number, name) in
        ["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h9", "h10", "h11"].iter().enumerate()
    {
        let id = [("node_id", *name), ("node", *name)];
        let silent = number * 120 + random.usize(..60);
        history.gauge("nomad_node_host_stats_up", &id, HOSTS, |minute| {
            Some(f64::from(!(silent..silent + 10).contains(&minute)))
        });
        if number < 3 {
            let (period, begin) = (random.usize(30..240), random.usize(..240));
            let used = |minute: usize| 6_000.0 + (2_000 * ((minute + begin) % period) / period) as f64;
            let labels = [id[0], id[1], ("device", "alloc_dir")];
            history.gauge("nomad_node_host_disk_size_bytes", &labels, HOSTS, |_| Some(10_000.0));
            history.gauge("nomad_node_host_disk_used_bytes", &labels, HOSTS, |minute| Some(used(minute)));
            history.gauge("nomad_node_host_memory_total_bytes", &id, HOSTS, |_| Some(10_000.0));
            history.gauge("nomad_node_host_memory_available_bytes", &id, HOSTS, |minute| {
                Some(10_000.0 - used(minute))
            });
        }
    }
}

/// Adds an upgrade of the servers one by one with an election each, a burst of evaluations, and ten minutes
/// of maintenance. On some days, only gossip reports the state of servers.
fn add_servers(history: &mut History, random: &mut Rng) {
    let upgrade = 500 + random.usize(..200);
    let maintenance = 800 + random.usize(..200);
    let burst = 1050 + random.usize(..50);
    let has_autopilot = !upgrade.is_multiple_of(3);
    let is_in = |minute: usize, from: usize, length: usize| (from..from + length).contains(&minute);
    for (number, server) in ["s1", "s2", "s3"].iter().enumerate() {
        let label = [("server", *server)];
        let begin = upgrade + 20 * number;
        history.gauge("nomad_server_healthy", &label, SERVERS, |minute| {
            has_autopilot.then_some(f64::from(!is_in(minute, begin, RESTART)))
        });
        history.gauge("nomad_server_voter", &label, SERVERS, |_| has_autopilot.then_some(1.0));
    }
    let restarting = |minute| (0..3).any(|number| is_in(minute, upgrade + 20 * number, RESTART));
    history.gauge("nomad_servers", &[("state", "failed")], SERVERS, |minute| {
        Some(f64::from(restarting(minute)))
    });
    let upgrading = |minute| (0..3).any(|number| is_in(minute, upgrade + 20 * number, 8));
    history.gauge("nomad_autopilot_failure_tolerance", &[], SERVERS, |minute| {
        has_autopilot.then_some(f64::from(!upgrading(minute)))
    });
    let electing = |minute| (0..3).any(|number| minute == upgrade + 20 * number);
    history.gauge("nomad_has_leader", &[], SERVERS, |minute| Some(f64::from(!electing(minute))));
    for switch in ["nomad_scheduler_eval_broker_paused", "nomad_scheduler_job_registration_rejected"] {
        history.gauge(switch, &[], SERVERS, |minute| Some(f64::from(is_in(minute, maintenance, 10))));
    }
    let labels = [("namespace", "ci"), ("job_type", "batch")];
    history.gauge("nomad_pending_evaluations", &labels, EVALUATIONS, |minute| {
        Some(match minute {
            _ if is_in(minute, maintenance, 10) => 150.0,
            _ if is_in(minute, burst, 4) => 6_000.0,
            _ => 3.0,
        })
    });
    let labels = [("namespace", "prod"), ("status", "failed")];
    history.gauge("nomad_deployments", &labels, Collector("deployments"), |_| Some(2.0));
}
