//! What a family is.

use super::sink::Samples;
use super::view::View;
use crate::snapshot::CollectorId;

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
    /// The collectors it needs: it is shown what they told, and nothing else. Empty for families about the exporter itself.
    pub collectors: &'static [CollectorId],
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

impl Family {
    /// The unit, which every name carries before its ending.
    pub fn unit(&self) -> Option<&'static str> {
        let stem = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes", "hertz", "ratio"].into_iter().find(|unit| {
            stem.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')) && self.kind != Kind::Info
        })
    }
}
