//! Families about jobs.

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{
    AGE_BOUNDS_SECONDS, CollectorId, DELAY_BOUNDS_SECONDS, FinishedNamespace, Histogram, NamespaceJobs,
};
use crate::terms::{JobStatus, JobType, TemplateKind, Term};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_jobs",
        help: "Jobs by status: pending (nothing placed yet), running (something placed), dead (finished, whatever \
               the outcome, and still retained by Nomad). Periodic and parameterized parents are not counted.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type", "status"],
        collectors: &[CollectorId::Jobs, CollectorId::FinishedJobs],
        emit: jobs,
    },
    Family {
        name: "nomad_job_templates",
        help: "Periodic and parameterized parent jobs, which are no work of their own.",
        kind: Kind::Gauge,
        labels: &["namespace", "kind", "status"],
        collectors: &[CollectorId::Jobs, CollectorId::FinishedJobs],
        emit: templates,
    },
    Family {
        name: "nomad_jobs_finished",
        help: "Dead jobs that Nomad still retains, by outcome: stopped by somebody, failed (an allocation failed), \
               lost (an allocation was lost with its client), complete.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type", "outcome"],
        collectors: &[CollectorId::FinishedJobs],
        emit: finished,
    },
    Family {
        name: "nomad_pending_jobs_oldest_submit_timestamp_seconds",
        help: "When the oldest pending job was submitted; absent when none is pending.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::Jobs],
        emit: oldest_pending,
    },
    Family {
        name: "nomad_pending_jobs_age_seconds",
        help: "How long the jobs that are pending now have waited since their submission.",
        kind: Kind::GaugeHistogram,
        labels: &["namespace"],
        collectors: &[CollectorId::Jobs],
        emit: pending_ages,
    },
    Family {
        name: "nomad_pending_job_submit_timestamp_seconds",
        help: "When each of the oldest pending jobs was submitted, and why it waits.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id", "reason"],
        collectors: &[CollectorId::Jobs, CollectorId::Evaluations],
        emit: pending_jobs,
    },
    Family {
        name: "nomad_job_placement_delay_seconds",
        help: "How long jobs waited from their submission to their first allocation: each job once, of those whose \
               first allocation came while the exporter ran.",
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
        help: "Jobs that were seen to finish since the exporter started, by outcome. A job that was purged is not \
               counted.",
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
            for (job_type, outcomes) in dead.outcomes.shown() {
                let count = outcomes.iter().map(|(_, count)| count).sum();
                out.add_count(&[namespace, job_type.as_str(), JobStatus::Dead.as_str()], count);
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
    let Some(dead) = &view.sections().finished_jobs else { return };
    let none = FinishedNamespace::default();
    for namespace in view.namespaces() {
        let dead = dead.by_namespace.get(namespace).unwrap_or(&none);
        for (job_type, outcomes) in dead.outcomes.shown() {
            for (outcome, count) in outcomes.iter() {
                out.add_count(&[namespace, job_type.as_str(), outcome.as_str()], *count);
            }
        }
    }
}

fn oldest_pending(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(live) = &view.sections().jobs else { return };
    for (namespace, jobs) in &live.by_namespace {
        for job_type in JobType::ALL.iter().copied() {
            out.add_time(&[namespace, job_type.as_str()], jobs.oldest_pending[job_type]);
        }
    }
}

fn pending_ages(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(live) = &view.sections().jobs else { return };
    let none = Histogram::default();
    for namespace in view.namespaces() {
        let ages = live.by_namespace.get(namespace).map_or(&none, |jobs| &jobs.pending_ages);
        histogram(out, &[namespace], ages, &AGE_BOUNDS_SECONDS);
    }
}

fn placement_delays(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(delays) = &view.sections().placements else { return };
    let none = Default::default();
    for namespace in view.namespaces() {
        for (job_type, delays) in delays.by_namespace.get(namespace).unwrap_or(&none).shown() {
            histogram(out, &[namespace, job_type.as_str()], delays, &DELAY_BOUNDS_SECONDS);
        }
    }
}

fn completions(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(completions) = &view.sections().completions else { return };
    let none = Default::default();
    for namespace in view.namespaces() {
        for (job_type, outcomes) in completions.by_namespace.get(namespace).unwrap_or(&none).shown() {
            for (outcome, count) in outcomes.iter() {
                out.add_count(&[namespace, job_type.as_str(), outcome.as_str()], *count);
            }
        }
    }
}

fn histogram<const BOUNDS: usize>(
    out: &mut Samples<'_, '_>,
    labels: &[&str],
    histogram: &Histogram<BOUNDS>,
    bounds: &[f64; BOUNDS],
) {
    let cumulative = histogram.cumulative(bounds).into_iter();
    out.add_histogram(labels, cumulative, histogram.count(), histogram.sum_seconds());
}

fn pending_jobs(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let (Some(live), Some(reasons)) = (&view.sections().jobs, &view.joins().pending_reasons) else { return };
    for (job, reason) in live.oldest_pending.iter().zip(reasons.iter()) {
        out.add_time(&[&job.namespace, &job.id, reason.as_str()], Some(job.submitted));
    }
}
