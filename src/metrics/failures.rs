//! Metrics of failed allocations and restarted tasks.

use std::collections::BTreeMap;

use super::family::{Family, Kind};
use super::named::each_job;
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{ByCause, CollectorId, TaskCount};
use crate::terms::Term;

/// Collectors for the tasks of long-lived jobs.
const OF_JOBS: &[CollectorId] =
    &[CollectorId::TaskStates, CollectorId::Jobs, CollectorId::FinishedJobs, CollectorId::Specifications];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_allocation_failures_total",
        help: "Total number of failed allocations observed since the exporter started, by cause: exit, \
               signal, oom (OOM-killed), driver (such as an image that cannot be pulled), artifact, \
               validation (task configuration), setup (network, volume, template, secret), disk, unhealthy \
               (a check failed), other. Excludes allocations killed by a drain or a preemption.",
        kind: Kind::Counter,
        labels: &["namespace", "job_type", "cause"],
        collectors: &[CollectorId::TaskStates],
        emit: |view, out| {
            let Some(counts) = &view.sections().task_counts else { return };
            by_cause(view, out, &counts.failures);
        },
    },
    Family {
        name: "nomad_failed_allocations",
        help: "Number of failed allocations that Nomad still retains, by cause as in nomad_allocation_failures_total.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type", "cause"],
        collectors: &[CollectorId::TaskStates],
        emit: |view, out| {
            let Some(failed) = &view.sections().failed else { return };
            by_cause(view, out, &failed.by_namespace);
        },
    },
    Family {
        name: "nomad_node_start_failures_total",
        help: "Total number of allocations on the node that failed before they started (causes driver, artifact, \
               validation and setup), observed since the exporter started.",
        kind: Kind::Counter,
        labels: &["node_id", "node"],
        collectors: &[CollectorId::TaskStates, CollectorId::Nodes],
        emit: |view, out| {
            let sections = view.sections();
            let (Some(counts), Some(nodes)) = (&sections.task_counts, &sections.nodes) else { return };
            for node in nodes.iter() {
                let count = counts.start_failures.get(&node.id).copied().unwrap_or_default();
                out.add_count(&[&node.id, &node.name], count);
            }
        },
    },
    Family {
        name: "nomad_task_restarts_total",
        help: "Total number of task restarts by clients since the exporter started.",
        kind: Kind::Counter,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::TaskStates],
        emit: |view, out| by_job_type(view, out, |count| count.restarts),
    },
    Family {
        name: "nomad_task_oom_kills_total",
        help: "Total number of OOM-killed tasks since the exporter started. Nomad keeps the last ten events \
               of a task; kills that it dropped between two refreshes are not counted.",
        kind: Kind::Counter,
        labels: &["namespace", "job_type"],
        collectors: &[CollectorId::TaskStates],
        emit: |view, out| by_job_type(view, out, |count| count.oom_kills),
    },
    Family {
        name: "nomad_job_task_restarts_total",
        help: "Total number of restarts of a long-lived job's task since the exporter started. Includes the job's children.",
        kind: Kind::Counter,
        labels: &["namespace", "job_id", "task_group", "task"],
        collectors: OF_JOBS,
        emit: |view, out| by_task(view, out, |count| count.restarts),
    },
    Family {
        name: "nomad_job_task_oom_kills_total",
        help: "Total number of OOM kills of a long-lived job's task since the exporter started. Includes the \
               job's children.",
        kind: Kind::Counter,
        labels: &["namespace", "job_id", "task_group", "task"],
        collectors: OF_JOBS,
        emit: |view, out| by_task(view, out, |count| count.oom_kills),
    },
];

fn by_cause(view: &View<'_>, out: &mut Samples<'_, '_>, counts: &ByCause) {
    view.each_job_type(counts, |namespace, job_type, by_cause| {
        for (cause, count) in by_cause.shown() {
            out.add_count(&[namespace, job_type.as_str(), cause.as_str()], *count);
        }
    });
}

fn by_job_type(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&TaskCount) -> u64) {
    let Some(counts) = &view.sections().task_counts else { return };
    view.each_job_type(&counts.by_namespace, |namespace, job_type, count| {
        out.add_count(&[namespace, job_type.as_str()], value(count));
    });
}

fn by_task(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&TaskCount) -> u64) {
    let sections = view.sections();
    let Some(counts) = &sections.task_counts else { return };
    let none = Default::default();
    each_job(view, |namespace, id, job| {
        let counted = counts.by_job.get(namespace).and_then(|jobs| jobs.get(id)).unwrap_or(&none);
        // Tasks of the specification start at 0; other tasks have a value only if they were counted.
        let mut tasks: BTreeMap<(&str, &str), TaskCount> = BTreeMap::new();
        let specifications = sections.specifications.as_ref().and_then(|known| job.specifications(known));
        for (group, specified) in specifications.iter().flatten().flat_map(|(groups, _)| groups.iter()) {
            tasks
                .extend(specified.tasks.iter().map(|task| ((group.as_str(), &**task), TaskCount::default())));
        }
        for (group, by_task) in counted {
            tasks.extend(by_task.iter().map(|(task, count)| ((group.as_str(), task.as_str()), *count)));
        }
        for ((group, task), count) in tasks {
            out.add_count(&[namespace, id, group, task], value(&count));
        }
    });
    out.drop_by_cap(counts.dropped);
}
