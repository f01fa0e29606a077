//! What a family is.

use super::own::Own;
use super::sink::Samples;
use crate::snapshot::{Demand, Sections, Snapshot};

/// One metric family.
pub struct Family {
    /// Its name, as samples carry it (counters with `_total`, infos with `_info`).
    pub name: &'static str,
    /// What it means. This is the HELP text and the reference's.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Label names, in the order in which `emit` gives values.
    pub labels: &'static [&'static str],
    /// The sources it needs; empty for families about the exporter itself.
    pub sources: &'static [&'static str],
    /// Sends its samples; none at all when what it needs is not known.
    pub emit: fn(&View<'_>, &mut Samples<'_, '_>),
}

/// How a family behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A state.
    Gauge,
    /// Always 1: its labels are the message.
    Info,
    /// Only grows.
    Counter,
    /// Buckets of a counter.
    Histogram,
    /// Buckets of a state: they rise and fall. Format 0.0.4 knows only histograms, so it is one there.
    GaugeHistogram,
}

/// What a family's function sees.
pub struct View<'a> {
    /// What is known of the cluster.
    pub snapshot: &'a Snapshot,
    /// How the exporter itself stands.
    pub own: &'a Own,
    /// What the queued instances ask for, where both their number and their specifications are known.
    pub(super) demand: Option<Demand>,
}

impl<'a> View<'a> {
    /// A view of one moment.
    pub fn new(snapshot: &'a Snapshot, own: &'a Own) -> Self {
        let sections = &snapshot.sections;
        let both = sections.jobs.as_ref().zip(sections.specifications.as_ref());
        let demand = both.map(|(jobs, specifications)| Demand::new(&jobs.queue, specifications));
        Self { snapshot, own, demand }
    }

    /// What the sources told.
    pub fn sections(&self) -> &'a Sections {
        &self.snapshot.sections
    }
}

impl Family {
    /// The unit, which every name carries before its ending.
    pub fn unit(&self) -> Option<&'static str> {
        let stem = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes", "hertz", "ratio"].into_iter().find(|unit| {
            stem.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')) && self.kind != Kind::Info
        })
    }
}
