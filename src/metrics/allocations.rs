//! Families about allocations.

use super::family::{Family, Kind};
use super::sink::Samples;
use super::view::View;
use crate::snapshot::{AllocationCounts, CollectorId};
use crate::terms::Term;

pub(super) const FAMILIES: &[Family] = &[Family {
    name: "nomad_allocations",
    help: "Number of allocations by client status. pending, running and unknown allocations are non-terminal. \
           complete, failed and lost allocations are those that Nomad still retains.",
    kind: Kind::Gauge,
    labels: &["namespace", "job_type", "client_status"],
    collectors: &[CollectorId::Allocations, CollectorId::FinishedAllocations],
    emit: allocations,
}];

fn allocations(view: &View<'_>, out: &mut Samples<'_, '_>) {
    let sections = view.sections();
    if let Some(live) = &sections.allocations {
        counts(view, out, &live.counts, true);
    }
    if let Some(terminal) = &sections.finished_allocations {
        counts(view, out, &terminal.counts, false);
    }
}

fn counts(view: &View<'_>, out: &mut Samples<'_, '_>, counts: &AllocationCounts, live: bool) {
    view.each_job_type(&counts.by_namespace, |namespace, job_type, by_status| {
        for (status, count) in by_status.shown().filter(|(status, _)| status.is_live() == live) {
            out.add_count(&[namespace, job_type.as_str(), status.as_str()], *count);
        }
    });
}
