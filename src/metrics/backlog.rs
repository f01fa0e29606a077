//! Families about what waits, and why.

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{Ask, CollectorId, NamespaceEvaluations};
use crate::terms::{ByTerm, JobType, Term};

/// The collectors of what is asked for.
const DEMAND: &[CollectorId] = &[CollectorId::Jobs, CollectorId::Specifications];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_queued_allocations",
        help: "Instances that should run and are not placed, of all live jobs: a running job with 2 of 12 \
               instances placed has 10 queued.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type", "node_pool"],
        collectors: &[CollectorId::Jobs],
        emit: queued,
    },
    Family {
        name: "nomad_queued_cpu_hertz",
        help: "CPU that the queued instances ask for in all, each once. Whole cores are not in it.",
        kind: Kind::Gauge,
        labels: &["namespace", "node_pool"],
        collectors: DEMAND,
        emit: |view, out| demand(view, out, |ask| ask.cpu_hertz),
    },
    Family {
        name: "nomad_queued_memory_bytes",
        help: "Memory that the queued instances ask for in all, each once.",
        kind: Kind::Gauge,
        labels: &["namespace", "node_pool"],
        collectors: DEMAND,
        emit: |view, out| demand(view, out, |ask| ask.memory_bytes),
    },
    Family {
        name: "nomad_queued_disk_bytes",
        help: "Disk that the queued instances ask for in all, each once.",
        kind: Kind::Gauge,
        labels: &["namespace", "node_pool"],
        collectors: DEMAND,
        emit: |view, out| demand(view, out, |ask| ask.disk_bytes),
    },
    Family {
        name: "nomad_queued_allocations_unsized",
        help: "Queued instances that are missing in the sums of what is asked for: their specification was not read \
               yet, or may not be read, or asks for whole cores (whose CPU alone is missing).",
        kind: Kind::Gauge,
        labels: &["namespace"],
        collectors: DEMAND,
        emit: |view, out| {
            let Some(demand) = &view.joins().demand else { return };
            for namespace in view.namespaces() {
                let count = demand.unsized_instances.get(namespace).copied().unwrap_or_default();
                out.add_count(&[namespace], count);
            }
        },
    },
    Family {
        name: "nomad_blocked_evaluations",
        help: "Evaluations that are blocked until the cluster has what they ask for.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Evaluations],
        emit: |view, out| by_job_type(view, out, |evaluations| &evaluations.blocked),
    },
    Family {
        name: "nomad_blocked_evaluations_oldest_timestamp_seconds",
        help: "When the oldest blocked evaluation was created; absent when none is blocked.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Evaluations],
        emit: oldest_blocked,
    },
    Family {
        name: "nomad_blocked_evaluations_by_reason",
        help: "Blocked evaluations in which a reason occurs; one can have several.",
        kind: Kind::Gauge,
        labels: &["namespace", "reason"],
        collectors: &[CollectorId::Evaluations],
        emit: by_reason,
    },
    Family {
        name: "nomad_pending_evaluations",
        help: "Evaluations that wait for a scheduler.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Evaluations],
        emit: |view, out| by_job_type(view, out, |evaluations| &evaluations.pending),
    },
];

fn queued(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let sections = view.sections();
    let Some(live) = &sections.jobs else { return };
    let none = ByTerm::<JobType, u64>::default();
    for namespace in view.namespaces() {
        let by_pool = live.by_namespace.get(namespace).map(|jobs| &jobs.queued);
        for pool in view.pools() {
            let queued = by_pool.and_then(|by_pool| by_pool.get(pool)).unwrap_or(&none);
            for (job_type, count) in queued.shown() {
                out.add_count(&[namespace, job_type.as_str(), pool], *count);
            }
        }
    }
}

fn demand(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&Ask) -> f64) {
    let Some(demand) = &view.joins().demand else { return };
    let none = Ask::default();
    for namespace in view.namespaces() {
        let by_pool = demand.by_pool.get(namespace);
        for pool in view.pools() {
            let ask = by_pool.and_then(|by_pool| by_pool.get(pool)).unwrap_or(&none);
            out.add(&[namespace, pool], value(ask));
        }
    }
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

fn oldest_blocked(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(evaluations) = &view.sections().evaluations else { return };
    for (namespace, evaluations) in &evaluations.by_namespace {
        for (job_type, created) in evaluations.oldest_blocked.iter() {
            out.add_time(&[namespace, job_type.as_str()], *created);
        }
    }
}

fn by_reason(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(evaluations) = &view.sections().evaluations else { return };
    let none = NamespaceEvaluations::default();
    for namespace in view.namespaces() {
        let evaluations = evaluations.by_namespace.get(namespace).unwrap_or(&none);
        for (reason, count) in evaluations.by_reason.iter() {
            out.add_count(&[namespace, reason.as_str()], *count);
        }
    }
}
