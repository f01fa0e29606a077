//! Metrics of the backlog: queued allocations and waiting evaluations, with reasons.

use std::time::SystemTime;

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, NamespaceEvaluations, Requested, ResourceRequest};
use crate::terms::{ByTerm, JobType, Term};

/// Collectors for queued allocations.
pub(super) const DEMAND: &[CollectorId] =
    &[CollectorId::Jobs, CollectorId::Evaluations, CollectorId::Specifications];

/// Collectors for whether queued allocations can be placed.
const PLACING: &[CollectorId] = &[
    CollectorId::Jobs,
    CollectorId::Nodes,
    CollectorId::Allocations,
    CollectorId::Evaluations,
    CollectorId::Specifications,
];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_queued_allocations",
        help: "Number of desired allocations that have not been placed, of all jobs that are not dead. A running job \
               with 2 of 12 allocations placed has 10 queued. Excludes allocations without a waiting evaluation, and \
               those of task groups that were removed from their job.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type", "node_pool"],
        collectors: DEMAND,
        emit: queued,
    },
    Family {
        name: "nomad_queued_cpu_hertz",
        help: "Total CPU requested by queued allocations. Excludes reserved cores.",
        kind: Kind::Gauge,
        labels: &["namespace", "node_pool"],
        collectors: DEMAND,
        emit: |view, out| demand(view, out, |request| request.cpu_hertz),
    },
    Family {
        name: "nomad_queued_memory_bytes",
        help: "Total memory requested by queued allocations.",
        kind: Kind::Gauge,
        labels: &["namespace", "node_pool"],
        collectors: DEMAND,
        emit: |view, out| demand(view, out, |request| request.memory_bytes),
    },
    Family {
        name: "nomad_queued_disk_bytes",
        help: "Total disk space requested by queued allocations.",
        kind: Kind::Gauge,
        labels: &["namespace", "node_pool"],
        collectors: DEMAND,
        emit: |view, out| demand(view, out, |request| request.disk_bytes),
    },
    Family {
        name: "nomad_queued_allocations_unsized",
        help: "Number of queued allocations whose requested resources are not fully included in \
               nomad_queued_cpu_hertz, nomad_queued_memory_bytes and nomad_queued_disk_bytes, because their job \
               specification has not been read yet or the token cannot read it. Also counts allocations that \
               reserve cores: their CPU is not included in nomad_queued_cpu_hertz, but their memory and disk are \
               included.",
        kind: Kind::Gauge,
        labels: &["namespace"],
        collectors: DEMAND,
        emit: |view, out| {
            let Some(requested) = requested(view) else { return };
            for namespace in view.namespaces() {
                let count = requested.unsized_by_namespace.get(namespace).copied().unwrap_or_default();
                out.add_count(&[namespace], count);
            }
        },
    },
    Family {
        name: "nomad_queued_allocations_unplaceable",
        help: "Number of queued allocations that fit on no client of their node pool. Reason size: they request more \
               than the largest client has left after its system jobs. Reason constraint: constraints exclude every \
               client. More clients of the same kind do not help.",
        kind: Kind::Gauge,
        labels: &["namespace", "node_pool", "reason"],
        collectors: PLACING,
        emit: unplaceable,
    },
    Family {
        name: "nomad_pool_clients_missing",
        help: "Number of additional clients that are needed to place all queued allocations. Free resources of active \
               clients are used first. New clients are assumed to have the pool's most common size and to run its \
               system jobs. Excludes allocations that fit on no client, or on no client of this size. Absent if the \
               size of an allocation or of a client is unknown.",
        kind: Kind::Gauge,
        labels: &["node_pool"],
        collectors: PLACING,
        emit: |view, out| {
            let Some(placing) = &view.joins().placing else { return };
            placing.missing.iter().for_each(|(pool, clients)| out.add_count(&[pool], *clients));
        },
    },
    Family {
        name: "nomad_blocked_evaluations",
        help: "Number of evaluations that are blocked until the cluster has the requested resources.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Evaluations],
        emit: |view, out| by_job_type(view, out, |evaluations| &evaluations.blocked),
    },
    Family {
        name: "nomad_blocked_evaluations_oldest_timestamp_seconds",
        help: "Unix time at which the oldest blocked evaluation was created. Absent if none is blocked.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Evaluations],
        emit: |view, out| oldest(view, out, |evaluations| &evaluations.oldest_blocked),
    },
    Family {
        name: "nomad_blocked_evaluations_by_reason",
        help: "Number of blocked evaluations by reason. An evaluation with several reasons is counted under each.",
        kind: Kind::Gauge,
        labels: &["namespace", "reason"],
        collectors: &[CollectorId::Evaluations],
        emit: by_reason,
    },
    Family {
        name: "nomad_pending_evaluations",
        help: "Number of pending evaluations that wait for a scheduler. Excludes delayed evaluations.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Evaluations],
        emit: |view, out| by_job_type(view, out, |evaluations| &evaluations.pending),
    },
    Family {
        name: "nomad_pending_evaluations_oldest_timestamp_seconds",
        help: "Unix time at which the oldest pending evaluation was created. Excludes delayed evaluations. \
               Absent if none is pending.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Evaluations],
        emit: |view, out| oldest(view, out, |evaluations| &evaluations.oldest_pending),
    },
    Family {
        name: "nomad_delayed_evaluations",
        help: "Number of pending evaluations that Nomad delays, for example until a failed allocation is \
               rescheduled.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Evaluations],
        emit: |view, out| by_job_type(view, out, |evaluations| &evaluations.delayed),
    },
];

