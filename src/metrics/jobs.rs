//! Metrics of jobs.

use std::collections::BTreeMap;

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{
    AGE_BOUNDS_SECONDS, CollectorId, DELAY_BOUNDS_SECONDS, FinishedNamespace, Histogram, NamespaceJobs,
};
use crate::terms::{ByTerm, JobStatus, JobType, Outcome, TemplateKind, Term};

/// Collectors for pending jobs.
const PENDING: &[CollectorId] = &[CollectorId::Jobs, CollectorId::Evaluations];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_jobs",
        help: "Number of jobs by status: pending (nothing placed yet), running (at least one allocation placed), dead \
               (finished with any outcome and still retained by Nomad). Excludes periodic and parameterized parents.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type", "status"],
        collectors: &[CollectorId::Jobs, CollectorId::FinishedJobs],
        emit: jobs,
    },
    Family {
        name: "nomad_job_templates",
        help: "Number of periodic and parameterized parent jobs, which have no allocations themselves.",
        kind: Kind::Gauge,
        labels: &["namespace", "kind", "status"],
        collectors: &[CollectorId::Jobs, CollectorId::FinishedJobs],
        emit: templates,
    },
    Family {
        name: "nomad_jobs_finished",
        help: "Number of dead jobs that Nomad still retains, by outcome: stopped (by a user), failed (an allocation failed), lost \
               (an allocation was lost with its client), drained (killed by a drain), preempted, timeout \
               (max_run_duration), complete, unknown.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type", "outcome"],
        collectors: &[CollectorId::FinishedJobs, CollectorId::FinishedAllocations, CollectorId::Allocations],
        emit: finished,
    },
    Family {
        name: "nomad_pending_jobs_oldest_timestamp_seconds",
        help: "Unix time at which the oldest pending job started to wait: when it was submitted or, if it ran \
               before, when its evaluation was created. Absent if no job is pending.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: PENDING,
        emit: oldest_pending,
    },
    Family {
        name: "nomad_pending_jobs_age_seconds",
        help: "Age of the jobs that are pending now.",
        kind: Kind::GaugeHistogram,
        labels: &["namespace"],
        collectors: PENDING,
        emit: pending_ages,
    },
    Family {
        name: "nomad_pending_job_timestamp_seconds",
        help: "Unix time at which each of the oldest pending jobs started to wait, with the reason why it is \
               pending.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id", "reason"],
        collectors: PENDING,
        emit: pending_jobs,
    },
    Family {
        name: "nomad_job_placement_delay_seconds",
        help: "Time from the submission of a job to its first allocation. Each job is observed once, if it was first \
               placed while the exporter was running.",
        kind: Kind::Histogram,
        labels: &["namespace", "job_type"],
        collectors: &[
            CollectorId::Jobs,
            CollectorId::Allocations,
            CollectorId::FinishedJobs,
            CollectorId::FinishedAllocations,
        ],
        emit: placement_delays,
    },
    Family {
        name: "nomad_job_completions_total",
        help: "Total number of jobs that finished since the exporter started, by outcome as in nomad_jobs_finished. \
               A job that was placed again after it finished is counted again. Excludes purged jobs.",
        kind: Kind::Counter,
        labels: &["namespace", "job_type", "outcome"],
        collectors: &[CollectorId::FinishedJobs],
        emit: completions,
    },
];

fn jobs(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let sections = view.sections();
    let (no_live, no_dead) = (NamespaceJobs::default(), FinishedNamespace::default());
    for namespace in view.namespaces() {
        if let Some(live) = &sections.jobs {
            let live = live.by_namespace.get(namespace).unwrap_or(&no_live);
            for (job_type, by_status) in live.jobs.shown() {
                for (status, count) in by_status.shown().filter(|(status, _)| status.is_live()) {
                    out.add_count(&[namespace, job_type.as_str(), status.as_str()], *count);
                }
            }
        }
        if let Some(dead) = &sections.finished_jobs {
            let dead = dead.by_namespace.get(namespace).unwrap_or(&no_dead);
            for (job_type, count) in dead.jobs.shown() {
                out.add_count(&[namespace, job_type.as_str(), JobStatus::Dead.as_str()], *count);
            }
        }
    }
}

fn templates(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let sections = view.sections();
    let (no_live, no_dead) = (NamespaceJobs::default(), FinishedNamespace::default());
    for namespace in view.namespaces() {
        for kind in TemplateKind::ALL.iter().copied() {
            if let Some(live) = &sections.jobs {
                let live = live.by_namespace.get(namespace).unwrap_or(&no_live);
                for (status, count) in live.templates[kind].shown().filter(|(status, _)| status.is_live()) {
                    out.add_count(&[namespace, kind.as_str(), status.as_str()], *count);
                }
            }
            if let Some(dead) = &sections.finished_jobs {
                let count = dead.by_namespace.get(namespace).unwrap_or(&no_dead).templates[kind];
                out.add_count(&[namespace, kind.as_str(), JobStatus::Dead.as_str()], count);
            }
        }
    }
}

fn finished(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(outcomes) = &view.joins().outcomes else { return };
    by_outcome(view, out, &outcomes.by_namespace);
}

fn oldest_pending(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(pending) = &view.joins().pending else { return };
    for (namespace, jobs) in &pending.by_namespace {
        for (job_type, since) in jobs.oldest.iter() {
            out.add_time(&[namespace, job_type.as_str()], *since);
        }
    }
}

fn pending_ages(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(pending) = &view.joins().pending else { return };
    let none = Histogram::default();
    for namespace in view.namespaces() {
        let ages = pending.by_namespace.get(namespace).map_or(&none, |jobs| &jobs.ages);
        histogram(out, &[namespace], ages, &AGE_BOUNDS_SECONDS);
    }
}

fn placement_delays(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(delays) = &view.sections().placements else { return };
    view.each_job_type(&delays.by_namespace, |namespace, job_type, delays| {
        histogram(out, &[namespace, job_type.as_str()], delays, &DELAY_BOUNDS_SECONDS);
    });
}

fn completions(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(completions) = &view.sections().completions else { return };
    by_outcome(view, out, &completions.by_namespace);
}

fn by_outcome(
    view: &View<'_>,
    out: &mut Samples<'_, '_>,
    by_namespace: &BTreeMap<String, ByTerm<JobType, ByTerm<Outcome, u64>>>,
) {
    view.each_job_type(by_namespace, |namespace, job_type, outcomes| {
        for (outcome, count) in outcomes.iter() {
            out.add_count(&[namespace, job_type.as_str(), outcome.as_str()], *count);
        }
    });
}

/// Emits a histogram of durations.
pub(super) fn histogram<const BOUNDS: usize>(
    out: &mut Samples<'_, '_>,
    labels: &[&str],
    histogram: &Histogram<BOUNDS>,
    bounds: &[f64; BOUNDS],
) {
    let cumulative = histogram.cumulative(bounds).into_iter();
    out.add_histogram(labels, cumulative, histogram.count(), histogram.sum_seconds());
}

fn pending_jobs(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(pending) = &view.joins().pending else { return };
    for (job, reason) in &pending.oldest {
        // Without evaluations the reason is unknown, and the metric is absent.
        let Some(reason) = reason else { continue };
        out.add_time(&[&job.namespace, &job.id, reason.as_str()], Some(job.since));
    }
}
