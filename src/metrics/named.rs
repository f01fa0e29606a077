//! Metrics of jobs with series of their own: long-lived ones, by default services and system jobs.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, Groups, JobInfo, LastRuns, NamedJob, NamedJobs};
use crate::terms::{ClientStatus, JobType, Term};

const COLLECTORS: &[CollectorId] = &[CollectorId::Jobs, CollectorId::FinishedJobs];

const PERIODIC: &[CollectorId] =
    &[CollectorId::Jobs, CollectorId::FinishedJobs, CollectorId::FinishedAllocations];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_job_info",
        help: "Type, node pool and priority of a long-lived job, as labels.",
        kind: Kind::Info,
        labels: &["namespace", "job_id", "job_type", "node_pool", "priority"],
        collectors: COLLECTORS,
        emit: |view, out| {
            each_info(view, |namespace, id, info| {
                let priority = info.priority.to_string();
                out.add(&[namespace, id, info.job_type.as_str(), &info.node_pool, &priority], 1.0);
            });
            out.drop_by_cap(dropped(view, |named| named.dropped_jobs));
        },
    },
    Family {
        name: "nomad_job_status",
        help: "1 for the current status of a long-lived job.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id", "status"],
        collectors: COLLECTORS,
        emit: |view, out| {
            each_info(view, |namespace, id, info| out.add(&[namespace, id, info.status.as_str()], 1.0));
            out.drop_by_cap(dropped(view, |named| named.dropped_jobs));
        },
    },
    Family {
        name: "nomad_job_stopped",
        help: "1 if the long-lived job was stopped, 0 otherwise.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id"],
        collectors: COLLECTORS,
        emit: |view, out| {
            each_info(view, |namespace, id, info| out.add_count(&[namespace, id], info.stopped.into()));
            out.drop_by_cap(dropped(view, |named| named.dropped_jobs));
        },
    },
    Family {
        name: "nomad_job_allocations_desired",
        help: "Number of allocations in the specification of a long-lived job, even if the job is stopped or dead. \
               Children that are not dead are counted under their parent. Absent for system jobs.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id", "task_group"],
        collectors: &[CollectorId::Jobs, CollectorId::FinishedJobs, CollectorId::Specifications],
        emit: desired,
    },
    Family {
        name: "nomad_job_allocations",
        help: "Number of allocations of a long-lived job and its children: queued (desired but not placed), starting, \
               running, unknown (their client is disconnected). All except queued are counted from the list of \
               allocations.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id", "task_group", "status"],
        collectors: &[
            CollectorId::Jobs,
            CollectorId::Allocations,
            CollectorId::Evaluations,
            CollectorId::Specifications,
        ],
        emit: allocations,
    },
    Family {
        name: "nomad_job_allocations_ended",
        help: "Number of ended allocations of a long-lived job and its children according to Nomad's job summary. \
               Starts at 0 again if the job is purged.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id", "task_group", "status"],
        collectors: COLLECTORS,
        emit: ended,
    },
    Family {
        name: "nomad_periodic_job_last_success_timestamp_seconds",
        help: "Unix time at which the newest successful run of a periodic job ended, observed while the \
               exporter was running. Absent if there was none.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id"],
        collectors: PERIODIC,
        emit: |view, out| periodic(view, out, |last| last.success),
    },
    Family {
        name: "nomad_periodic_job_last_failure_timestamp_seconds",
        help: "Unix time at which the newest unsuccessful run of a periodic job ended, observed while the exporter \
               was running: a run that failed, was lost or exceeded its time limit. Absent if there was none.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id"],
        collectors: PERIODIC,
        emit: |view, out| periodic(view, out, |last| last.failure),
    },
];

fn periodic(view: &View<'_>, out: &mut Samples<'_, '_>, time: fn(&LastRuns) -> Option<SystemTime>) {
    let (Some(jobs), Some(runs)) = (&view.sections().jobs, &view.sections().periodic) else { return };
    for (namespace, ids) in &jobs.periodic {
        let Some(known) = runs.by_namespace.get(namespace) else { continue };
        for id in ids {
            out.add_time(&[namespace, id], known.get(id).and_then(time));
        }
    }
}

/// Calls for every job, live or dead, with its properties.
fn each_info(view: &View<'_>, mut call: impl FnMut(&str, &str, &JobInfo)) {
    each_job(view, |namespace, id, job| job.info.iter().for_each(|info| call(namespace, id, info)));
}