fn queued(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(demand) = &view.joins().demand else { return };
    view.each_pool(&demand.queued, |namespace, pool, queued| {
        for (job_type, count) in queued.shown() {
            out.add_count(&[namespace, job_type.as_str(), pool], *count);
        }
    });
}

/// Returns the requests of queued allocations, if specifications are collected.
pub(super) fn requested<'v>(view: &'v View<'_>) -> Option<&'v Requested> {
    view.joins().demand.as_ref()?.requested.as_ref()
}

fn demand(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&ResourceRequest) -> f64) {
    let Some(requested) = requested(view) else { return };
    view.each_pool(&requested.by_pool, |namespace, pool, request| {
        out.add(&[namespace, pool], value(request))
    });
}

fn unplaceable(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(placing) = &view.joins().placing else { return };
    view.each_pool(&placing.unplaceable, |namespace, pool, unplaceable| {
        out.add_count(&[namespace, pool, "size"], unplaceable.size);
        out.add_count(&[namespace, pool, "constraint"], unplaceable.constraint);
    });
}

fn by_job_type(
    view: &View<'_>,
    out: &mut Samples<'_, '_>,
    counts: fn(&NamespaceEvaluations) -> &ByTerm<JobType, u64>,
) {
    let Some(evaluations) = &view.sections().evaluations else { return };
    let none = NamespaceEvaluations::default();
    for namespace in view.namespaces() {
        let evaluations = evaluations.by_namespace.get(namespace).unwrap_or(&none);
        for (job_type, count) in counts(evaluations).shown() {
            out.add_count(&[namespace, job_type.as_str()], *count);
        }
    }
}

fn oldest(
    view: &View<'_>,
    out: &mut Samples<'_, '_>,
    times: fn(&NamespaceEvaluations) -> &ByTerm<JobType, Option<SystemTime>>,
) {
    let Some(evaluations) = &view.sections().evaluations else { return };
    for (namespace, evaluations) in &evaluations.by_namespace {
        for (job_type, created) in times(evaluations).iter() {
            out.add_time(&[namespace, job_type.as_str()], *created);
        }
    }
}

fn by_reason(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(evaluations) = &view.sections().evaluations else { return };
    let none = NamespaceEvaluations::default();
    for namespace in view.namespaces() {
        let evaluations = evaluations.by_namespace.get(namespace).unwrap_or(&none);
        for (reason, count) in evaluations.by_reason.iter().filter(|(reason, _)| reason.blocks()) {
            out.add_count(&[namespace, reason.as_str()], *count);
        }
    }
}
