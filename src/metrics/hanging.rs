//! Metrics of starting, running and stopping allocations, and their age.

use super::family::{Family, Kind};
use super::jobs::histogram;
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{CollectorId, DELAY_BOUNDS_SECONDS, RUNNING_BOUNDS_SECONDS};
use crate::terms::Term;

const COLLECTORS: &[CollectorId] = &[CollectorId::Allocations];

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_starting_allocations_oldest_timestamp_seconds",
        help: "Unix time at which the oldest starting allocation was created: one that should run but is \
               still pending on its client. Absent if none is starting.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: COLLECTORS,
        emit: |view, out| {
            let Some(transitions) = &view.sections().transitions else { return };
            for (namespace, by_type) in &transitions.oldest_starting {
                for (job_type, created) in by_type.iter() {
                    out.add_time(&[namespace, job_type.as_str()], *created);
                }
            }
        },
    },
    Family {
        name: "nomad_node_starting_allocations_oldest_timestamp_seconds",
        help: "Unix time at which the oldest starting allocation on the node was created: one that should \
               run but is still pending. Absent if none is starting.",
        kind: Kind::Gauge,
        labels: &["node_id", "node"],
        collectors: &[CollectorId::Allocations, CollectorId::Nodes],
        emit: |view, out| {
            let sections = view.sections();
            let (Some(nodes), Some(loads)) = (&sections.nodes, &sections.node_loads) else { return };
            for node in nodes.iter() {
                let oldest = loads.by_node.get(&node.id).and_then(|load| load.oldest_starting);
                out.add_time(&[&node.id, &node.name], oldest);
            }
        },
    },
    Family {
        name: "nomad_allocation_start_delay_seconds",
        help: "Time from the creation of an allocation until its client reported it as running. Each \
               allocation that starts while the exporter is running is observed once. Excludes those that \
               started and ended between two refreshes.",
        kind: Kind::Histogram,
        labels: &["namespace", "job_type"],
        collectors: COLLECTORS,
        emit: |view, out| {
            let Some(starts) = &view.sections().starts else { return };
            view.each_job_type(&starts.by_namespace, |namespace, job_type, delays| {
                histogram(out, &[namespace, job_type.as_str()], delays, &DELAY_BOUNDS_SECONDS);
            });
        },
    },
    Family {
        name: "nomad_stopping_allocations",
        help: "Number of allocations that were told to stop and are still running.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: COLLECTORS,
        emit: |view, out| {
            let Some(transitions) = &view.sections().transitions else { return };
            view.each_job_type(&transitions.stopping, |namespace, job_type, stopping| {
                out.add_count(&[namespace, job_type.as_str()], stopping.count);
            });
        },
    },
    Family {
        name: "nomad_stopping_allocations_oldest_timestamp_seconds",
        help: "Unix time at which the oldest stopping allocation was told to stop. For allocations that were already \
               stopping when the exporter started, this is the time of their last change. Absent if none is \
               stopping.",
        kind: Kind::Gauge,
        labels: &["namespace", "job_type"],
        collectors: COLLECTORS,
        emit: |view, out| {
            let Some(transitions) = &view.sections().transitions else { return };
            for (namespace, by_type) in &transitions.stopping {
                for (job_type, stopping) in by_type.iter() {
                    out.add_time(&[namespace, job_type.as_str()], stopping.oldest);
                }
            }
        },
    },
    Family {
        name: "nomad_running_allocations_age_seconds",
        help: "Age of the allocations that are running now, since their creation.",
        kind: Kind::GaugeHistogram,
        labels: &["namespace", "job_type"],
        collectors: COLLECTORS,
        emit: running_ages,
    },
    Family {
        name: "nomad_running_job_start_timestamp_seconds",
        help: "Unix time at which the oldest running allocation of a build was created, for the longest \
               running builds (batch and sysbatch jobs).",
        kind: Kind::Gauge,
        labels: &["namespace", "job_id"],
        collectors: COLLECTORS,
        emit: |view, out| {
            let Some(transitions) = &view.sections().transitions else { return };
            // Builds without an ID could not be distinguished.
            for build in transitions.longest_builds.iter().filter(|build| !build.id.is_empty()) {
                out.add_time(&[&build.namespace, &build.id], Some(build.since));
            }
        },
    },
];

fn running_ages(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let Some(ages) = &view.sections().running_ages else { return };
    view.each_job_type(&ages.by_namespace, |namespace, job_type, ages| {
        histogram(out, &[namespace, job_type.as_str()], ages, &RUNNING_BOUNDS_SECONDS);
    });
}
