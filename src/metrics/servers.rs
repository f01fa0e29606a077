//! Families about the servers of the region, and about deployments.

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, SchedulerSettings, ServerHealth};
use crate::terms::Term;

const SERVER: &[&str] = &["server"];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_deployments",
        help: "Number of deployments that Nomad still retains, by status.",
        kind: Kind::Gauge,
        labels: &["namespace", "status"],
        collectors: &[CollectorId::Deployments],
        emit: deployments,
    },
    Family {
        name: "nomad_servers",
        help: "Number of servers of the region by gossip state.",
        kind: Kind::Gauge,
        labels: &["state"],
        collectors: &[CollectorId::Servers],
        emit: |view, out| {
            let Some(servers) = &view.sections().servers else { return };
            for (state, count) in servers.by_state.shown() {
                out.add_count(&[state.as_str()], *count);
            }
        },
    },
    Family {
        name: "nomad_server_info",
        help: "Address, Nomad version and datacenter of a server, as labels.",
        kind: Kind::Info,
        labels: &["server", "address", "version", "datacenter"],
        collectors: &[CollectorId::Servers],
        emit: |view, out| {
            let servers = view.sections().servers.iter().flat_map(|servers| &servers.servers);
            for server in servers {
                out.add(&[&server.name, &server.address, &server.version, &server.datacenter], 1.0);
            }
        },
    },
    Family {
        name: "nomad_server_leader",
        help: "1 if the server is the leader of the region, 0 otherwise.",
        kind: Kind::Gauge,
        labels: SERVER,
        collectors: &[CollectorId::Servers, CollectorId::Leader],
        emit: |view, out| {
            let (Some(servers), Some(leader)) = (&view.sections().servers, &view.sections().leader) else {
                return;
            };
            for server in &servers.servers {
                let leads = leader.rpc_address.as_ref() == Some(&server.rpc_address);
                out.add(&[&server.name], f64::from(leads));
            }
        },
    },
    Family {
        name: "nomad_server_healthy",
        help: "1 if autopilot reports the server as healthy, 0 otherwise.",
        kind: Kind::Gauge,
        labels: SERVER,
        collectors: &[CollectorId::Autopilot],
        emit: |view, out| of_server(view, out, |server| server.healthy.map(f64::from)),
    },
    Family {
        name: "nomad_server_voter",
        help: "1 if the server is a voter, 0 otherwise.",
        kind: Kind::Gauge,
        labels: SERVER,
        collectors: &[CollectorId::Autopilot],
        emit: |view, out| of_server(view, out, |server| server.voter.map(f64::from)),
    },
    Family {
        name: "nomad_server_last_contact_seconds",
        help: "Time since the server's last contact with the leader, according to autopilot.",
        kind: Kind::Gauge,
        labels: SERVER,
        collectors: &[CollectorId::Autopilot],
        emit: |view, out| of_server(view, out, |server| Some(server.last_contact?.as_secs_f64())),
    },
    Family {
        name: "nomad_has_leader",
        help: "1 if the region has a leader, 0 otherwise. Nothing is scheduled without a leader.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[CollectorId::Leader],
        emit: |view, out| {
            let leader = view.sections().leader.as_ref();
            out.add_some(&[], leader.map(|leader| f64::from(leader.rpc_address.is_some())));
        },
    },
    Family {
        name: "nomad_autopilot_healthy",
        help: "1 if autopilot reports all servers as healthy, 0 otherwise.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[CollectorId::Autopilot],
        emit: |view, out| {
            let autopilot = view.sections().autopilot.as_ref();
            out.add_some(&[], autopilot.and_then(|autopilot| autopilot.healthy).map(f64::from));
        },
    },
    Family {
        name: "nomad_autopilot_failure_tolerance",
        help: "Number of servers that may fail before the region loses its quorum.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[CollectorId::Autopilot],
        emit: |view, out| {
            let tolerance =
                view.sections().autopilot.as_ref().and_then(|autopilot| autopilot.failure_tolerance);
            out.add_some(&[], tolerance.map(|count| count as f64));
        },
    },
    Family {
        name: "nomad_scheduler_eval_broker_paused",
        help: "1 if an operator has paused the eval broker, 0 otherwise. Nomad 1.3.2 and later.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[CollectorId::Scheduler],
        emit: |view, out| scheduler(view, out, |settings| settings.eval_broker_paused),
    },
    Family {
        name: "nomad_scheduler_job_registration_rejected",
        help: "1 if Nomad rejects job registrations without a management token, 0 otherwise. Nomad 1.3.2 and later.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[CollectorId::Scheduler],
        emit: |view, out| scheduler(view, out, |settings| settings.job_registration_rejected),
    },
];

fn deployments(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(deployments) = &view.sections().deployments else { return };
    let none = Default::default();
    for namespace in view.namespaces() {
        for (status, count) in deployments.by_namespace.get(namespace).unwrap_or(&none).shown() {
            out.add_count(&[namespace, status.as_str()], *count);
        }
    }
}

fn of_server(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&ServerHealth) -> Option<f64>) {
    let servers = view.sections().autopilot.iter().flat_map(|autopilot| &autopilot.servers);
    for server in servers {
        out.add_some(&[&server.name], value(server));
    }
}

fn scheduler(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&SchedulerSettings) -> Option<bool>) {
    let settings = view.sections().scheduler.as_deref();
    out.add_some(&[], settings.and_then(value).map(f64::from));
}