/// Calls for every job, live or dead, with its latest data.
pub(super) fn each_job(view: &View<'_>, mut call: impl FnMut(&str, &str, &NamedJob)) {
    let live = view.sections().jobs.as_ref().map(|jobs| &jobs.named);
    let dead = view.sections().finished_jobs.as_ref().map(|jobs| &jobs.named);
    let mut told = BTreeSet::new();
    for named in live.into_iter().chain(dead) {
        each(named, |namespace, id, job| {
            // A job may have died between the reads of the two lists; the live list is newer.
            if job.info.is_some() && told.insert((namespace.to_owned(), id.to_owned())) {
                call(namespace, id, job);
            }
        });
    }
}

fn each(named: &NamedJobs, mut call: impl FnMut(&str, &str, &NamedJob)) {
    for (namespace, jobs) in &named.by_namespace {
        jobs.iter().for_each(|(id, job)| call(namespace, id, job));
    }
}

fn dropped(view: &View<'_>, count: fn(&NamedJobs) -> u64) -> u64 {
    let live = view.sections().jobs.as_ref().map_or(0, |jobs| count(&jobs.named));
    live + view.sections().finished_jobs.as_ref().map_or(0, |jobs| count(&jobs.named))
}

fn desired(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(specifications) = &view.sections().specifications else { return };
    each_job(view, |namespace, id, job| {
        let is_per_node = |info: &JobInfo| matches!(info.job_type, JobType::System | JobType::Sysbatch);
        if job.info.as_ref().is_some_and(is_per_node) {
            return;
        }
        for (group, count) in job.desired(specifications).into_iter().flatten() {
            out.add_count(&[namespace, id, group], count);
        }
    });
    out.drop_by_cap(dropped(view, |named| named.dropped_groups));
}

fn allocations(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let (Some(jobs), Some(live)) = (&view.sections().jobs, &view.sections().allocations) else { return };
    let Some(demand) = &view.joins().demand else { return };
    let (none, none_queued) = (Default::default(), Default::default());
    each(&jobs.named, |namespace, id, job| {
        let queued =
            demand.queued_by_job.get(namespace).and_then(|jobs| jobs.get(id)).unwrap_or(&none_queued);
        let counted = live.by_job.get(namespace).and_then(|jobs| jobs.get(id)).unwrap_or(&none);
        let groups: BTreeSet<&String> =
            job.own.keys().chain(job.children.keys()).chain(counted.keys()).collect();
        for group in groups {
            let queued = queued.get(group).copied().unwrap_or_default();
            out.add_count(&[namespace, id, group, "queued"], queued);
            for (word, status) in [
                ("starting", ClientStatus::Pending),
                ("running", ClientStatus::Running),
                ("unknown", ClientStatus::Unknown),
            ] {
                let count = counted.get(group).map_or(0, |by_status| by_status[status]);
                out.add_count(&[namespace, id, group, word], count);
            }
        }
    });
    out.drop_by_cap(4 * jobs.named.dropped_groups);
}

fn ended(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(jobs) = &view.sections().jobs else { return };
    let (live, dead) = (&jobs.named, view.sections().finished_jobs.as_ref().map(|jobs| &jobs.named));
    let mut names = BTreeSet::new();
    for named in std::iter::once(live).chain(dead) {
        each(named, |namespace, id, _| {
            names.insert((namespace.to_owned(), id.to_owned()));
        });
    }
    for (namespace, id) in &names {
        let (live, dead) = (live.get(namespace, id), dead.and_then(|dead| dead.get(namespace, id)));
        for (group, counts) in &ended_groups(live, dead) {
            out.add_count(&[namespace, id, group, "complete"], counts.complete);
            out.add_count(&[namespace, id, group, "failed"], counts.failed);
            out.add_count(&[namespace, id, group, "lost"], counts.lost);
        }
    }
    out.drop_by_cap(3 * dropped(view, |named| named.dropped_groups));
}

/// Returns a job's ended allocations. A job in both lists has just moved from one to the other; it counts
/// once, as in the live list, which is newer.
fn ended_groups(live: Option<&NamedJob>, dead: Option<&NamedJob>) -> Groups {
    let mut groups = NamedJob::children_of_both(live, dead);
    for (group, counts) in live.or(dead).into_iter().flat_map(|job| &job.own) {
        *groups.entry(group.clone()).or_default() += *counts;
    }
    groups
}
